//! What every source file keeps: a first line that says what it is, a bounded length, no unfinished work.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

const MAX_LINES: usize = 500;
const MAX_ARCHITECTURE_LINES: usize = 300;

/// Folders whose sources are checked.
const FOLDERS: &[&str] = &["crates", "xtask", "dashboard/src", "demo"];

/// Files over [`MAX_LINES`], each with the reason why it is one file.
const LONG: &[(&str, &str)] = &[];

/// Words that mean a thing is not finished. Split, or this file would find itself.
const UNFINISHED: &[&str] =
    &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("in a real ", "deployment")];

pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for path in sources(&root.join(folder))? {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.extend(check_file(&name, &text));
        }
    }
    for (name, _) in LONG {
        if !root.join(name).exists() {
            found.push(format!("{name}: is listed as long in xtask but is not there"));
        }
    }
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).context("read ARCHITECTURE.md")?;
    if map.lines().count() > MAX_ARCHITECTURE_LINES {
        found.push(format!("ARCHITECTURE.md: over {MAX_ARCHITECTURE_LINES} lines; a decision goes to docs/decisions"));
    }
    Ok(found)
}

fn check_file(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(format!("{name}: {what}"));
    let rust = Path::new(name).extension().is_some_and(|end| end == "rs");
    if rust && !text.trim_start().starts_with("//!") {
        say("begins with no `//!`: say what the file is, what it is not and why".to_owned());
    }
    if name.ends_with("/mod.rs") {
        say("`foo.rs` beside `foo/`, never a module file of this name".to_owned());
    }
    let lines = text.lines().count();
    if lines > MAX_LINES && !LONG.iter().any(|(long, _)| *long == name) {
        say(format!("{lines} lines, over {MAX_LINES}: split it, or list it in xtask with the reason"));
    }
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if let Some(word) = UNFINISHED.iter().find(|word| line.to_lowercase().contains(**word)) {
            say(format!("line {number}: `{word}`: what is here is finished"));
        }
        if name.starts_with("crates/ingest/src/formats") && line.contains("tokio") {
            say(format!("line {number}: formats are functions from bytes to values, without tokio"));
        }
    }
    found
}

/// The sources under a folder, generated ones left out.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if is_source(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_source(path: &Path) -> bool {
    let generated = path.file_name().is_some_and(|name| name == "schema.d.ts");
    !generated && path.extension().is_some_and(|end| end == "rs" || end == "ts" || end == "tsx")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, text: &str) -> usize {
        check_file(name, text).len()
    }

    #[test]
    fn a_finished_file_passes() {
        assert_eq!(said("crates/x/src/a.rs", "//! A.\nfn a() {}\n"), 0);
        assert_eq!(said("dashboard/src/a.ts", "export const a = 1\n"), 0);
    }

    #[test]
    fn what_is_missing_is_found() {
        assert_eq!(said("crates/x/src/a.rs", "fn a() {}\n"), 1);
        assert_eq!(said("crates/x/src/a/mod.rs", "//! A.\n"), 1);
        assert_eq!(said("crates/x/src/a.rs", &format!("//! A.\n{}", "\n".repeat(MAX_LINES))), 1);
        assert_eq!(said("crates/x/src/a.rs", &format!("//! A.\nfn a() {{ {}) }}\n", UNFINISHED[0])), 1);
        assert_eq!(said("crates/ingest/src/formats/a.rs", "//! A.\nuse tokio::io;\n"), 1);
        assert_eq!(said("crates/ingest/src/sources/a.rs", "//! A.\nuse tokio::io;\n"), 0);
    }
}

//! `docs/why.md` says which test shows what. A name that no test has is a promise that nobody keeps.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

const PAGE: &str = "docs/why.md";
/// Where tests are, and how their files end.
const PLACES: [(&str, &str); 2] = [("crates", "rs"), ("policies", "rego")];
/// Fewer words are no name of a test.
const WORDS: usize = 4;

pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let page = fs::read_to_string(root.join(PAGE)).context("read docs/why.md")?;
    let mut known = BTreeSet::new();
    for (folder, end) in PLACES {
        for path in files(&root.join(folder), end)? {
            known.extend(tests(&fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?));
        }
    }
    Ok(problems(&page, &known))
}

fn problems(page: &str, known: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let place = number + 1;
        let named: Vec<&str> = names(line).collect();
        for name in named.iter().filter(|name| !known.contains(**name)) {
            found.push(format!("{PAGE}: line {place}: no test is called `{name}`"));
        }
        let row = line.starts_with("| ") && !line.starts_with("| what happened");
        if row && named.is_empty() {
            found.push(format!("{PAGE}: line {place}: names no test"));
        }
    }
    found
}

/// What stands between backticks and reads like the name of a test.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let words = |name: &&str| name.split('_').filter(|word| !word.is_empty()).count() >= WORDS;
    let plain = |name: &&str| name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
    line.split('`').skip(1).step_by(2).filter(plain).filter(words)
}

/// Functions that are marked as tests, and Rego's, which are tests by their name.
fn tests(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            if std::mem::take(&mut marked) {
                found.extend(rest.split('(').next().map(str::to_owned));
            }
        } else if line.starts_with("test_") {
            found.extend(line.split([' ', ':']).next().map(str::to_owned));
        }
    }
    found
}

fn files(folder: &Path, end: &str) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == end) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_their_mark_and_others_are_not() {
        let text = "#[test]\nfn a_is_b() {}\nfn helper_of_it() {}\n    #[tokio::test(flavor = \"x\")]\n    async fn c_is_d() {}\n";
        assert_eq!(tests(text), ["a_is_b", "c_is_d"]);
        assert_eq!(tests("test_a_is_denied if {\n  true\n}\nhelper := 1\n"), ["test_a_is_denied"]);
    }

    #[test]
    fn a_name_without_a_test_and_a_row_without_a_name_are_found() {
        let known = BTreeSet::from(["one_two_three_four".to_owned()]);
        assert_eq!(problems("| a | b | `one_two_three_four` |\n", &known), [""; 0]);
        assert_eq!(problems("| a | b | `one_two_three_five` |\n", &known).len(), 1);
        assert_eq!(problems("| a | b | c |\n- `unverified` and `cargo run -p xtask`\n", &known).len(), 1);
    }
}

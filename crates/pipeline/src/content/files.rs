//! The files of content: found, read and hashed by every core, and parsed where their hash is new.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use shieldops_detect::{Diagnostic, DiagnosticSeverity, Documents, parse};

use super::BuiltIn;
use crate::cores::in_parts;

/// Bytes of one rule file that are read.
const FILE_BYTES: u64 = 1024 * 1024;
/// Files of one directory tree.
pub(super) const FILES: usize = 50_000;

pub(super) struct SourceFile {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) built_in: bool,
    pub(super) matches: String,
    pub(super) misses: String,
    pub(super) problem: Option<String>,
}

/// What a file holds; the same from reload to reload while its bytes are.
pub(super) struct Parsed {
    hash: [u8; 32],
    pub(super) documents: Documents,
    pub(super) said: Vec<Diagnostic>,
}

/// By the name of the file.
pub(super) type ParsedFiles = HashMap<String, Arc<Parsed>>;

/// Files that are worth a thread of their own.
const WORTH_A_CORE: usize = 16;

/// Every item's result, in order.
fn on_every_core<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    in_parts(items, WORTH_A_CORE, |part| part.iter().map(&work).collect())
}

pub(super) fn gather(built_in: &[BuiltIn], dirs: &[PathBuf]) -> Vec<SourceFile> {
    let own = |rule: &BuiltIn| SourceFile {
        name: rule.file.to_owned(),
        text: rule.text.to_owned(),
        built_in: true,
        matches: rule.matches.to_owned(),
        misses: rule.misses.to_owned(),
        problem: None,
    };
    let mut files: Vec<_> = built_in.iter().map(own).collect();
    for dir in dirs {
        let mut paths = Vec::new();
        if let Err(error) = walk(dir, &mut paths, 0) {
            files.push(SourceFile { problem: Some(format!("cannot read the directory: {error}")), ..empty(dir) });
        }
        paths.sort();
        files.extend(on_every_core(&paths, |path| read_rule(path)));
    }
    files
}

pub(super) fn empty(path: &Path) -> SourceFile {
    SourceFile {
        name: path.display().to_string(),
        text: String::new(),
        built_in: false,
        matches: String::new(),
        misses: String::new(),
        problem: None,
    }
}

pub(super) fn walk(dir: &Path, paths: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        // Links are not followed: a tree of rules has no business outside itself.
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < 16 {
            walk(&path, paths, depth + 1)?;
        } else if kind.is_file()
            && path.extension().is_some_and(|ext| ext == "yml" || ext == "yaml")
            && paths.len() < FILES
        {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_rule(path: &Path) -> SourceFile {
    match read_limited(path) {
        Ok(text) => {
            let sample =
                |name: &str| path.parent().and_then(|dir| read_limited(&dir.join(name)).ok()).unwrap_or_default();
            SourceFile { text, matches: sample("match.ndjson"), misses: sample("miss.ndjson"), ..empty(path) }
        }
        Err(problem) => SourceFile { problem: Some(problem), ..empty(path) },
    }
}

/// A file of rules or samples.
///
/// # Errors
/// Why it cannot be read: its size, its bytes, or the system.
pub fn read_limited(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES {
        return Err(format!("{size} bytes are over the limit of {FILE_BYTES}"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_invalid| "not UTF-8".to_owned())
}

/// The hash of each file, and of all of them in order.
pub(super) fn hashes(files: &[SourceFile]) -> Vec<[u8; 32]> {
    on_every_core(files, |file| {
        let mut hash = Sha256::new();
        for text in
            [&file.name, &file.text, &file.matches, &file.misses, file.problem.as_ref().unwrap_or(&String::new())]
        {
            hash.update(u64::try_from(text.len()).unwrap_or(0).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    })
}

pub(super) fn hash_of_all<'h>(hashes: impl Iterator<Item = &'h [u8; 32]>) -> [u8; 32] {
    let mut all = Sha256::new();
    hashes.for_each(|hash| all.update(hash));
    all.finalize().into()
}

/// What each file holds. What was parsed before is taken from there.
pub(super) fn parsed(files: &[SourceFile], hashes: &[[u8; 32]], before: Option<&ParsedFiles>) -> Vec<Arc<Parsed>> {
    let both: Vec<(&SourceFile, &[u8; 32])> = files.iter().zip(hashes).collect();
    on_every_core(&both, |(file, hash)| {
        if let Some(same) = before.and_then(|before| before.get(&file.name)).filter(|old| old.hash == **hash) {
            return Arc::clone(same);
        }
        let (documents, said) = parse(&file.text, &file.name);
        Arc::new(Parsed { hash: **hash, documents, said })
    })
}

/// What is said of a file that cannot be read as text.
pub fn file_problem(file: &str, problem: &str) -> Diagnostic {
    Diagnostic {
        severity: DiagnosticSeverity::Error,
        code: "unreadable-file",
        file: file.to_owned(),
        line: 0,
        column: 0,
        message: problem.to_owned(),
        fix: "check that the file exists, is UTF-8 text and can be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use shieldops_store::rule_states::State;

    use super::super::Content;

    fn rule(id: &str, event: u32) -> String {
        format!(
            "title: {id}\nid: {id}\nlevel: low\nlogsource: {{product: linux}}\n\
             detection: {{sel: {{EventID: {event}}}, condition: sel}}\n"
        )
    }

    #[test]
    fn a_reload_reads_what_changed_and_keeps_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        for id in ["a", "b", "c"] {
            fs::write(dir.path().join(format!("{id}.yml")), rule(id, 1)).unwrap();
        }
        let content = Content::load(&[], vec![dir.path().to_owned()], State::Enabled);
        let before = content.book();
        assert!(Arc::ptr_eq(&before, &content.reload()), "nothing changed");
        fs::write(dir.path().join("b.yml"), rule("b", 2)).unwrap();
        let after = content.reload();
        let same = ["a", "b", "c"].map(|id| {
            let [old, new] = [&before, &after].map(|book| (&book.set.get(id).unwrap().rule, &book.entries[id].rule));
            assert!(Arc::ptr_eq(new.0, new.1), "the lists show the rule that runs");
            Arc::ptr_eq(old.0, new.0) && Arc::ptr_eq(&before.facts(id).unwrap(), &after.facts(id).unwrap())
        });
        assert_eq!(same, [true, false, true]);
        assert_ne!(before.base_hash(), after.base_hash());
        fs::remove_file(dir.path().join("a.yml")).unwrap();
        let after = content.reload();
        assert_eq!((after.set.len(), after.entries.len(), after.facts("a").is_none()), (2, 2, true));
    }
}

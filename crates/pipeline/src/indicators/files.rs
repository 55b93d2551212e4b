//! The installation's files of indicators, which every tenant's events are looked up in.

use std::{
    collections::HashMap,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use shieldops_detect::{
    BlockWriter, Defaults, Diagnostic, DiagnosticSeverity, ListBlocks, ListFacts, ListFormat, ListReader,
};
use shieldops_model::Severity;

/// Bytes of one file that are read.
const FILE_BYTES: u64 = 1024 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// What the files say.
#[derive(Default)]
pub(super) struct Files {
    pub(super) lists: Vec<ListBlocks>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What was read of each file the last time that it was a list.
pub(super) type Good = HashMap<PathBuf, ListBlocks>;

/// Of a file that is gone, or is no list any more, what was `good` stays.
pub(super) fn read(paths: &[PathBuf], good: &mut Good) -> Files {
    let mut files = Files::default();
    for path in paths {
        let name =
            path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned());
        match read_one(path, &name) {
            Ok((list, diagnostics)) if is_list(&list, &diagnostics) || !good.contains_key(path) => {
                good.insert(path.clone(), list);
                files.diagnostics.extend(diagnostics);
            }
            Ok((_, diagnostics)) => {
                let problem =
                    format!("{}: no line is an indicator; what was read of it before stays in use", path.display());
                files.diagnostics.push(unreadable(&name, &problem));
                files.diagnostics.extend(diagnostics);
            }
            Err(error) => {
                let stays = if good.contains_key(path) { "; what was read of it before stays in use" } else { "" };
                files.diagnostics.push(unreadable(&name, &format!("{}: {error}{stays}", path.display())));
            }
        }
        files.lists.extend(good.get(path).cloned());
    }
    files
}

/// An empty file is a list of nothing; one in which only mistakes were found is another file.
fn is_list(list: &ListBlocks, diagnostics: &[Diagnostic]) -> bool {
    list.blocks.iter().any(|block| !block.is_empty()) || diagnostics.is_empty()
}

/// Differs when a file was written since.
pub(super) fn signature(paths: &[PathBuf]) -> u64 {
    let mut hash = Sha256::new();
    for path in paths {
        let about = std::fs::metadata(path).and_then(|about| Ok((about.len(), about.modified()?)));
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update(format!("{about:?}"));
    }
    hash.finalize().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn read_one(path: &Path, name: &str) -> std::io::Result<(ListBlocks, Vec<Diagnostic>)> {
    let file = std::fs::File::open(path)?;
    let is_cut = file.metadata()?.len() > FILE_BYTES;
    let mut file = file.take(FILE_BYTES);
    let mut piece = vec![0; PIECE];
    let mut reader: Option<ListReader> = None;
    let (mut writer, mut blocks) = (BlockWriter::new(), Vec::new());
    let mut found = |entry| blocks.extend(writer.push(&entry));
    loop {
        let length = file.read(&mut piece)?;
        let read = piece.get(..length).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        let format = || ListFormat::guess(&String::from_utf8_lossy(read));
        reader.get_or_insert_with(|| ListReader::new(name, format(), Defaults::default())).push(read, &mut found);
    }
    let mut diagnostics = reader.map(|mut reader| reader.finish(&mut found)).unwrap_or_default();
    if is_cut {
        let problem =
            format!("{}: longer than {FILE_BYTES} bytes, and what comes after them is not read", path.display());
        diagnostics.push(unreadable(name, &problem));
    }
    blocks.extend(writer.finish());
    let list = ListFacts {
        id: name.to_owned(),
        name: name.to_owned(),
        source: "a file of the installation".to_owned(),
        allow: false,
        confidence: None,
        severity: Severity::High,
        shared: true,
    };
    Ok((ListBlocks { list: Arc::new(list), blocks }, diagnostics))
}

fn unreadable(name: &str, problem: &str) -> Diagnostic {
    Diagnostic {
        severity: DiagnosticSeverity::Error,
        code: "unreadable-file",
        file: name.to_owned(),
        line: 0,
        column: 0,
        message: problem.to_owned(),
        fix: "check that the file exists, can be read by the server, and holds one list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use shieldops_detect::Block;

    use super::*;

    fn look(path: &Path, good: &mut Good) -> (usize, usize) {
        let files = read(&[path.to_owned()], good);
        let entries = files.lists.iter().flat_map(|list| &list.blocks).map(Block::len).sum();
        (entries, files.diagnostics.len())
    }

    #[test]
    fn of_a_file_that_is_gone_or_no_list_any_more_what_was_read_before_stays() {
        let (dir, mut good) = (tempfile::tempdir().unwrap(), Good::new());
        let path = dir.path().join("feed.txt");
        std::fs::write(&path, "203.0.113.7\nevil.example\n").unwrap();
        assert_eq!(look(&path, &mut good), (2, 0));
        std::fs::write(&path, "<html>\n<p>not found</p>\n").unwrap();
        let (entries, said) = look(&path, &mut good);
        assert!(entries == 2 && said > 0, "{entries} {said}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look(&path, &mut good), (2, 1));
        std::fs::write(&path, "203.0.113.8\n").unwrap();
        assert_eq!(look(&path, &mut good), (1, 0));
        std::fs::write(&path, "").unwrap();
        assert_eq!(look(&path, &mut good), (0, 0), "an empty list is one");
    }
}

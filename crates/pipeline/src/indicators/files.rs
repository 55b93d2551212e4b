//! The installation's files of indicators, which every tenant's events are looked up in.

use std::{
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

pub(super) fn read(paths: &[PathBuf]) -> Files {
    let mut files = Files::default();
    for path in paths {
        let name =
            path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned());
        match read_one(path, &name) {
            Ok((list, diagnostics)) => {
                files.lists.push(list);
                files.diagnostics.extend(diagnostics);
            }
            Err(error) => {
                files.diagnostics.push(unreadable(&name, &format!("{}: {error}", path.display())));
            }
        }
    }
    files
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
    let mut file = std::fs::File::open(path)?.take(FILE_BYTES);
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
    let diagnostics = reader.map(|mut reader| reader.finish(&mut found)).unwrap_or_default();
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
        fix: "check that the file exists and can be read by the server".to_owned(),
    }
}

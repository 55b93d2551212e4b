//! What to scan: files, folders walked in order, standard input.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// One thing to read.
#[derive(Debug)]
pub(super) struct Input {
    /// None is standard input.
    path: Option<PathBuf>,
    /// As it stands in findings.
    pub(super) name: String,
    /// In bytes; 0 where it is not known.
    pub(super) size: u64,
    /// When it was last written, in seconds since 1970.
    pub(super) modified: Option<i64>,
    /// Found in a folder: what is no log is passed over.
    pub(super) from_folder: bool,
}

impl Input {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.path {
            Some(path) => Ok(Box::new(fs::File::open(path)?)),
            None => Ok(Box::new(io::stdin())),
        }
    }
}

/// Folders deeper than this are not entered.
const MAX_DEPTH: usize = 64;

/// Everything under the paths, in order of name. A path that does not exist is an error before anything is read.
pub(super) fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, String> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input { path: None, name: "-".to_owned(), size: 0, modified: None, from_folder: false });
            continue;
        }
        let meta = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if meta.is_dir() {
            walk(path, 0, &mut inputs).map_err(|error| format!("{}: {error}", path.display()))?;
        } else {
            inputs.push(file(path.clone(), &meta, false));
        }
    }
    Ok(inputs)
}

/// Links are not followed: they could lead around in circles.
fn walk(folder: &Path, depth: usize, inputs: &mut Vec<Input>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let meta = entry.metadata()?;
        if meta.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), depth.saturating_add(1), inputs)?;
        } else if meta.is_file() {
            inputs.push(file(entry.path(), &meta, true));
        }
    }
    Ok(())
}

fn file(path: PathBuf, meta: &fs::Metadata, from_folder: bool) -> Input {
    use std::os::unix::fs::MetadataExt as _;
    let name = path.display().to_string();
    Input { path: Some(path), name, size: meta.len(), modified: Some(meta.mtime()), from_folder }
}

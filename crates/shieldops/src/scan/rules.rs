//! The rules of a scan: the built-in ones and those of folders in the layout of any Sigma repository. Files are read and
//! parsed by every core.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use shieldops_detect::{CompileOptions, CorrelationSet, Diagnostic, DiagnosticSeverity, Documents, RuleSet, parse};
use shieldops_pipeline::content::{file_problem, read_limited};

/// A file's name, and its text where it is not on disk.
type File<'t> = (String, Option<&'t str>);
type Read = (Documents, Vec<Diagnostic>);

/// What events are scanned with.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) set: RuleSet,
    pub(crate) correlations: Arc<CorrelationSet>,
    /// Why some of the rules cannot be used.
    pub(crate) complaints: Vec<String>,
}

/// What the files hold, before it is compiled.
pub(crate) struct Parsed {
    documents: Documents,
    diagnostics: Vec<Diagnostic>,
}

/// Loads every rule. Rules that cannot be used are said and left out; a folder without any rule is an error.
pub(crate) fn load(built_in: &[(&str, &str)], folders: &[PathBuf], options: &CompileOptions) -> Result<Loaded, String> {
    Ok(parsed(built_in, folders)?.compile(options))
}

/// Reads every rule.
pub(crate) fn parsed(built_in: &[(&str, &str)], folders: &[PathBuf]) -> Result<Parsed, String> {
    let mut files: Vec<File<'_>> = built_in.iter().map(|(name, text)| ((*name).to_owned(), Some(*text))).collect();
    let mut ends = vec![files.len()];
    for folder in folders {
        let mut found = Vec::new();
        rule_files(folder, 0, &mut found).map_err(|error| format!("{}: {error}", folder.display()))?;
        files.extend(found.into_iter().map(|file| (file.display().to_string(), None)));
        ends.push(files.len());
    }
    let (mut documents, mut diagnostics, mut rules) = (Documents::default(), Vec::new(), 0);
    let mut ends = ends.into_iter().zip(std::iter::once(None).chain(folders.iter().map(Some))).peekable();
    for (number, read) in read_all(&files).into_iter().enumerate() {
        usable(&mut ends, number, &mut rules)?;
        let (found, said) = read;
        rules += found.rules.len() + found.correlations.len();
        documents.extend([found]);
        diagnostics.extend(said);
    }
    usable(&mut ends, usize::MAX, &mut rules)?;
    Ok(Parsed { documents, diagnostics })
}

impl Parsed {
    pub(crate) fn compile(self, options: &CompileOptions) -> Loaded {
        let Self { documents, mut diagnostics } = self;
        let draft = CorrelationSet::draft(&documents);
        let (set, found) = RuleSet::compile(documents, options);
        diagnostics.extend(found);
        let (correlations, found) = draft.compile(&set);
        diagnostics.extend(found);
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == DiagnosticSeverity::Error);
        let complaints = errors.map(ToString::to_string).collect();
        Loaded { set, correlations: Arc::new(correlations), complaints }
    }
}

/// Complains of a folder that ended before file `number` and gave no rule.
fn usable<'f>(
    ends: &mut std::iter::Peekable<impl Iterator<Item = (usize, Option<&'f PathBuf>)>>,
    number: usize,
    rules: &mut usize,
) -> Result<(), String> {
    while let Some((_, folder)) = ends.next_if(|(end, _)| *end <= number) {
        let found = std::mem::take(rules);
        if let Some(folder) = folder.filter(|_| found == 0) {
            return Err(format!("{}: holds no usable Sigma rule (*.yml, *.yaml)", folder.display()));
        }
    }
    Ok(())
}

/// Every file read and parsed, in order.
fn read_all(files: &[File<'_>]) -> Vec<Read> {
    /// Files that a thread takes at once.
    const PIECE: usize = 16;
    let (next, read) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(files.len())));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len().div_ceil(PIECE)).max(1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Vec::new();
                loop {
                    let start = next.fetch_add(PIECE, Ordering::Relaxed);
                    let Some(piece) = files.get(start..files.len().min(start.saturating_add(PIECE))) else { break };
                    if piece.is_empty() {
                        break;
                    }
                    own.extend((start..).zip(piece).map(|(number, file)| (number, read_one(file))));
                }
                read.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
            });
        }
    });
    let mut read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
    read.sort_by_key(|(number, _)| *number);
    read.into_iter().map(|(_, read)| read).collect()
}

fn read_one((name, text): &File<'_>) -> Read {
    if let Some(text) = text {
        return parse(text, name);
    }
    read_file(Path::new(name))
}

/// What a file holds; one that is no text is said, and the others are read all the same.
pub(crate) fn read_file(path: &Path) -> (Documents, Vec<Diagnostic>) {
    let name = path.display().to_string();
    match read_limited(path) {
        Ok(text) => parse(&text, &name),
        Err(problem) => (Documents::default(), vec![file_problem(&name, &problem)]),
    }
}

/// Every `.yml` and `.yaml` under a folder, or the file itself, in order of name.
fn rule_files(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    const MAX_DEPTH: usize = 32;
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let yaml =
            path.extension().is_some_and(|name| name.eq_ignore_ascii_case("yml") || name.eq_ignore_ascii_case("yaml"));
        if kind.is_dir() && depth < MAX_DEPTH {
            rule_files(&path, depth.saturating_add(1), files)?;
        } else if kind.is_file() && yaml {
            files.push(path);
        }
    }
    Ok(())
}

//! The rules of a scan: the built-in ones and those of folders in the layout of any Sigma repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use shieldops_detect::{CompileOptions, Diagnostic, DiagnosticSeverity, Documents, RuleSet, parse};

/// Loads every rule. Rules that cannot be used are said and left out; a folder without any rule is an error.
pub(super) fn load(built_in: &[(&str, &str)], folders: &[PathBuf]) -> Result<(RuleSet, Vec<String>), String> {
    let (mut rules, mut diagnostics) = (Documents::default(), Vec::new());
    for (path, text) in built_in {
        take(parse(text, path), &mut rules, &mut diagnostics);
    }
    for folder in folders {
        let before = rules.rules.len();
        let mut files = Vec::new();
        rule_files(folder, 0, &mut files).map_err(|error| format!("{}: {error}", folder.display()))?;
        for file in files {
            let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            take(parse(&text, &file.display().to_string()), &mut rules, &mut diagnostics);
        }
        if rules.rules.len() == before {
            return Err(format!("{}: holds no usable Sigma rule (*.yml, *.yaml)", folder.display()));
        }
    }
    let (set, found) = RuleSet::compile(rules, &CompileOptions::default());
    diagnostics.extend(found);
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == DiagnosticSeverity::Error);
    Ok((set, errors.map(ToString::to_string).collect()))
}

fn take((found, said): (Documents, Vec<Diagnostic>), rules: &mut Documents, diagnostics: &mut Vec<Diagnostic>) {
    rules.extend([found]);
    diagnostics.extend(said);
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

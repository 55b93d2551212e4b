//! Processing pipelines from files, and the lists for placeholders beside them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use shieldops_detect::{CompileOptions, Diagnostic, DiagnosticSeverity, Pipeline, Placeholders};

/// Bytes of one file.
const MAX_BYTES: u64 = 8 * 1_024 * 1_024;

/// The options with these pipelines, and what is to be said of them. A pipeline that cannot be used is an error: rules
/// would silently be others.
pub(crate) fn options(
    files: &[PathBuf],
    mut options: CompileOptions,
) -> Result<(CompileOptions, Vec<Diagnostic>), String> {
    let mut said = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let (pipeline, found) = Pipeline::parse(&read(file)?, &name);
        let Some(pipeline) = pipeline else {
            let first = found.iter().find(|one| one.severity == DiagnosticSeverity::Error);
            return Err(first.map_or_else(|| format!("{name}: cannot be used"), ToString::to_string));
        };
        options.pipelines.push(pipeline);
        said.extend(found);
        let beside = file.parent().unwrap_or(Path::new("")).join("placeholders");
        for (name, values) in placeholders(&beside)? {
            options.placeholders.entry(name).or_insert(values);
        }
    }
    Ok((options, said))
}

/// `<name>.txt`: the values of a placeholder, one a line; `#` begins a comment. A folder that is not there has none.
fn placeholders(folder: &Path) -> Result<Placeholders, String> {
    let mut lists = Placeholders::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(lists) };
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let text = read(&path)?;
        let values = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lists.insert(name.to_owned(), values.map(str::to_owned).collect());
    }
    Ok(lists)
}

fn read(path: &Path) -> Result<String, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", path.display());
    let size = fs::metadata(path).map_err(problem)?.len();
    if size > MAX_BYTES {
        return Err(format!("{}: {size} bytes are over the limit of {MAX_BYTES}", path.display()));
    }
    fs::read_to_string(path).map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_come_with_the_lists_beside_them_and_a_bad_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("placeholders")).unwrap();
        fs::write(dir.path().join("placeholders/Admins.txt"), "# ours\nadm1\n\n adm2 \n").unwrap();
        let good = dir.path().join("p.yml");
        fs::write(&good, "name: p\ntransformations: [{type: case}]\n").unwrap();
        let (found, said) = options(&[good], CompileOptions::default()).unwrap();
        assert_eq!((found.pipelines.len(), said.len()), (1, 0));
        assert_eq!(*found.placeholders["Admins"], ["adm1", "adm2"]);
        let bad = dir.path().join("bad.yml");
        fs::write(&bad, "transformations: [{type: no}]\n").unwrap();
        let error = options(&[bad], CompileOptions::default()).unwrap_err();
        assert!(error.contains("bad.yml:1:19: error[unknown-transformation]"), "{error}");
        assert!(options(&[dir.path().join("none.yml")], CompileOptions::default()).is_err());
    }
}

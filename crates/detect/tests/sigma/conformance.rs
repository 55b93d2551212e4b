//! The public corpus: every active rule loads. What the rules match is proved in `tests/oracle`. The data lies outside of
//! this repository (`SHIELDOPS_SHARED`); without it the test says so and passes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use shieldops_detect::{CompileOptions, DiagnosticSeverity, Documents, RuleSet, lint, parse};

const ACTIVE: [&str; 5] =
    ["rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"];

fn shared() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("SHIELDOPS_SHARED").map_or_else(default, PathBuf::from);
    let has_tools = ["zstd", "tar"].iter().all(|tool| {
        Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    if root.join("data/detect/sigma-rules.tar.zst").exists() && has_tools {
        return Some(root);
    }
    eprintln!("SKIPPED: no detection data under {} (set SHIELDOPS_SHARED), or no zstd and tar", root.display());
    None
}

fn unpack(path: &Path) -> Vec<u8> {
    let output = Command::new("zstd").args(["-dc", "--long=27"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", path.display());
    output.stdout
}

/// The files of the rule archive: name and text.
fn rule_files(shared: &Path) -> Vec<(String, String)> {
    let dir = tempdir();
    let tar = dir.join("rules.tar");
    fs::write(&tar, unpack(&shared.join("data/detect/sigma-rules.tar.zst"))).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&dir).status().unwrap().success());
    let mut files = Vec::new();
    for folder in ACTIVE {
        walk(&dir.join(folder), &dir, &mut files);
    }
    fs::remove_dir_all(&dir).unwrap();
    files.sort();
    files
}

fn tempdir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("shieldops-detect-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn walk(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_active_rule_of_the_public_corpus_loads_without_an_error_of_parser_or_linter() {
    let Some(shared) = shared() else { return };
    let (mut documents, mut diagnostics) = (Documents::default(), Vec::new());
    for (name, text) in rule_files(&shared) {
        let (more, found) = parse(&text, &name);
        documents.extend([more]);
        diagnostics.extend(found);
    }
    let loaded = documents.rules.len();
    diagnostics.extend(lint::lint(&documents, &lint::Context::default()));
    let (set, found) = RuleSet::compile(documents, &CompileOptions::default());
    diagnostics.extend(found);
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for diagnostic in &diagnostics {
        *counts.entry((diagnostic.severity, diagnostic.code)).or_default() += 1;
    }
    eprintln!("{loaded} rules, diagnostics: {counts:?}");
    let errors = diagnostics.iter().filter(|d| d.severity == DiagnosticSeverity::Error);
    assert_eq!(errors.map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!((loaded, set.len()), (3_780, 3_780));
}

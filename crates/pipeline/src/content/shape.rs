//! How rules are fitted to the events of this installation: processing pipelines from folders, the lists for
//! placeholders beside them, and which mappings of field names are off.

use std::path::{Path, PathBuf};

use shieldops_detect::{CompileOptions, Diagnostic, FieldMap, Pipeline};

use super::files::{FILES, SourceFile, empty, file_problem, read_limited, walk};

#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Folders of `*.yml`; the lists of a folder are its `placeholders/<name>.txt`, one value a line.
    pub pipelines: Vec<PathBuf>,
    /// Names of shipped mappings that are not used.
    pub mappings_off: Vec<String>,
}

/// The folder of lists in a folder of pipelines.
const LISTS: &str = "placeholders";

impl Shape {
    pub(super) fn is_empty(&self) -> bool {
        self.pipelines.is_empty()
    }

    /// Whether a shipped mapping is not used.
    pub(super) fn is_off(&self, mapping: &str) -> bool {
        self.mappings_off.iter().any(|off| off == mapping)
    }

    /// Every file that this depends on.
    pub(super) fn gather(&self) -> Vec<SourceFile> {
        let mut files = Vec::new();
        for dir in &self.pipelines {
            let mut paths = Vec::new();
            if let Err(error) = walk(dir, &mut paths, 0) {
                files.push(SourceFile { problem: Some(format!("cannot read the directory: {error}")), ..empty(dir) });
            }
            paths.extend(lists(&dir.join(LISTS)));
            paths.sort();
            files.extend(paths.iter().map(|path| read(path)));
        }
        files
    }

    /// How rules are compiled with these files.
    pub(super) fn options(&self, files: &[SourceFile]) -> (CompileOptions, Vec<Diagnostic>) {
        let field_map = FieldMap::shipped_without(&self.mappings_off);
        let mut options = CompileOptions { field_map, ..CompileOptions::default() };
        let mut said = Vec::new();
        for file in files {
            if let Some(problem) = &file.problem {
                said.push(file_problem(&file.name, problem));
            } else if let Some(name) = file.name.strip_suffix(".txt") {
                let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned();
                let values = file.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                options.placeholders.insert(name, values.map(str::to_owned).collect());
            } else {
                let (pipeline, found) = Pipeline::parse(&file.text, &file.name);
                options.pipelines.extend(pipeline);
                said.extend(found);
            }
        }
        (options, said)
    }
}

fn lists(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ext| ext == "txt")).take(FILES).collect()
}

fn read(path: &Path) -> SourceFile {
    match read_limited(path) {
        Ok(text) => SourceFile { text, ..empty(path) },
        Err(problem) => SourceFile { problem: Some(problem), ..empty(path) },
    }
}

#[cfg(test)]
mod tests {
    use shieldops_store::rule_states::State;

    use super::{super::Content, *};

    const RULE: &str = "title: T\nid: r\nlevel: low\nlogsource: {product: linux}\n\
                        detection: {sel: {User|expand: '%Admins%'}, condition: sel}\n";

    #[test]
    fn pipelines_and_lists_shape_the_rules_and_a_change_of_them_is_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("rules/r.yml", RULE);
        write("pipelines/p.yml", "name: p\ntransformations: [{type: field_name_mapping, mapping: {User: u}}]\n");
        write("pipelines/placeholders/Admins.txt", "# ours\nroot\n");
        let shape = Shape { pipelines: vec![dir.path().join("pipelines")], mappings_off: vec!["ecs".to_owned()] };
        let content = Content::load_shaped(&[], vec![dir.path().join("rules")], shape, State::Enabled);
        let book = content.book();
        assert_eq!((book.diagnostics.len(), book.set.len()), (0, 1), "{:?}", book.diagnostics);
        let options = book.set.options();
        assert_eq!((options.pipelines.len(), &*options.placeholders["Admins"]), (1, &["root".to_owned()][..]));
        write("pipelines/bad.yml", "transformations: [{type: no}]\n");
        let book = content.reload();
        assert_eq!((book.failed(), book.set.options().pipelines.len()), (1, 1));
    }

    #[test]
    fn samples_are_tried_as_the_rule_runs_and_again_when_that_is_another_way() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("rules/r.yml", &RULE.replace("User|expand: '%Admins%'", "User|contains: root"));
        let line = |user: &str| {
            format!("Sep 20 10:15:02 web sshd[7]: Accepted password for {user} from 198.18.7.1 port 5 ssh2\n")
        };
        write("rules/match.ndjson", &line("root"));
        write("rules/miss.ndjson", &line("ann"));
        write("pipelines/p.yml", "name: p\ntransformations: [{type: field_name_mapping, mapping: {User: message}}]\n");
        let shape = Shape { pipelines: vec![dir.path().join("pipelines")], mappings_off: Vec::new() };
        let content = Content::load_shaped(&[], vec![dir.path().join("rules")], shape, State::Enabled);
        let tests = |content: &Content| content.reload().entries["r"].tests();
        assert_eq!(tests(&content), (2, 0), "the names are those of the pipeline");
        std::fs::remove_file(dir.path().join("pipelines/p.yml")).unwrap();
        assert_eq!(tests(&content), (1, 1));
    }
}

//! `shieldops rule lint`: what is wrong, and what is likely wrong, with files of rules, filters, correlations and
//! pipelines. Without a server.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use shieldops_detect::{
    CompileOptions, Diagnostic, DiagnosticSeverity, Documents, RuleSet,
    lint::{Context, Cost, cost, lint},
    parse,
};

use shieldops_pipeline::content::{file_problem, read_limited};

use super::{super::Outcome, read, walk};
use crate::{
    content::BUILT_IN,
    output::{self, Failure, Output, REFUSED},
    scan::pipelines,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct LintArgs {
    /// Files and folders of rules [default: the built-in rules].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A processing pipeline to apply; may be given several times.
    #[arg(long, value_name = "FILE")]
    pipeline: Vec<PathBuf>,
    /// Fields that sources have sent, one a line: rules that ask for others are told.
    #[arg(long, value_name = "FILE")]
    fields: Option<PathBuf>,
    /// Tell what is only worth knowing, too.
    #[arg(long)]
    all: bool,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    rules: usize,
    filters: usize,
    correlations: usize,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Diagnostic>,
    costs: Vec<RuleCost>,
}

#[derive(Debug, Serialize)]
struct RuleCost {
    rule_id: String,
    #[serde(flatten)]
    cost: Cost,
}

struct File {
    name: String,
    /// Or why it is none.
    text: Result<String, String>,
}

pub(super) fn run(args: &LintArgs) -> Outcome {
    let files = files(&args.paths)?;
    let seen = args.fields.as_deref().map(seen_fields).transpose()?;
    let (options, said) = pipelines::options(&args.pipeline, CompileOptions::default()).map_err(Failure::unusable)?;
    let report = examine(&files, &options, said, Context { seen_fields: seen.as_ref() }, args.all);
    match args.output {
        Output::Json => output::json(&report)?,
        Output::Table => print(&report, &files)?,
    }
    Ok(ExitCode::from(if report.errors == 0 { output::OK } else { REFUSED }))
}

fn files(paths: &[PathBuf]) -> Result<Vec<File>, Failure> {
    if paths.is_empty() {
        let own = BUILT_IN.iter().map(|rule| File { name: rule.file.to_owned(), text: Ok(rule.text.to_owned()) });
        return Ok(own.collect());
    }
    let mut files = Vec::new();
    for path in paths {
        let mut found = Vec::new();
        if path.is_dir() {
            walk(path, 0, &mut found).map_err(|error| {
                Failure::unusable(format!("{}: cannot be read", path.display())).why(error.to_string())
            })?;
        } else {
            found.push(path.clone());
        }
        for path in found {
            files.push(File { text: read_limited(&path), name: path.display().to_string() });
        }
    }
    if files.is_empty() {
        return Err(Failure::unusable("there is no file of rules").fix("name a folder with *.yml files in it"));
    }
    Ok(files)
}

fn seen_fields(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = read(path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn examine(files: &[File], options: &CompileOptions, said: Vec<Diagnostic>, context: Context<'_>, all: bool) -> Report {
    let mut documents = Documents::default();
    let mut diagnostics = said;
    for file in files {
        match &file.text {
            Ok(text) => {
                let (found, said) = parse(text, &file.name);
                documents.extend([found]);
                diagnostics.extend(said);
            }
            Err(problem) => diagnostics.push(file_problem(&file.name, problem)),
        }
    }
    diagnostics.extend(lint(&documents, &context));
    let costs = documents.rules.iter().map(|rule| RuleCost { rule_id: rule.id.clone(), cost: cost(rule) }).collect();
    let mut report = Report {
        rules: documents.rules.len(),
        filters: documents.filters.len(),
        correlations: documents.correlations.len(),
        costs,
        ..Report::default()
    };
    // The linter tells of ids that come twice, and of references, by itself.
    let (_, compiled) = RuleSet::compile(documents, options);
    let new: Vec<Diagnostic> =
        compiled.into_iter().filter(|said| said.code != "duplicate-id" && !diagnostics.contains(said)).collect();
    diagnostics.extend(new);
    let count = |severity| diagnostics.iter().filter(|said| said.severity == severity).count();
    report.errors = count(DiagnosticSeverity::Error);
    report.warnings = count(DiagnosticSeverity::Warning);
    diagnostics.retain(|said| all || said.severity != DiagnosticSeverity::Info);
    diagnostics.sort_by(|a, b| (&a.file, a.line, a.column, a.severity).cmp(&(&b.file, b.line, b.column, b.severity)));
    report.diagnostics = diagnostics;
    report
}

fn print(report: &Report, files: &[File]) -> Result<(), Failure> {
    for said in &report.diagnostics {
        let file = files.iter().find(|file| file.name == said.file);
        let text = file.and_then(|file| file.text.as_deref().ok()).unwrap_or_default();
        for line in shown(said, text).lines() {
            output::foreign_line(line)?;
        }
        output::line("")?;
    }
    let Report { rules, filters, correlations, errors, warnings, .. } = report;
    output::line(&format!(
        "{rules} rules, {filters} filters, {correlations} correlations: {errors} errors, {warnings} warnings"
    ))
}

/// As a compiler shows it: what, where, the line with a mark under the place, and what to do.
fn shown(said: &Diagnostic, text: &str) -> String {
    let mut out = format!("{}[{}]: {}\n", said.severity.as_str(), said.code, said.message);
    let number = said.line.to_string();
    let margin = " ".repeat(number.len());
    let _written = writeln!(out, "{margin}--> {}:{}:{}", said.file, said.line, said.column);
    let line = said.line.checked_sub(1).and_then(|line| text.lines().nth(line));
    if let Some(line) = line.filter(|line| line.chars().count() <= 400) {
        let before: String = line
            .chars()
            .take(said.column.saturating_sub(1))
            .map(|char| if char == '\t' { '\t' } else { ' ' })
            .collect();
        let _written = writeln!(out, "{margin} |\n{number} | {line}\n{margin} | {before}^");
    }
    if !said.fix.is_empty() {
        let _written = writeln!(out, "{margin} = help: {}", said.fix);
    }
    out
}

#[cfg(test)]
mod tests {
    use shieldops_detect::Pipeline;

    use super::*;

    fn file(text: &str) -> File {
        File { name: "r.yml".to_owned(), text: Ok(text.to_owned()) }
    }

    fn examined(text: &str, all: bool) -> Report {
        examine(&[file(text)], &CompileOptions::default(), Vec::new(), Context::default(), all)
    }

    #[test]
    fn the_built_in_rules_have_no_errors() {
        let report =
            examine(&files(&[]).ok().unwrap(), &CompileOptions::default(), Vec::new(), Context::default(), false);
        let errors = report.diagnostics.iter().filter(|said| said.severity == DiagnosticSeverity::Error);
        assert_eq!(errors.map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
        assert_eq!(report.costs.len(), report.rules);
    }

    #[test]
    fn what_is_wrong_is_shown_as_a_compiler_does() {
        let text = "title: T\nid: r\nlevel: low\nlogsource: {product: linux}\ndetection:\n  sel: {f|contain: a}\n  condition: sel\n";
        let report = examined(text, false);
        assert_eq!((report.errors, report.rules), (1, 0));
        let shown = shown(&report.diagnostics[0], text);
        assert_eq!(
            shown,
            "error[unknown-modifier]: there is no modifier `contain`\n --> r.yml:6:11\n  |\n6 |   sel: {f|contain: a}\n  |           ^\n  = help: Did you mean `contains`?\n"
        );
    }

    #[test]
    fn a_file_that_is_no_text_is_said_and_the_others_are_read_all_the_same() {
        let good =
            "title: T\nid: r\nlevel: low\nlogsource: {product: linux}\ndetection:\n  sel: {f: a}\n  condition: sel\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.yml"), b"\xff\xfe\x00bad").unwrap();
        std::fs::write(folder.path().join("good.yml"), good).unwrap();
        let files = files(&[folder.path().to_owned()]).ok().unwrap();
        let report = examine(&files, &CompileOptions::default(), Vec::new(), Context::default(), false);
        assert_eq!((report.errors, report.rules), (1, 1));
        assert_eq!(report.diagnostics[0].code, "unreadable-file");
        assert!(report.diagnostics[0].file.ends_with("bad.yml"));
    }

    #[test]
    fn a_placeholder_that_a_pipeline_has_values_for_is_not_told() {
        let text = "title: T\nid: 0ede835e-f44f-40a5-b586-661d2763ac4c\nlevel: low\nlogsource: {product: linux}\ndetection:\n  sel: {user|expand: '%Admins%'}\n  condition: sel\n";
        let alone = examined(text, false);
        assert_eq!(alone.diagnostics.iter().map(|said| said.code).collect::<Vec<_>>(), ["unresolved-placeholder"]);
        assert!(alone.diagnostics[0].message.contains("`%Admins%`"), "{}", alone.diagnostics[0].message);
        let (pipeline, _) = Pipeline::parse("name: p\nvars: {Admins: [ann]}\ntransformations: []\n", "p.yml");
        let options = CompileOptions { pipelines: vec![pipeline.unwrap()], ..CompileOptions::default() };
        let with = examine(&[file(text)], &options, Vec::new(), Context::default(), false);
        assert!(with.diagnostics.is_empty(), "{:?}", with.diagnostics);
    }

    #[test]
    fn what_is_only_worth_knowing_is_told_when_asked_for() {
        let text =
            "title: T\nid: r\nlevel: low\nlogsource: {product: linux}\ndetection:\n  kw: [evil]\n  condition: kw\n";
        assert!(examined(text, false).diagnostics.is_empty());
        assert_eq!(
            examined(text, true).diagnostics.iter().map(|said| said.code).collect::<Vec<_>>(),
            ["id-no-uuid", "medium-rule"]
        );
    }
}

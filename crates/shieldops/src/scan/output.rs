//! How findings are written: a timeline with colours for people, JSON, NDJSON and CSV for programs.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write},
};

use anstyle::{AnsiColor, Color, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use shieldops_model::Severity;

use super::{
    Output,
    find::{Finding, Found},
};

/// Writes the findings to standard output, and for people the summary to standard error.
pub(super) fn write(found: &Found, rules: usize, output: Output) -> io::Result<()> {
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match output {
        Output::Table => table(found, rules, &mut out)?,
        Output::Ndjson => {
            for finding in &found.findings {
                json_line(finding, &mut out)?;
            }
        }
        Output::Json => json_line(&Whole::of(found, rules), &mut out)?,
        Output::Csv => csv(found, &mut out)?,
    }
    out.flush()
}

#[derive(Serialize)]
struct Whole<'a> {
    findings: &'a [Finding],
    problems: &'a [String],
    files: u64,
    events: u64,
    rules: usize,
}

impl<'a> Whole<'a> {
    fn of(found: &'a Found, rules: usize) -> Self {
        Self { findings: &found.findings, problems: &found.problems, files: found.files, events: found.events, rules }
    }
}

fn json_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn csv(found: &Found, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([
        "time",
        "rule.level",
        "rule.id",
        "rule.title",
        "source.file",
        "source.record",
        "host",
        "user",
        "src_ip",
    ])?;
    for finding in &found.findings {
        let text = |value: &Option<String>| value.as_deref().map(cell).unwrap_or_default();
        writer.write_record([
            finding.time.map(|time| time.to_string()).unwrap_or_default(),
            finding.rule.level.as_str().to_owned(),
            cell(&finding.rule.id),
            cell(&finding.rule.title),
            cell(&finding.source.file),
            finding.source.record.to_string(),
            text(&finding.host),
            text(&finding.user),
            text(&finding.src_ip),
        ])?;
    }
    writer.flush()
}

/// A cell that no spreadsheet takes for a formula: names come from attackers.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// The timeline: time, level, what, and where it stands.
fn table(found: &Found, rules: usize, out: &mut impl Write) -> io::Result<()> {
    for finding in &found.findings {
        let time = finding.time.map_or_else(|| "no time".to_owned(), |time| time.to_string());
        let time = time.get(..19).unwrap_or(&time).replace('T', " ");
        let level = style(finding.rule.level);
        let about = [&finding.host, &finding.user, &finding.src_ip].into_iter().flatten().map(|text| printable(text));
        let about = about.collect::<Vec<_>>().join(" ");
        writeln!(
            out,
            "{DIM}{time:<19}{DIM:#}  {level}{:<13}{level:#}  {BOLD}{}{BOLD:#}  {about}  {DIM}{}:{}{DIM:#}",
            finding.rule.level.as_str(),
            printable(&finding.rule.title),
            printable(&finding.source.file),
            finding.source.record,
        )?;
    }
    if !found.findings.is_empty() {
        writeln!(out)?;
    }
    by_rule(found, out)?;
    writeln!(out, "{}", summary(found, rules))
}

/// The rules that matched, the worst and most frequent first.
fn by_rule(found: &Found, out: &mut impl Write) -> io::Result<()> {
    let mut rules: BTreeMap<(&str, &str), (Severity, usize)> = BTreeMap::new();
    for finding in &found.findings {
        let entry = rules.entry((&finding.rule.id, &finding.rule.title)).or_insert((finding.rule.level, 0));
        entry.1 = entry.1.saturating_add(1);
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for ((_, title), (level, count)) in rules {
        let style = style(level);
        writeln!(out, "{count:>8}  {style}{:<13}{style:#}  {}", level.as_str(), printable(title))?;
    }
    Ok(())
}

fn summary(found: &Found, rules: usize) -> String {
    let count = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let findings = u64::try_from(found.findings.len()).unwrap_or(u64::MAX);
    let rules = u64::try_from(rules).unwrap_or(u64::MAX);
    let mut text = format!(
        "{} in {} of {}, checked with {}",
        count(findings, "finding"),
        count(found.events, "event"),
        count(found.files, "file"),
        count(rules, "rule"),
    );
    if found.passed_over > 0 {
        text = format!("{text}; {} passed over: no log", count(found.passed_over, "file"));
    }
    if !found.problems.is_empty() {
        text.push_str("; not everything could be read or counted");
    }
    text
}

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

fn style(level: Severity) -> Style {
    let colour = |colour| Style::new().fg_color(Some(Color::Ansi(colour)));
    match level {
        Severity::Critical => colour(AnsiColor::BrightRed).bold(),
        Severity::High => colour(AnsiColor::Red),
        Severity::Medium => colour(AnsiColor::Yellow),
        Severity::Low => colour(AnsiColor::Cyan),
        Severity::Informational => Style::new().dimmed(),
    }
}

/// Text without control characters: a log line must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What went wrong without ending the scan.
pub(super) fn warn(text: &str) {
    say("warning", AnsiColor::Yellow, text);
}

/// What ended the scan.
pub(super) fn complain(text: &str) {
    say("error", AnsiColor::Red, text);
}

fn say(word: &str, colour: AnsiColor, text: &str) {
    let style = Style::new().fg_color(Some(Color::Ansi(colour))).bold();
    let mut err = anstream::stderr().lock();
    if writeln!(err, "{style}{word}{style:#}: {}", printable(text)).is_err() {
        // Nobody reads standard error: the exit code says it, too.
    }
}

/// A progress bar in bytes; none where nobody looks at it.
pub(super) fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(5));
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    match ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

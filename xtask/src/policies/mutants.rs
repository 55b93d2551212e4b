//! The mutants of a policy, by its text: a condition negated, a line dropped, a constant changed. What a policy says to
//! people (`detail`, `why`, `what`) is not mutated, and neither are names.

use std::fmt;

use shieldops_policy::suite;

/// Operators and words, and what they become.
const SWAPS: &[(&str, &str)] = &[
    (" == ", " != "),
    (" != ", " == "),
    (" > ", " >= "),
    (" >= ", " > "),
    (" < ", " <= "),
    (" <= ", " < "),
    (" | ", " & "),
    (" + ", " - "),
    (" - ", " + "),
    ("true", "false"),
    ("false", "true"),
    ("max(", "min("),
    ("min(", "max("),
    ("every ", "some "),
];

pub(super) struct Mutant {
    pub(super) file: String,
    /// From 0.
    line: usize,
    was: String,
    /// `None`: dropped.
    becomes: Option<String>,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let becomes = self.becomes.as_deref().map_or("nothing", str::trim);
        write!(f, "{}:{}  {}  ->  {becomes}", self.file, self.line + 1, self.was.trim())
    }
}

impl Mutant {
    /// The files, one of them with this mutant.
    pub(super) fn applied(&self, files: &[(String, String)]) -> Vec<(String, String)> {
        let mut files = files.to_vec();
        for (_, text) in files.iter_mut().filter(|(name, _)| *name == self.file) {
            let lines =
                text.lines().enumerate().filter_map(|(place, line)| match (place == self.line, &self.becomes) {
                    (false, _) => Some(line),
                    (true, becomes) => becomes.as_deref(),
                });
            *text = lines.collect::<Vec<_>>().join("\n") + "\n";
        }
        files
    }
}

/// All mutants of the policies among these files, in order.
pub(super) fn of(files: &[(String, String)]) -> Vec<Mutant> {
    let mut all = Vec::new();
    for (file, text) in files.iter().filter(|(name, _)| !suite::is_test(name)) {
        for (place, line) in text.lines().enumerate().filter(|(_, line)| is_code(line)) {
            let mut add = |becomes: Option<String>| {
                if becomes.as_deref() != Some(line) {
                    all.push(Mutant { file: file.clone(), line: place, was: line.to_owned(), becomes });
                }
            };
            if is_statement(line) {
                add(None);
            }
            add(Some(negated(line)));
            swapped(line).into_iter().chain(constants(line)).for_each(|becomes| add(Some(becomes)));
        }
    }
    all
}

fn is_code(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty()
        && !["#", "package ", "import "].iter().any(|start| text.starts_with(start))
        && !"})]".contains(text)
}

/// One whole line of a body, or of a list that is written out.
fn is_statement(line: &str) -> bool {
    line.starts_with('\t') && !line.ends_with(['{', '[', '(', '|']) && !line.trim().starts_with(['}', ']', ')'])
}

/// The condition the other way round; the line itself where there is none.
fn negated(line: &str) -> String {
    let text = line.trim_start();
    if let Some((head, condition)) = line.split_once(" if ").filter(|(_, condition)| !condition.starts_with('{')) {
        let condition = condition.strip_prefix("not ").map_or_else(|| format!("not {condition}"), str::to_owned);
        return format!("{head} if {condition}");
    }
    if !is_statement(line) || text.starts_with("some ") || text.contains(" := ") || text.starts_with('"') {
        return line.to_owned();
    }
    text.strip_prefix("not ").map_or_else(|| format!("\tnot {text}"), |rest| format!("\t{rest}"))
}

/// Each operator changed, one at a time.
fn swapped(line: &str) -> Vec<String> {
    let code = without_words(line);
    let mut all = Vec::new();
    for (from, to) in SWAPS {
        for (place, _) in code.match_indices(from) {
            all.extend(replaced(line, place, from.len(), to));
        }
    }
    all
}

/// Each number and each string changed, one at a time.
fn constants(line: &str) -> Vec<String> {
    let code = without_words(line);
    let mut all = Vec::new();
    let mut digits = String::new();
    let mut inside: Option<usize> = None;
    for (place, letter) in code.char_indices().chain([(code.len(), ' ')]) {
        match (letter, inside) {
            ('"', None) => inside = Some(place),
            ('"', Some(start)) => {
                inside = None;
                if place > start + 1 && !code.get(place..).is_some_and(|rest| rest.starts_with("\":")) {
                    all.extend(replaced(line, place, 0, "~"));
                }
            }
            (digit, None) if digit.is_ascii_digit() => digits.push(digit),
            _ => {
                let start = place - digits.len();
                let name =
                    code.get(..start).is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
                if let Ok(number) = digits.parse::<u64>()
                    && inside.is_none()
                    && !name
                {
                    all.extend(replaced(line, start, digits.len(), &(number + 1).to_string()));
                }
                digits.clear();
            }
        }
    }
    all
}

/// The line with what it says to people blanked out, as long as before.
fn without_words(line: &str) -> String {
    let start = ["\"detail\":", "\"why\":", "\"what\":"].iter().filter_map(|key| line.find(key)).min();
    let Some(start) = start else { return line.to_owned() };
    let end = line.rfind("} if").or_else(|| line.rfind('}')).filter(|end| *end > start).unwrap_or(line.len());
    let blank =
        |from: usize, to: usize| line.get(from..to).unwrap_or_default().chars().map(|_| ' ').collect::<String>();
    format!("{}{}{}", line.get(..start).unwrap_or_default(), blank(start, end), line.get(end..).unwrap_or_default())
}

fn replaced(line: &str, place: usize, length: usize, with: &str) -> Option<String> {
    Some(format!("{}{with}{}", line.get(..place)?, line.get(place + length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(text: &str) -> Vec<String> {
        of(&[("p.rego".to_owned(), text.to_owned())]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn conditions_lines_operators_and_constants_are_mutated_and_words_are_not() {
        assert_eq!(
            mutants(
                "package p\n\n# 1 == 1\ndeny contains {\"code\": \"x\", \"detail\": \"1 > 2\"} if {\n\tsome a in b\n\ta.n > 10\n}\n\nc if not d\n"
            ),
            [
                "p.rego:4  deny contains {\"code\": \"x\", \"detail\": \"1 > 2\"} if {  ->  deny contains {\"code\": \"x~\", \"detail\": \"1 > 2\"} if {",
                "p.rego:5  some a in b  ->  nothing",
                "p.rego:6  a.n > 10  ->  nothing",
                "p.rego:6  a.n > 10  ->  not a.n > 10",
                "p.rego:6  a.n > 10  ->  a.n >= 10",
                "p.rego:6  a.n > 10  ->  a.n > 11",
                "p.rego:9  c if not d  ->  c if d",
            ]
        );
    }

    #[test]
    fn a_mutant_changes_one_line_of_one_file() {
        let files = [
            ("p.rego".to_owned(), "package p\n\na := 1\n".to_owned()),
            ("q.rego".to_owned(), "package q\n".to_owned()),
        ];
        let one = &of(&files)[0];
        assert_eq!(one.applied(&files), [("p.rego".to_owned(), "package p\n\na := 2\n".to_owned()), files[1].clone()]);
    }
}

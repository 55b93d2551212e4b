//! Texts of which one must stand in whatever a regular expression matches, without regard to case.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Texts of one expression.
const MAX_TEXTS: usize = 64;
/// Texts that choices within one run may make.
const MAX_FORMS: usize = 12;
/// A shorter text says too little.
const MIN_BYTES: usize = 2;

/// Lower-case ASCII texts, one of which every match that is ASCII holds; `None` where there are no good ones.
pub(crate) fn required(expression: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::Parser::new().parse(expression).ok()?;
    let texts = alternatives(&hir, 0)?;
    texts.iter().all(|text| text.len() >= MIN_BYTES && text.is_ascii()).then_some(texts)
}

/// Nesting that is looked into.
const MAX_DEPTH: usize = 24;

fn alternatives(hir: &Hir, depth: usize) -> Option<Vec<String>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let deeper = depth.saturating_add(1);
    match hir.kind() {
        HirKind::Capture(capture) => alternatives(&capture.sub, deeper),
        HirKind::Repetition(repetition) if repetition.min >= 1 => alternatives(&repetition.sub, deeper),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(alternatives(part, deeper)?);
                if all.len() > MAX_TEXTS {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Concat(parts) => best_of(parts, deeper),
        _ => text_of(hir, depth).filter(|text| !text.is_empty()).map(|text| vec![text]),
    }
}

/// The part of a sequence that says most: neighbouring texts are one, and a choice of few letters makes several.
fn best_of(parts: &[Hir], depth: usize) -> Option<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut run = vec![String::new()];
    for part in parts {
        let choice = text_of(part, depth).map(|text| vec![text]).or_else(|| letters(part));
        if let Some(texts) = choice.filter(|texts| texts.len().saturating_mul(run.len()) <= MAX_FORMS) {
            run = run.iter().flat_map(|head| texts.iter().map(move |text| format!("{head}{text}"))).collect();
            continue;
        }
        if run.first().is_some_and(|text| !text.is_empty()) {
            found.push(std::mem::take(&mut run));
        }
        run = vec![String::new()];
        found.extend(alternatives(part, depth));
    }
    if run.first().is_some_and(|text| !text.is_empty()) {
        found.push(run);
    }
    let shortest = |texts: &Vec<String>| texts.iter().map(String::len).min().unwrap_or(0);
    // A longer shortest text first, then fewer of them.
    found.into_iter().max_by_key(|texts| (shortest(texts).min(12), std::cmp::Reverse(texts.len())))
}

/// The letters of a small class, in lower case.
fn letters(hir: &Hir) -> Option<Vec<String>> {
    let class = match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => class,
        HirKind::Capture(capture) => return letters(&capture.sub),
        _ => return None,
    };
    let chars: Vec<char> = class.iter().flat_map(|range| range.start()..=range.end()).take(9).collect();
    let mut letters: Vec<String> = chars.iter().map(|char| lower(*char).map(String::from)).collect::<Option<_>>()?;
    letters.sort();
    letters.dedup();
    (chars.len() < 9).then_some(letters)
}

/// The one text, but for case, that the expression matches.
fn text_of(hir: &Hir, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    let deeper = depth.saturating_add(1);
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_lowercase),
        HirKind::Class(Class::Unicode(class)) => {
            let mut chars = class.iter().flat_map(|range| range.start()..=range.end()).take(5);
            let first = lower(chars.next()?)?;
            let mut count = 1_usize;
            for char in chars {
                count = count.saturating_add(1);
                if lower(char)? != first {
                    return None;
                }
            }
            (count < 5).then(|| first.to_string())
        }
        HirKind::Capture(capture) => text_of(&capture.sub, deeper),
        HirKind::Repetition(repetition) if repetition.min == 1 && repetition.max == Some(1) => {
            text_of(&repetition.sub, deeper)
        }
        HirKind::Concat(parts) => parts.iter().map(|part| text_of(part, deeper)).collect(),
        _ => None,
    }
}

/// The ASCII letter that a member of a case class stands for.
fn lower(char: char) -> Option<char> {
    match char {
        '\u{17f}' => Some('s'),
        '\u{212a}' => Some('k'),
        char => char.is_ascii().then(|| char.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_holds_one_of_the_texts() {
        let table: [(&str, Option<&[&str]>); 10] = [
            ("(?i)powershell.*-enc", Some(&["powershell"])),
            ("foo|barbaz", Some(&["foo", "barbaz"])),
            ("[0-9]{4}", None),
            ("a.{3,}(?:hello|world1)x?", Some(&["hello", "world1"])),
            ("(abc)+d", Some(&["abc"])),
            ("-(W|R)x?", Some(&["-r", "-w"])),
            ("(?:abc)?d", None),
            (r"\\pipe\\", Some(&[r"\pipe\"])),
            ("ümlaut", None),
            ("(?i)sk1p", Some(&["sk1p"])),
        ];
        for (expression, expected) in table {
            let expected = expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            assert_eq!(required(expression), expected, "{expression}");
        }
    }
}

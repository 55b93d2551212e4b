//! The difference of two texts, line by line. Pure.

use serde::Serialize;
use utoipa::ToSchema;

/// Cells of the table of the longest common part; texts that would need more are shown as all removed and all added.
const CELLS: usize = 4_000_000;
/// Equal lines around a change.
const AROUND: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleDiffKind)]
pub(crate) enum Kind {
    Same,
    Added,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RuleDiffLine)]
pub(crate) struct DiffLine {
    kind: Kind,
    /// Its number in the old text and in the new one, from 1.
    old: Option<usize>,
    new: Option<usize>,
    text: String,
}

/// Every line of both texts, in order.
pub(crate) fn lines(old: &str, new: &str) -> Vec<DiffLine> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let mut found = Lines { old: 0, new: 0, found: Vec::with_capacity(old.len() + new.len()) };
    old.iter().take(head).for_each(|line| found.push(Kind::Same, line));
    found.middle(middle(&old, head, tail), middle(&new, head, tail));
    old.iter().skip(old.len() - tail).for_each(|line| found.push(Kind::Same, line));
    found.found
}

fn middle<'a, 'b>(lines: &'a [&'b str], head: usize, tail: usize) -> &'a [&'b str] {
    lines.get(head..lines.len().saturating_sub(tail)).unwrap_or_default()
}

struct Lines {
    old: usize,
    new: usize,
    found: Vec<DiffLine>,
}

impl Lines {
    fn push(&mut self, kind: Kind, text: &str) {
        self.old += usize::from(kind != Kind::Added);
        self.new += usize::from(kind != Kind::Removed);
        let old = (kind != Kind::Added).then_some(self.old);
        let new = (kind != Kind::Removed).then_some(self.new);
        self.found.push(DiffLine { kind, old, new, text: text.to_owned() });
    }

    fn middle(&mut self, old: &[&str], new: &[&str]) {
        let common = common(old, new);
        let (mut a, mut b) = (0, 0);
        for (at_old, at_new) in common.into_iter().chain([(old.len(), new.len())]) {
            old.iter().take(at_old).skip(a).for_each(|line| self.push(Kind::Removed, line));
            new.iter().take(at_new).skip(b).for_each(|line| self.push(Kind::Added, line));
            if let Some(line) = old.get(at_old) {
                self.push(Kind::Same, line);
            }
            (a, b) = (at_old + 1, at_new + 1);
        }
    }
}

/// The places of a longest common part.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > CELLS {
        return Vec::new();
    }
    let mut table = vec![0_u32; (old.len() + 1) * width];
    let cell = |table: &[u32], a: usize, b: usize| table.get(a * width + b).copied().unwrap_or(0);
    for (a, left) in old.iter().enumerate().rev() {
        for (b, right) in new.iter().enumerate().rev() {
            let best = if left == right {
                cell(&table, a + 1, b + 1) + 1
            } else {
                cell(&table, a + 1, b).max(cell(&table, a, b + 1))
            };
            if let Some(place) = table.get_mut(a * width + b) {
                *place = best;
            }
        }
    }
    let (mut a, mut b, mut found) = (0, 0, Vec::new());
    while let (Some(left), Some(right)) = (old.get(a), new.get(b)) {
        if left == right {
            found.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if cell(&table, a + 1, b) >= cell(&table, a, b + 1) {
            a += 1;
        } else {
            b += 1;
        }
    }
    found
}

/// The changes with what stands around them, as `diff -u` writes them.
pub(crate) fn unified(lines: &[DiffLine], from: &str, to: &str) -> String {
    let near = |at: usize| {
        let around = lines.get(at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len())).unwrap_or_default();
        around.iter().any(|line| line.kind != Kind::Same)
    };
    let shown: Vec<usize> = (0..lines.len()).filter(|at| near(*at)).collect();
    let mut text = String::new();
    if shown.is_empty() {
        return text;
    }
    text.extend([format!("--- {from}\n+++ {to}\n")]);
    for hunk in shown.chunk_by(|a, b| a + 1 == *b) {
        let hunk: Vec<&DiffLine> = hunk.iter().filter_map(|at| lines.get(*at)).collect();
        let span = |number: fn(&DiffLine) -> Option<usize>| {
            let numbers: Vec<usize> = hunk.iter().filter_map(|line| number(line)).collect();
            format!("{},{}", numbers.first().copied().unwrap_or(0), numbers.len())
        };
        text.extend([format!("@@ -{} +{} @@\n", span(|line| line.old), span(|line| line.new))]);
        for line in hunk {
            let mark = match line.kind {
                Kind::Same => ' ',
                Kind::Added => '+',
                Kind::Removed => '-',
            };
            text.push(mark);
            text.push_str(&line.text);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        unified(&lines(old, new), "1", "2")
    }

    #[test]
    fn equal_texts_differ_in_nothing() {
        assert_eq!(shown("a\nb\n", "a\nb\n"), "");
        assert_eq!(shown("", ""), "");
    }

    #[test]
    fn changes_stand_with_three_lines_around_them() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\nj\n";
        let want = "--- 1\n+++ 2\n@@ -2,8 +2,9 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n i\n+j\n";
        assert_eq!(shown(old, new), want);
    }

    #[test]
    fn both_texts_can_be_made_again_from_the_lines() {
        for (old, new) in [("a\nb\nc", "b\nx\nc\ny"), ("", "a"), ("a", ""), ("a\na\na", "a\na"), ("x\ny", "y\nx")] {
            let lines = lines(old, new);
            let side = |other: Kind| {
                let kept: Vec<&str> =
                    lines.iter().filter(|line| line.kind != other).map(|line| line.text.as_str()).collect();
                kept.join("\n")
            };
            assert_eq!((side(Kind::Added).as_str(), side(Kind::Removed).as_str()), (old, new));
        }
    }

    #[test]
    fn texts_too_long_to_compare_are_all_removed_and_all_added() {
        let long = |word: &str| {
            let lines: Vec<String> = (0..3_000).map(|number| format!("{word}{number}\n")).collect();
            lines.concat()
        };
        let lines = lines(&long("a"), &long("b"));
        assert_eq!((lines.len(), lines[0].kind, lines[5_999].kind), (6_000, Kind::Removed, Kind::Added));
    }
}

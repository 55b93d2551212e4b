//! Entries as lines: of JSON, or of a table that a spreadsheet opens. Text in entries may be an attacker's: a cell that a
//! spreadsheet would run as a formula is made plain text (RFC 4180, with an apostrophe before `=`, `+`, `-`, `@`, tab and
//! carriage return). One that is longer than a spreadsheet's cells ends with a word that says so: a spreadsheet would cut it
//! or spill it into other cells without one.

use serde_json::Value;
use shieldops_store::ledger::Entry;

/// Of a cell in the usual spreadsheets, in units of UTF-16.
const LONGEST: usize = 32_767;
/// What is left of a longer one, so that there is room to say so.
const KEPT: usize = 32_600;

pub(super) const HEAD: &str = "seq,time,kind,actor,actor_name,subjects,payload,hash";

/// One entry as a row, without the end of its line.
pub(super) fn row(entry: &Entry) -> String {
    let payload = if entry.payload == Value::Null { String::new() } else { entry.payload.to_string() };
    let cells = [
        entry.seq.to_string(),
        entry.time.to_string(),
        entry.kind.clone(),
        entry.actor.clone(),
        entry.actor_name.clone(),
        entry.subjects.join(" "),
        payload,
        entry.hash.clone(),
    ];
    cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(",")
}

fn cell(text: &str) -> String {
    let plain = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    let plain = fitting(plain);
    if plain.contains([',', '"', '\n', '\r']) { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
}

fn fitting(text: String) -> String {
    // Fewer bytes than that are fewer units.
    if text.len() <= LONGEST {
        return text;
    }
    let mut units = 0_usize;
    let mut ends = text.char_indices().map(|(at, char)| {
        units += char.len_utf16();
        (at, units)
    });
    let cut = ends.find(|(_, units)| *units > KEPT).map(|(at, _)| at);
    let longer = ends.any(|(_, units)| units > LONGEST);
    match cut.filter(|_| longer) {
        Some(cut) => {
            let kept = text.get(..cut).unwrap_or_default();
            format!("{kept}... (cut here: {} bytes in all; whole with format=ndjson)", text.len())
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_longer_than_a_spreadsheets_and_says_so_where_it_was() {
        for (text, whole) in [
            ("x".repeat(LONGEST), true),
            ("x".repeat(LONGEST + 1), false),
            ("é".repeat(LONGEST), true),
            ("é".repeat(LONGEST + 1), false),
            ("😀".repeat(LONGEST / 2), true),
            ("😀".repeat(LONGEST), false),
        ] {
            let cell = cell(&text);
            assert!(cell.encode_utf16().count() <= LONGEST, "{}", cell.len());
            assert_eq!(cell == text, whole, "{} of {}", cell.len(), text.len());
            let said = format!("... (cut here: {} bytes in all; whole with format=ndjson)", text.len());
            assert_eq!(cell.ends_with(&said), !whole);
        }
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_its_row() {
        for (text, wanted) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+a", "'+a"),
            ("-a", "'-a"),
            ("\tx", "'\tx"),
            ("a,b", "\"a,b\""),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("two\nlines", "\"two\nlines\""),
            ("ann", "ann"),
        ] {
            assert_eq!(cell(text), wanted);
        }
    }
}

//! Entries as lines: of JSON, or of a table that a spreadsheet opens. Text in entries may be an attacker's: a cell that a
//! spreadsheet would run as a formula is made plain text (RFC 4180, with an apostrophe before `=`, `+`, `-`, `@`, tab and
//! carriage return).

use serde_json::Value;
use shieldops_store::ledger::Entry;

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
    if plain.contains([',', '"', '\n', '\r']) { format!("\"{}\"", plain.replace('"', "\"\"")) } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

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

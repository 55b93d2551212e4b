//! IBM's Log Event Extended Format 1.0 and 2.0: `LEEF:1.0|vendor|product|version|event|` and attributes divided by tabs;
//! 2.0 names another divider in one more field, as a character or as `x5E` or `0x5E`. The format has no escapes: a value ends at
//! the next divider and may hold `=`.

use super::{
    device::Device,
    flat::{Field, Flat},
};

pub(crate) const START: &str = "LEEF:";

/// How relays write a tab that they may not pass on.
const RELAYED_TAB: &str = "#011";

/// Puts header and attributes into the fields. The error says what the header lacks.
pub(crate) fn read<'a>(rest: &'a str, flat: &mut Flat<'a>) -> Result<Device, &'static str> {
    let parts = Parts::of(rest).ok_or("a LEEF header has five fields, each ended by `|`")?;
    let [version, vendor, product, device_version, event] = parts.header;
    flat.put_text("leefVersion", version);
    flat.put_text("deviceVendor", vendor);
    flat.put_text("deviceProduct", product);
    flat.put_text("deviceVersion", device_version);
    flat.put("eventId", Field::scalar(event));
    for (key, value) in parts.attributes() {
        flat.put(key, Field::scalar(value));
    }
    Ok(Device { vendor: vendor.to_owned(), product: product.to_owned() })
}

/// The attributes, for whom only some matter.
pub(crate) fn attributes(rest: &str) -> Vec<(&str, &str)> {
    Parts::of(rest).map_or_else(Vec::new, |parts| parts.attributes().collect())
}

struct Parts<'a> {
    header: [&'a str; 5],
    body: &'a str,
    divider: Divider,
}

#[derive(Clone, Copy)]
enum Divider {
    Char(char),
    RelayedTab,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (version, rest) = text.split_once('|')?;
        let (vendor, rest) = rest.split_once('|')?;
        let (product, rest) = rest.split_once('|')?;
        let (device_version, rest) = rest.split_once('|')?;
        // An event without attributes may end with its name.
        let (event, rest) = rest.split_once('|').unwrap_or((rest, ""));
        let version = version.trim();
        let named = if version.starts_with('2') { named_divider(rest) } else { None };
        let (divider, body) = named.unwrap_or(('\t', rest));
        let relayed = divider == '\t' && !body.contains('\t') && body.contains(RELAYED_TAB);
        let divider = if relayed { Divider::RelayedTab } else { Divider::Char(divider) };
        Some(Self { header: [version, vendor, product, device_version, event], body, divider })
    }

    fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pieces: Box<dyn Iterator<Item = &'a str>> = match self.divider {
            Divider::Char(divider) => Box::new(self.body.split(divider)),
            Divider::RelayedTab => Box::new(self.body.split(RELAYED_TAB)),
        };
        pieces
            .filter_map(|piece| piece.split_once('='))
            .map(|(key, value)| (key.trim(), value.trim_end_matches(['\r', '\n'])))
            .filter(|(key, _)| !key.is_empty())
    }
}

/// The divider that a 2.0 header names and what follows it; none where the field is left out, as some senders do.
fn named_divider(text: &str) -> Option<(char, &str)> {
    if let Some(rest) = text.strip_prefix("||") {
        return Some(('|', rest));
    }
    let (field, rest) = text.split_once('|')?;
    let mut characters = field.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Some(('\t', rest)),
        (Some(one), None) if one != '=' => Some((one, rest)),
        _ => hexadecimal(field).map(|divider| (divider, rest)),
    }
}

/// `x5E`, `0x5E`, `\x5E`: one to four hexadecimal digits.
fn hexadecimal(field: &str) -> Option<char> {
    let digits = field.trim_start_matches('\\');
    let digits = digits.strip_prefix('0').unwrap_or(digits).strip_prefix(['x', 'X'])?;
    let fits = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { char::from_u32(u32::from_str_radix(digits, 16).ok()?) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(line: &str) -> String {
        let mut flat = Flat::new();
        let read = read(line, &mut flat);
        format!("{} {}", read.map_or_else(str::to_owned, |device| device.product), flat.render())
    }

    const HEADER: &str = r#"Exchange {"leefVersion":"2.0","deviceVendor":"Microsoft","deviceProduct":"Exchange","deviceVersion":"4.0","eventId":15345"#;

    #[test]
    fn version_one_is_divided_by_tabs_also_by_those_a_relay_rewrote() {
        let wanted = r#"Exchange {"leefVersion":"1.0","deviceVendor":"Microsoft","deviceProduct":"Exchange","deviceVersion":"4.0 SP1","eventId":15345,"src":"192.0.2.0","url":"/?a=b c","sev":5}"#;
        let line = "1.0|Microsoft|Exchange|4.0 SP1|15345|src=192.0.2.0\turl=/?a=b c\tsev=5";
        assert_eq!(fields(line), wanted);
        assert_eq!(fields(&line.replace('\t', "#011")), wanted);
    }

    #[test]
    fn version_two_names_its_divider_as_a_character_or_by_number_or_not_at_all() {
        let wanted = format!(r#"{HEADER},"src":"192.0.2.0","msg":"a|b x5E"}}"#);
        for (field, divider) in [
            ("^|", "^"),
            ("x5E|", "^"),
            ("0x5e|", "^"),
            ("\u{a6}|", "\u{a6}"),
            ("xa6|", "\u{a6}"),
            ("|", "\t"),
            ("", "\t"),
        ] {
            let line = format!("2.0|Microsoft|Exchange|4.0|15345|{field}src=192.0.2.0{divider}msg=a|b x5E");
            assert_eq!(fields(&line), wanted, "{line}");
        }
        let barred = fields("2.0|Microsoft|Exchange|4.0|15345|||src=192.0.2.0|sev=3");
        assert_eq!(barred, format!(r#"{HEADER},"src":"192.0.2.0","sev":3}}"#));
    }

    #[test]
    fn a_header_that_is_cut_short_is_told() {
        assert!(fields("1.0|V|P").starts_with("a LEEF header has five fields"));
        assert!(fields("1.0|V|P|1|login").contains(r#""eventId":"login""#));
    }

    proptest! {
        #[test]
        fn nothing_panics(line in "\\PC{0,200}", odd in "[|^=x0-9\\tab]{0,80}") {
            fields(&line);
            fields(&format!("1.0|V|P|1|7|{odd}"));
            fields(&format!("2.0|V|P|1|7|{odd}"));
        }
    }
}

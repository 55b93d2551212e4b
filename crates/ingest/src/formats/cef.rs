//! ArcSight's Common Event Format, versions 0 and 1: `CEF:0|vendor|product|version|class|name|severity|key=value ...`.
//!
//! In the header a backslash escapes `|` and itself; in the extension it escapes `=` and itself, and `\n` and `\r` are line
//! ends. Values hold blanks: a value ends where the next `key=` begins. A `=` that senders leave unescaped behind anything
//! that cannot be a key (as in `?a=b`) belongs to the value.

use std::borrow::Cow;

use super::{
    device::Device,
    flat::{Field, Flat},
};

pub(crate) const START: &str = "CEF:";

/// Names of the header's fields, from the version of the device on; vendor and product go before them.
const HEADER: [&str; 6] =
    ["deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "deviceSeverity"];

/// Puts header and extension into the fields. The error says what the header lacks.
pub(crate) fn read<'a>(rest: &'a str, flat: &mut Flat<'a>) -> Result<Device, &'static str> {
    let (version, rest) = header_field(rest).ok_or("a CEF header has seven fields, each ended by `|`")?;
    flat.put("cefVersion", Field::scalar(version.trim()));
    let mut rest = rest;
    let mut device = Device::default();
    for name in HEADER {
        // Some devices without an extension leave the last bar away.
        let (field, after) = match header_field(rest) {
            Some(found) => found,
            None if name == "deviceSeverity" => (rest, ""),
            None => return Err("a CEF header has seven fields, each ended by `|`"),
        };
        let text = unescape(field, &['|', '\\']);
        match name {
            "deviceVendor" => text.as_ref().clone_into(&mut device.vendor),
            "deviceProduct" => text.as_ref().clone_into(&mut device.product),
            _ => {}
        }
        flat.put(name, Field::scalar(text));
        rest = after;
    }
    for (key, value) in pairs(rest) {
        flat.put(key, Field::scalar(value_text(value)));
    }
    Ok(device)
}

/// The fields of the extension, for whom only some matter.
pub(crate) fn extension(rest: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let after = (0..7).try_fold(rest, |rest, _| header_field(rest).map(|(_, after)| after));
    pairs(after.unwrap_or("")).map(|(key, value)| (key, value_text(value)))
}

/// Up to the next bar that is not escaped, and what follows it.
fn header_field(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'|' => return Some((text.get(..at)?, text.get(at.checked_add(1)?..)?)),
            _ => {}
        }
    }
    None
}

/// Keys and their values as they are written.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut keys = keys(text).peekable();
    std::iter::from_fn(move || {
        let (start, equals) = keys.next()?;
        let end = keys.peek().map_or(text.len(), |(next, _)| *next);
        let value = text.get(equals.checked_add(1)?..end)?;
        Some((text.get(start..equals)?, value.trim_end_matches([' ', '\t', '\r', '\n'])))
    })
}

/// Where each key begins and where its `=` stands.
fn keys(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut bytes = text.bytes().enumerate();
    // The word that may be a key: where it began, unless it holds what no key has, such as the backslash of an escape.
    let mut word = Some(0_usize);
    std::iter::from_fn(move || {
        for (at, byte) in bytes.by_ref() {
            match byte {
                b' ' | b'\t' => word = at.checked_add(1),
                b'=' => {
                    if let Some(start) = word.take().filter(|start| *start < at) {
                        return Some((start, at));
                    }
                }
                byte if byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte) => {}
                _ => word = None,
            }
        }
        None
    })
}

fn value_text(value: &str) -> Cow<'_, str> {
    unescape(value, &['=', '\\', 'n', 'r'])
}

/// Takes escapes of the given characters away; any other backslash stays.
fn unescape<'a>(text: &'a str, escapable: &[char]) -> Cow<'a, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let next = if character == '\\' { rest.next_if(|next| escapable.contains(next)) } else { None };
        out.push(match next {
            Some('n') => '\n',
            Some('r') => '\r',
            Some(escaped) => escaped,
            None => character,
        });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(line: &str) -> String {
        let mut flat = Flat::new();
        let read = read(line, &mut flat);
        format!("{} {}", read.map_or_else(str::to_owned, |device| device.vendor), flat.render())
    }

    #[test]
    fn header_and_extension_follow_their_own_escaping() {
        let line = r"0|Sec\|urity|threat\\manager|1.0|100|detected a \| in message|10|src=10.0.0.1 act=blocked a | \=x\\y msg=two words\nand a line dst=1.1.1.1";
        assert_eq!(
            fields(line),
            r#"Sec|urity {"cefVersion":0,"deviceVendor":"Sec|urity","deviceProduct":"threat\\manager","deviceVersion":"1.0","deviceEventClassId":100,"name":"detected a | in message","deviceSeverity":10,"src":"10.0.0.1","act":"blocked a | =x\\y","msg":"two words\nand a line","dst":"1.1.1.1"}"#
        );
    }

    #[test]
    fn values_keep_blanks_addresses_and_windows_paths() {
        let line = r"0|V|P|1|7|n|5|request=http://x.example/?a=b&c=d filePath=C:\Windows\ fname=C:\\Temp\\a b.exe cs1Label=Policy cs1=";
        let shown = fields(line);
        assert!(shown.contains(r#""request":"http://x.example/?a=b&c=d","filePath":"C:\\Windows\\","fname":"C:\\Temp\\a b.exe","cs1Label":"Policy","cs1":"""#), "{shown}");
    }

    #[test]
    fn a_header_that_is_cut_short_is_told_and_one_without_extension_is_whole() {
        assert!(fields("0|V|P|1").starts_with("a CEF header has seven fields"));
        assert!(fields("0|V|P|1|7|n|5").contains(r#""deviceSeverity":5"#));
    }

    proptest! {
        #[test]
        fn nothing_panics(line in "\\PC{0,200}", odd in "[|\\\\= \\tabn]{0,80}") {
            fields(&line);
            fields(&odd);
            fields(&format!("0|V|P|1|7|n|5|{odd}"));
        }

        #[test]
        fn what_was_escaped_by_the_rules_is_read_as_it_was(vendor in "[a-z|\\\\ ]{1,12}", value in "[a-z=\\\\|\n][a-z=\\\\|\n ]{0,20}[a-z=\\\\|]") {
            let header = vendor.replace('\\', r"\\").replace('|', r"\|");
            let written = value.replace('\\', r"\\").replace('=', r"\=").replace('\n', r"\n");
            let line = format!("0|{header}|P|1|7|n|5|first={written} second=2");
            let mut flat = Flat::new();
            let device = read(&line, &mut flat).unwrap();
            prop_assert_eq!(device.vendor, vendor);
            prop_assert_eq!(flat.get("first"), Some(&Field::Text(value.into())));
            prop_assert_eq!(flat.get("second"), Some(&Field::Int(2)));
        }
    }
}

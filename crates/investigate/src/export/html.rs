//! The page: every text escaped, no script, no request to anywhere, light and dark, printable.

use std::fmt::Write as _;

use super::{Export, sections};

/// Styles of the page: its only ones. Colours follow the reader's setting; print is black on white.
const STYLE: &str = include_str!("page.css");

/// Text as HTML text or as the value of a quoted attribute. Control characters that HTML forbids become visible escapes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            letter if letter.is_control() || is_direction(letter) => escaped.extend(letter.escape_default()),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Marks that would show text in another order than it stands.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Renders an export as one self-contained page.
pub fn render_html(export: &Export) -> String {
    let mut page = String::new();
    let title = escape(&export.incident.title);
    push(
        &mut page,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        ),
    );
    sections::all(&mut page, export);
    push(
        &mut page,
        format_args!(
            "</main>\n<footer>{} · {} · generated {} · times are UTC</footer>\n</body>\n</html>\n",
            escape(&export.product),
            export.incident.id,
            export.generated_at,
        ),
    );
    page
}

/// Writes to a page. Writing to a string does not fail.
pub(super) fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    if page.write_fmt(text).is_err() {
        page.push_str("<!-- left out -->");
    }
}

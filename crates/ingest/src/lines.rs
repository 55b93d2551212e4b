//! A body taken apart: NDJSON and text lines, or one JSON array; every line with its number and its own verdict.

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    Hints, Limits, LineError,
    formats::{recognise::text_shape, shape::Shape},
    limits::INVALID_JSON,
};

/// One line or array element that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1; blank lines count.
    pub number: u64,
    /// The bytes without the line end, or why the line is refused.
    pub bytes: Result<Bytes, LineError>,
}

/// Takes a body apart and judges each line.
pub fn split(body: &Bytes, hints: Hints<'_>, limits: &Limits) -> Vec<Line> {
    pieces(body, hints)
        .map(|(number, bytes)| {
            let verdict = judge(&bytes, hints, limits).map_err(|refusal| refusal.at(number, &bytes, limits));
            Line { number, bytes: verdict.map(|()| bytes) }
        })
        .collect()
}

/// Why a line is refused, before it has a number.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    TooLarge,
    Invalid(String),
    /// Another refusal, of the event at this place (from 1) of a list that the line holds.
    Inside(Box<Self>, &'static str, u64),
}

impl Refusal {
    pub(crate) fn at(self, number: u64, bytes: &Bytes, limits: &Limits) -> LineError {
        match self {
            Self::TooLarge => LineError::too_large(number, bytes, limits),
            Self::Invalid(detail) => LineError::new(number, INVALID_JSON, detail, bytes, limits),
            Self::Inside(refusal, list, place) => {
                let mut error = refusal.at(number, bytes, limits);
                error.detail = format!("{list}[{place}]: {}", error.detail);
                error
            }
        }
    }
}

fn judge(bytes: &Bytes, hints: Hints<'_>, limits: &Limits) -> Result<(), Refusal> {
    if bytes.len() > limits.event_bytes {
        return Err(Refusal::TooLarge);
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    if text.starts_with('{') {
        return Shape::read_limited(text, limits.depth)
            .map(|_| ())
            .map_err(|error| Refusal::Invalid(error.to_string()));
    }
    judge_text(text, hints)
}

/// A line that is no object: taken when the sender said it is text, or when its shape is known.
pub(crate) fn judge_text(text: &str, hints: Hints<'_>) -> Result<(), Refusal> {
    if hints.accepts_text() || text_shape(text).is_some() {
        return Ok(());
    }
    Err(Refusal::Invalid("neither a JSON object nor a known kind of text; name its source with `?source=`".to_owned()))
}

/// The numbered pieces of a body that are not blank.
pub(crate) fn pieces(body: &Bytes, hints: Hints<'_>) -> Box<dyn Iterator<Item = (u64, Bytes)>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| body.clone(), |rest| body.slice_ref(rest));
    let may_be_array = !hints.accepts_text() || hints.source == Some("json");
    if let Some(items) = may_be_array.then(|| array(&body)).flatten() {
        return Box::new((1..).zip(items));
    }
    if let Some(objects) = may_be_array.then(|| objects(&body)).flatten() {
        return Box::new((1..).zip(objects));
    }
    Box::new(lines(body).filter(|(_, line)| !line.trim_ascii().is_empty()))
}

/// An array of more elements is no array of events: it is judged as the one line that it is, and refused.
const MAX_ELEMENTS: usize = 1_000_000;

/// The elements of a body that is one JSON array.
fn array(body: &Bytes) -> Option<impl Iterator<Item = Bytes> + use<>> {
    if body.trim_ascii_start().first() != Some(&b'[') {
        return None;
    }
    let Elements(items) = serde_json::from_slice(body).ok()?;
    let places: Vec<Bytes> = items.into_iter().map(|item| body.slice_ref(item.get().as_bytes())).collect();
    Some(places.into_iter())
}

pub(crate) struct Elements<'a>(pub(crate) Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

/// The objects of a body that writes each over several lines, as exporters for people do.
fn objects(body: &Bytes) -> Option<Vec<Bytes>> {
    let start = body.trim_ascii_start();
    let end = memchr::memchr(b'\n', start)?;
    let open = start.first() == Some(&b'{') && start.get(..end)?.trim_ascii_end().last() != Some(&b'}');
    let values = open.then(|| serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>())?;
    let mut objects = Vec::new();
    for value in values.take(MAX_ELEMENTS) {
        objects.push(body.slice_ref(value.ok()?.get().as_bytes()));
    }
    Some(objects)
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            if items.len() >= MAX_ELEMENTS {
                return Err(A::Error::custom("too many elements"));
            }
            items.push(item);
        }
        Ok(Elements(items))
    }
}

fn lines(body: Bytes) -> impl Iterator<Item = (u64, Bytes)> {
    let mut rest = Some(body);
    let cut = move || {
        let mut body = rest.take().filter(|body| !body.is_empty())?;
        let line = match memchr::memchr(b'\n', &body) {
            Some(at) => {
                let line = body.split_to(at);
                rest = Some(body.slice(1..));
                line
            }
            None => body,
        };
        Some(match line.strip_suffix(b"\r") {
            Some(bare) => line.slice_ref(bare),
            None => line,
        })
    };
    (1..).zip(std::iter::from_fn(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, hints: Hints<'_>) -> Vec<String> {
        let lines = split(&Bytes::copy_from_slice(body.as_bytes()), hints, &Limits::default());
        lines
            .into_iter()
            .map(|line| match line.bytes {
                Ok(bytes) => format!("{} {}", line.number, String::from_utf8_lossy(&bytes)),
                Err(error) => format!("{} {}", line.number, error.code),
            })
            .collect()
    }

    #[test]
    fn blank_lines_count_and_bad_lines_do_not_stop_the_rest() {
        let body = "{\"a\":1}\r\n\n  \n{broken\nwords\n{\"b\":2}";
        assert_eq!(check(body, Hints::default()), ["1 {\"a\":1}", "4 invalid_json", "5 invalid_json", "6 {\"b\":2}"]);
    }

    #[test]
    fn text_is_taken_when_the_sender_says_so_or_its_shape_is_known() {
        let words = "some words";
        let sshd = "Nov 21 08:00:01 web1 sshd[1]: x";
        assert_eq!(check(sshd, Hints::default()), [format!("1 {sshd}")]);
        assert_eq!(check(words, Hints { source: Some("x"), content_type: None }), ["1 some words"]);
        assert_eq!(
            check(words, Hints { source: None, content_type: Some("Text/Plain; charset=utf-8") }),
            ["1 some words"]
        );
        assert_eq!(
            check(words, Hints { source: None, content_type: Some("application/x-ndjson") }),
            ["1 invalid_json"]
        );
        assert_eq!(check("{broken", Hints { source: Some("x"), content_type: None }), ["1 invalid_json"]);
    }

    #[test]
    fn an_array_gives_its_elements_by_number() {
        assert_eq!(
            check("\u{feff} [ {\"a\":1},\n{\"b\":[2]}, 7]", Hints::default()),
            ["1 {\"a\":1}", "2 {\"b\":[2]}", "3 invalid_json"]
        );
    }

    #[test]
    fn objects_over_several_lines_are_told_apart_and_broken_ones_are_refused_line_by_line() {
        let pretty = "{\n  \"a\": 1\n}\n{\n  \"b\": [\n2]}\n";
        assert_eq!(check(pretty, Hints::default()), ["1 {\n  \"a\": 1\n}", "2 {\n  \"b\": [\n2]}"]);
        assert_eq!(check("{\n\"a\": 1,\n", Hints::default()), ["1 invalid_json", "2 invalid_json"]);
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { event_bytes: 10, sample_bytes: 4, ..Limits::default() };
        let body = Bytes::from_static(b"{\"a\":\"0123456789\"}\n{}");
        let lines = split(&body, Hints::default(), &limits);
        let error = lines[0].bytes.clone().unwrap_err();
        assert_eq!((error.code, error.size, &error.sample[..]), ("line_too_large", 18, &b"{\"a\""[..]));
        assert!(lines[1].bytes.is_ok());
        let deep = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
        let error = split(&Bytes::from(deep), Hints::default(), &Limits::default())[0].bytes.clone().unwrap_err();
        assert_eq!((error.code, error.detail.as_str()), ("invalid_json", "nested deeper than 64 levels"));
    }
}

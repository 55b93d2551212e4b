//! YAML as rules need it: a tree with places, and limits against hostile files. Types of scalars are `scalar`'s matter.
//!
//! Each `---` begins a document of its own parser run, so a broken document does not take its neighbours along.

use std::{collections::HashMap, ops::Range};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::diagnostic::{MAX_VALUES, Place, Report};

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 32;
/// Nodes in one document, aliases counted as often as they are used.
const MAX_NODES: usize = 50_000;
/// Documents in one file.
const MAX_DOCUMENTS: usize = 1_000;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) at: Place,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// `plain`: written without quotes, so it may be a number, a boolean or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key's own text begins, behind a quote.
    pub(crate) at: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Where the text of a scalar begins: behind its quote.
    pub(crate) fn text_place(&self) -> Place {
        match self.kind {
            Kind::Scalar { plain: false, .. } => self.at.right(1),
            Kind::Scalar { plain: true, .. } | Kind::List(_) | Kind::Map(_) => self.at,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar { .. } | Kind::List(_) => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// It and everything in it.
    pub(crate) fn size(&self) -> usize {
        let below: usize = match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.size().saturating_add(1)).sum(),
        };
        below.saturating_add(1)
    }
}

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// Bytes of the file that this document is.
    pub(crate) span: Range<usize>,
}

/// The documents of a file; what cannot be read is reported and left out.
pub(crate) fn documents(text: &str, report: &mut Report) -> Vec<Document> {
    let mut documents = Vec::new();
    for (count, chunk) in chunks(text).into_iter().enumerate() {
        let place = Place { line: chunk.first_line, column: 1 };
        if count >= MAX_DOCUMENTS {
            report.error(
                place,
                "too-many-documents",
                format!("more than {MAX_DOCUMENTS} documents"),
                "Split the file.",
            );
            break;
        }
        let Some(own) = text.get(chunk.span.clone()) else { continue };
        let errors = report.errors();
        match Builder::new(chunk.first_line, own, report).run(own) {
            Ok(_) if report.errors() > errors => {}
            Ok(roots) => documents.extend(roots.into_iter().map(|root| Document { root, span: chunk.span.clone() })),
            Err(problem) => report.error(problem.at, problem.code, problem.message, problem.fix),
        }
    }
    documents
}

struct Chunk {
    span: Range<usize>,
    first_line: usize,
}

/// The file cut before each line that begins with `---`.
fn chunks(text: &str) -> Vec<Chunk> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut chunks = vec![Chunk { span: start..start, first_line: 1 }];
    let mut offset = start;
    for (number, line) in text.get(start..).unwrap_or_default().split_inclusive('\n').enumerate() {
        let mark = line.trim_end();
        if offset > start && (mark == "---" || mark.starts_with("--- ")) {
            chunks.push(Chunk { span: offset..offset, first_line: number.saturating_add(1) });
        }
        offset = offset.saturating_add(line.len());
        if let Some(last) = chunks.last_mut() {
            last.span.end = offset;
        }
    }
    chunks.retain(|chunk| text.get(chunk.span.clone()).is_some_and(has_content));
    chunks
}

fn has_content(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !(line.is_empty() || line.starts_with(['#', '%']) || line == "---"))
}

struct Problem {
    at: Place,
    code: &'static str,
    message: String,
    fix: String,
}

enum Frame {
    List { at: Place, anchor: usize, items: Vec<Node> },
    Map { at: Place, anchor: usize, entries: Vec<Entry>, key: Option<(String, bool, Place)> },
}

struct Builder<'r> {
    report: &'r mut Report,
    /// Added to the parser's own line, which counts from 1.
    line_offset: usize,
    /// Where lines begin, in characters; empty where the parser counts lines as everybody does.
    starts: Vec<usize>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    roots: Vec<Node>,
}

impl<'r> Builder<'r> {
    fn new(first_line: usize, text: &str, report: &'r mut Report) -> Self {
        let (line_offset, starts) = (first_line.saturating_sub(1), starts(text));
        Self { report, line_offset, starts, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, roots: Vec::new() }
    }

    fn run(mut self, text: &str) -> Result<Vec<Node>, Problem> {
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => {
                    let at = self.place(span.start);
                    self.take(event, at)?;
                }
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
        Ok(self.roots)
    }

    fn unreadable(&self, error: &saphyr_parser::ScanError) -> Problem {
        Problem {
            at: self.place(*error.marker()),
            code: "invalid-yaml",
            message: format!("not valid YAML: {}", error.info()),
            fix: "Check indentation (blanks, no tabs), quotes and colons at this place.".to_owned(),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        let behind = self.starts.partition_point(|start| *start <= marker.index());
        if let Some(start) = behind.checked_sub(1).and_then(|line| self.starts.get(line)) {
            let column = marker.index().saturating_sub(*start).saturating_add(1);
            return Place { line: behind.saturating_add(self.line_offset), column };
        }
        Place { line: marker.line().saturating_add(self.line_offset), column: marker.col().saturating_add(1) }
    }

    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !tag.as_deref().is_some_and(is_string_tag);
                let node = Node { kind: Kind::Scalar { text: text.into_owned(), plain }, at };
                self.finish(node, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(Frame::List { at, anchor, items: Vec::new() }, at),
            Event::MappingStart(anchor, _) => self.open(Frame::Map { at, anchor, entries: Vec::new(), key: None }, at),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::DocumentStart(_) | Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
        }
    }

    fn open(&mut self, frame: Frame, at: Place) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Problem { at, code: "too-deep", message, fix: "Rules need four levels at most.".to_owned() });
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        match self.stack.pop() {
            Some(Frame::List { at, anchor, items }) => self.finish(Node { kind: Kind::List(items), at }, anchor, 1),
            Some(Frame::Map { at, anchor, entries, .. }) => {
                let entries = merged(entries);
                self.finish(Node { kind: Kind::Map(entries), at }, anchor, 1)
            }
            None => Ok(()),
        }
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            let message = "an alias inside the value that it names".to_owned();
            return Err(Problem { at, code: "recursive-alias", message, fix: "Write the value out.".to_owned() });
        };
        let size = node.size();
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > MAX_NODES {
            return self.finish(Node { kind: Kind::List(Vec::new()), at }, 0, size);
        }
        let copy = node.clone();
        self.finish(copy, 0, size)
    }

    fn finish(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases counted as often as they are used");
            return Err(Problem { at: node.at, code: "too-large", message, fix: "Split the document.".to_owned() });
        }
        if !self.report.hold(size) {
            let message =
                format!("the file has more than {MAX_VALUES} values, aliases counted as often as they are used");
            return Err(Problem { at: node.at, code: "too-large", message, fix: "Split the file.".to_owned() });
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None => self.roots.push(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => match key.take() {
                None => *key = Some(key_of(node)?),
                Some((key, plain, at)) => {
                    if entries.iter().any(|entry| entry.key == key) && !(plain && key == "<<") {
                        let message = format!("the key `{key}` is there twice: one of them would be lost");
                        self.report.error(
                            at,
                            "duplicate-key",
                            message,
                            "Put both values in one list, or use two selections.",
                        );
                    }
                    entries.push(Entry { key, at, value: node });
                }
            },
        }
        Ok(())
    }
}

/// Where lines begin in a text with a carriage return alone, which ends a line in YAML and nowhere else.
fn starts(text: &str) -> Vec<usize> {
    let alone = text.match_indices('\r').any(|(at, _)| text.as_bytes().get(at.saturating_add(1)) != Some(&b'\n'));
    if !alone {
        return Vec::new();
    }
    let ends = text.chars().enumerate().filter(|(_, char)| *char == '\n').map(|(at, _)| at.saturating_add(1));
    std::iter::once(0).chain(ends).collect()
}

fn is_string_tag(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "str"
}

fn key_of(node: Node) -> Result<(String, bool, Place), Problem> {
    match node.kind {
        Kind::Scalar { text, plain: true } => Ok((text, true, node.at)),
        Kind::Scalar { text, plain: false } => Ok((text, false, node.at.right(1))),
        Kind::List(_) | Kind::Map(_) => Err(Problem {
            at: node.at,
            code: "invalid-key",
            message: "a list or a map cannot be a key".to_owned(),
            fix: "Keys are field names; quote a name that begins with a bracket.".to_owned(),
        }),
    }
}

/// Merge keys resolved: `<<` brings entries that the map does not have itself.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if !entries.iter().any(|entry| entry.key == "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let maps = match merge.value.kind {
            Kind::List(items) => items,
            Kind::Scalar { .. } | Kind::Map(_) => vec![merge.value],
        };
        for entry in maps.into_iter().filter_map(into_entries).flatten() {
            if !own.iter().any(|mine| mine.key == entry.key) {
                own.push(entry);
            }
        }
    }
    own
}

fn into_entries(node: Node) -> Option<Vec<Entry>> {
    match node.kind {
        Kind::Map(entries) => Some(entries),
        Kind::Scalar { .. } | Kind::List(_) => None,
    }
}

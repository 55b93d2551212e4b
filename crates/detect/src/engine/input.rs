//! One event made ready: padded where the batch ends, written again where its spelling is not canonical, its shape found.

use std::{ops::Range, sync::Arc};

use shieldops_vector::{Padded, Structure, View};

use super::{
    bytes::{folds_to_ascii, is_canonical, rewrite},
    keys::Keys,
    shape::{Line, Shapes},
};
use crate::sigma::event::{Doc, MAX_EVENT_BYTES};

#[derive(Debug, Default)]
pub(crate) struct Input {
    pub(crate) structure: Structure,
    /// The last events of a batch are copied, because nothing readable follows them.
    padded: Padded,
    rewritten: Padded,
    pub(crate) doc: Doc,
}

/// What an event turned out to be.
pub(crate) enum Opened<'a> {
    /// A line and the number of its shape.
    Line(Line<'a>, usize),
    /// Not one JSON object, too long or too deep.
    Unreadable,
    /// Readable, but not by the fast path.
    Strange,
}

impl Input {
    pub(crate) fn open<'a>(
        &'a mut self,
        bytes: &'a [u8],
        event: Range<usize>,
        keys: &Arc<Keys>,
        shapes: &mut Shapes,
    ) -> Opened<'a> {
        let Self { structure, padded, rewritten, doc } = self;
        let text = bytes.get(event.clone()).unwrap_or_default();
        let trimmed = text.trim_ascii();
        if trimmed.is_empty() || text.len() > MAX_EVENT_BYTES {
            return Opened::Unreadable;
        }
        let blanks = text.len().saturating_sub(text.trim_ascii_start().len());
        let start = event.start.saturating_add(blanks);
        let mut view = if let Some(view) = View::new(bytes, start, start.saturating_add(trimmed.len())) {
            view
        } else {
            padded.fill(|out| out.extend_from_slice(trimmed));
            padded.view()
        };
        structure.read(view);
        let plain = !structure.control && (!structure.odd_escape || is_canonical(view.bytes()));
        let mut shape = if plain { shapes.find(keys, view, structure).ok() } else { None };
        if shape.is_none() {
            let mut readable = false;
            rewritten.fill(|out| readable = rewrite(view.bytes(), doc, out));
            if !readable {
                return Opened::Unreadable;
            }
            view = rewritten.view();
            structure.read(view);
            shape = shapes.find(keys, view, structure).ok().filter(|_| view.len() <= MAX_EVENT_BYTES);
        }
        let Some(shape) = shape else { return Opened::Strange };
        let structure: &Structure = structure;
        let folds = structure.folding && folds_to_ascii(view.bytes());
        Opened::Line(Line { view, structure, folds }, shape)
    }
}

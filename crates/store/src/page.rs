//! Pages of a list: newest first, by id, with a cursor that is the last id of the page before.

use shieldops_model::Id;
use shieldops_model::id::Kind;

use crate::{Result, StoreError};

pub(crate) const MAX_LIMIT: u32 = 200;

#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl PageRequest {
    pub fn limit(&self) -> usize {
        usize::try_from(self.limit.unwrap_or(50).clamp(1, MAX_LIMIT)).unwrap_or(50)
    }

    /// The id below which this page begins, as stored; all ones for the first page.
    pub(crate) fn below<K: Kind>(&self) -> Result<Vec<u8>> {
        match &self.cursor {
            None => Ok(vec![0xff; 17]),
            Some(cursor) => {
                let id: Id<K> = cursor.parse().map_err(|_invalid| StoreError::InvalidCursor)?;
                Ok(id.to_bytes().to_vec())
            }
        }
    }

    /// One more than the page holds, so that the last page is known.
    pub(crate) fn fetch(&self) -> i64 {
        i64::try_from(self.limit() + 1).unwrap_or(51)
    }

    pub(crate) fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> String) -> Page<T> {
        let more = items.len() > self.limit();
        items.truncate(self.limit());
        let next_cursor = if more { items.last().map(cursor) } else { None };
        Page { items, next_cursor }
    }
}

//! Pages of a list: newest first, by id, with a cursor that is the last id of the page before.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use shieldops_model::Id;
use shieldops_model::id::Kind;

use crate::{Result, StoreError, TenantScope};

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

    /// The number below which this page begins, for a list by a number, newest first.
    pub(crate) fn below_number(&self) -> Result<i64> {
        Ok(self.number()?.unwrap_or(i64::MAX))
    }

    /// The number that the page before ended with.
    pub(crate) fn number(&self) -> Result<Option<i64>> {
        self.cursor.as_ref().map(|cursor| cursor.parse().map_err(|_nan| StoreError::InvalidCursor)).transpose()
    }

    /// Where this page begins, for a list by id: the comparison, the id as stored, and the order.
    pub(crate) fn edge<K: Kind>(&self, oldest_first: bool) -> Result<(&'static str, Vec<u8>, &'static str)> {
        match (oldest_first, &self.cursor) {
            (true, None) => Ok((">", Vec::new(), "ASC")),
            (true, Some(_)) => Ok((">", self.below::<K>()?, "ASC")),
            (false, _) => Ok(("<", self.below::<K>()?, "DESC")),
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

impl TenantScope {
    /// A cursor as it leaves the process: nothing can be read in it, and it opens only for the query it was made for.
    pub fn seal_cursor(&self, query: &str, cursor: &str) -> String {
        let key = self.key.row_key("cursors");
        URL_SAFE_NO_PAD.encode(key.seal(query.as_bytes(), cursor.as_bytes(), &mut rand::rng()))
    }

    /// # Errors
    /// `InvalidCursor` for text that this tenant did not get for this query.
    pub fn open_cursor(&self, query: &str, text: &str) -> Result<String> {
        let key = self.key.row_key("cursors");
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_invalid| StoreError::InvalidCursor)?;
        let plain = key.open(query.as_bytes(), &sealed).map_err(|_forged| StoreError::InvalidCursor)?;
        String::from_utf8(plain).map_err(|_invalid| StoreError::InvalidCursor)
    }
}

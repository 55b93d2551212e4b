//! The leaf of a log: a clear canonical header, then sealed bytes.
//!
//! Stored as: length of the header (four bytes, big endian), header, sealed payload. The header is JSON in the form of
//! RFC 8785: keys in order, no blanks; a header in any other form is refused, so that one content has one hash.

use serde::{Deserialize, Serialize};

use crate::LedgerError;

/// What can be read without a key. The fields stand in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub kind: String,
    /// Grows by one from 0.
    pub seq: u64,
    pub subjects: Vec<String>,
    pub tenant: String,
    /// RFC 3339 UTC with six digits of a second.
    pub time: String,
    pub v: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub header: Header,
    pub sealed: Vec<u8>,
}

impl Header {
    pub const VERSION: u32 = 1;

    /// The canonical bytes; also what the payload is sealed under.
    pub fn to_canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        let header: Self =
            serde_json::from_slice(bytes).map_err(|error| LedgerError::Leaf(format!("header: {error}")))?;
        if header.v != Self::VERSION {
            return Err(LedgerError::Leaf(format!("version {} is not known here", header.v)));
        }
        if header.to_canonical() != bytes {
            return Err(LedgerError::Leaf("the header is not canonical".to_owned()));
        }
        Ok(header)
    }
}

impl Leaf {
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = self.header.to_canonical();
        let mut bytes = Vec::with_capacity(4 + header.len() + self.sealed.len());
        bytes.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        let short = || LedgerError::Leaf("cut short".to_owned());
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_wide| short())?;
        let (header, sealed) = rest.split_at_checked(length).ok_or_else(short)?;
        Ok(Self { header: Header::parse(header)?, sealed: sealed.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: "plan.approved".into(),
            seq: 3,
            subjects: vec!["pln_1".into()],
            tenant: "tnt_1".into(),
            time: "2026-11-21T10:00:00.000000Z".into(),
            v: 1,
        }
    }

    #[test]
    fn a_leaf_reads_back() {
        let leaf = Leaf { header: header(), sealed: vec![1, 2, 3] };
        assert_eq!(Leaf::parse(&leaf.to_bytes()).unwrap(), leaf);
    }

    #[test]
    fn a_header_in_another_order_or_with_blanks_is_refused() {
        for text in [
            r#"{"seq":3,"kind":"k","subjects":[],"tenant":"t","time":"x","v":1}"#,
            r#"{"kind":"k","seq":3, "subjects":[],"tenant":"t","time":"x","v":1}"#,
            r#"{"kind":"k","seq":3,"subjects":[],"tenant":"t","time":"x","v":2}"#,
            r#"{"kind":"k","seq":3,"subjects":[],"tenant":"t","time":"x","v":1,"w":1}"#,
        ] {
            assert!(Header::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

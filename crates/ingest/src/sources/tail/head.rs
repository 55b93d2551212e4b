//! The beginning of a followed file, by which it is known again. An inode alone is not enough: when its file is removed,
//! another one gets it, and a file that is cut back and written again keeps it.

use std::io::{self, SeekFrom};

use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

/// Bytes that are compared.
const BYTES: u64 = 1024;

/// Length and CRC-32 of a beginning that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    bytes: u64,
    crc: u32,
}

impl Head {
    /// Of a file that was read up to `offset`.
    pub(super) async fn of(file: &mut File, offset: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0)).await?;
        let mut start = Vec::new();
        file.take(offset.min(BYTES)).read_to_end(&mut start).await?;
        let mut crc = flate2::Crc::new();
        crc.update(&start);
        Ok(Self { bytes: u64::try_from(start.len()).unwrap_or(BYTES), crc: crc.sum() })
    }

    /// Whether a file begins so.
    pub(super) async fn begins(self, file: &mut File) -> io::Result<bool> {
        Ok(Self::of(file, self.bytes).await? == self)
    }

    /// More of the file will say more of it.
    pub(super) fn is_short(self) -> bool {
        self.bytes < BYTES
    }

    /// As it stands in a saved place.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (bytes, crc) = text.split_once('.')?;
        Some(Self { bytes: bytes.parse().ok()?, crc: crc.parse().ok()? })
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.bytes, self.crc)
    }
}

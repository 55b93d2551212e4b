//! Checking segments without a running bus and without a key: the hashes are over sealed bytes.

use std::path::{Path, PathBuf};

use shieldops_model::{EventId, SegmentId, TenantId};

use crate::{
    Disk, Error, RealDisk,
    error::{Result, io_error},
    merkle::Frontier,
    segment::{FileHeader, HEADER, HeaderFault},
    walk::{Step, Walk},
    wire::len64,
};

/// What a segment file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub tenant: TenantId,
    pub id: SegmentId,
    pub count: u64,
    pub first: Option<EventId>,
    pub last: Option<EventId>,
    /// Bytes of the file, without a torn tail.
    pub bytes: u64,
    /// The Merkle root of its frames.
    pub root: [u8; 32],
    /// Bytes after the last whole frame: never acknowledged, allowed only where no root is expected.
    pub torn_bytes: u64,
}

/// A segment file found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    pub tenant: TenantId,
    pub partition: u32,
    pub id: SegmentId,
    pub path: PathBuf,
    /// Whether its metadata is there: only then the ledger may have an entry for it.
    pub sealed: bool,
}

/// Reads the segment through and compares its Merkle root with the one expected, for a sealed segment that of its ledger
/// entry. The error names the first place that is damaged.
pub fn verify_segment(path: &Path, expected: Option<&[u8; 32]>) -> Result<Verified> {
    verify_on(&RealDisk, path, expected)
}

/// The same on another disk.
pub fn verify_on(disk: &dyn Disk, path: &Path, expected: Option<&[u8; 32]>) -> Result<Verified> {
    let file = disk.open(path).map_err(io_error("opening", path))?;
    let len = file.len().map_err(io_error("reading", path))?;
    let mut bytes = [0; HEADER];
    let read = file.read_at(&mut bytes, 0).map_err(io_error("reading", path))?;
    let damaged = |position, why: &str| Error::Damaged { path: path.to_path_buf(), position, why: why.to_owned() };
    let header = FileHeader::decode(bytes.get(..read).unwrap_or_default()).map_err(|fault| match fault {
        HeaderFault::Newer(version) => Error::Newer { path: path.to_path_buf(), version },
        HeaderFault::Damaged(why) => damaged(0, why),
    })?;
    let (mut frontier, mut count, mut torn_bytes) = (Frontier::default(), 0_u64, 0);
    let (mut first, mut last, mut end) = (None, None, header.offset);
    let mut walk = Walk::new(file.as_ref(), path, len64(HEADER), len);
    while let Some(step) = walk.step()? {
        match step {
            Step::Damage { position, until, .. } if until == len && expected.is_none() => torn_bytes = len - position,
            Step::Damage { position, why, .. } => return Err(damaged(position, why)),
            Step::Frame { position, header, .. }
                if header.offset != end || last.is_some_and(|last| header.first <= last) =>
            {
                return Err(damaged(position, "the frame is not the one that belongs here"));
            }
            Step::Frame { header, bytes, .. } => {
                frontier.push(bytes);
                count = count.saturating_add(u64::from(header.count));
                first = first.or(Some(header.first));
                (last, end) = (Some(header.last), header.next());
            }
        }
    }
    let root = frontier.root();
    if expected.is_some_and(|expected| *expected != root) {
        return Err(damaged(0, "the Merkle root of its frames is not the one expected"));
    }
    let bytes = len.saturating_sub(torn_bytes);
    Ok(Verified { tenant: header.tenant, id: header.id, count, first, last, bytes, root, torn_bytes })
}

/// The segment files below the directory of a bus, by tenant, oldest first.
pub fn list_segments(dir: &Path) -> Result<Vec<SegmentFile>> {
    let list = |dir: &Path| RealDisk.list(dir).map_err(io_error("listing", dir));
    let mut found = Vec::new();
    for (tenant, name) in list(dir)?.into_iter().filter_map(|name| Some((name.parse::<TenantId>().ok()?, name))) {
        let dir = dir.join(name).join("0");
        let names = list(&dir)?;
        for name in &names {
            let Some(id) = name.strip_suffix(".seg").and_then(|stem| stem.parse::<EventId>().ok()) else { continue };
            let sealed = names.contains(&format!("{id}.sealed"));
            let id = SegmentId::from_bits(id.bits());
            found.push(SegmentFile { tenant, partition: 0, id, path: dir.join(name), sealed });
        }
    }
    found.sort_by_key(|file| (file.tenant, file.partition, file.id));
    Ok(found)
}

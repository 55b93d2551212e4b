//! Indicators of compromise: addresses, networks, domains, hashes, URLs and e-mail addresses, from lists to hits.
//!
//! `list` reads what people and feeds write; `block` is how entries rest, in the store and in memory; `table` is built over the
//! blocks of many lists and never changes; `find` looks the entities of a batch up. Where a hit comes from is in its record.

mod block;
mod find;
mod hash;
mod list;
mod networks;
mod slots;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub use block::{BLOCK_BYTES, BadBlock, Block, BlockWriter, Entry};
pub use find::{Allowed, IndicatorHit, Indicators};
pub use hash::HashKey;
pub use list::{Defaults, ListFormat, ListReader, ReadList, read_list};
pub use table::{ListBlocks, ListFacts, MAX_INDICATORS, Table, TooLarge};
pub use value::{IndicatorKind, Value};

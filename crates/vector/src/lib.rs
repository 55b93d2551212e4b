//! Byte scanning with vector instructions. The one crate of the workspace with `unsafe` code, because it needs three
//! things that safe Rust does not give: instructions that must first be found on the processor, loads at any address, and
//! loads that reach behind the text they are for.
//!
//! Callers stay safe by types, not by care. A [`View`] is a line with [`AHEAD`] readable bytes behind it, checked once
//! when it is made; everything here takes a `View`, so no caller can make a load leave its buffer. What the processor
//! offers is looked up once ([`Tier::best`]); each kernel is written once over the `block::Block` trait and made three
//! times: AVX-512, AVX2, and plain bytes for every other machine. The plain one is the twin that tests compare with.

mod block;
mod near;
mod needle;
mod stencil;
mod structure;
mod teddy;
mod tier;
mod view;

pub use near::{equal_bytes, equal_words, large_pages, prefetch_item};
pub use needle::Needle;
pub use stencil::Stencil;
pub use structure::Structure;
pub use teddy::Teddy;
pub use tier::Tier;
pub use view::{AHEAD, Padded, View, prefetch};

//! The engine with its first capability, on the simulator and on a real twin. Nothing here touches the host's own
//! netfilter.

mod crash;
mod engine;
mod live;
mod support;

//! Linux hosts: how one is reached, what is read from it, and what can be done to it.

mod block_ip;
mod exec;
mod facts;
mod nft;
mod process;
mod sim;
mod target;
pub mod twin;

pub use block_ip::{BlockIp, Params, State};
pub use target::{Linux, LinuxOptions};
pub use twin::{Twin, TwinOptions, Unavailable};

//! Linux hosts: how one is reached, what is read from it, and what can be done to it.

mod accounts;
mod authorized_key;
mod block_ip;
mod block_range;
mod cron_entry;
mod disable_user;
mod exec;
mod facts;
mod ground;
pub mod hand;
mod isolate_host;
mod kill_process;
mod lasting;
mod lines;
mod nft;
mod process;
mod proofs;
mod quarantine_file;
pub mod rooted;
mod sim;
mod sockets;
mod staged;
mod target;
pub mod twin;

pub use authorized_key::RemoveAuthorizedKey;
pub use block_ip::{BlockIp, Params, State};
pub use block_range::BlockRange;
pub use cron_entry::DisableCronEntry;
pub use disable_user::DisableUser;
pub use isolate_host::IsolateHost;
pub use kill_process::KillProcess;
pub use nft::isolation::Way;
pub use quarantine_file::QuarantineFile;
pub use rooted::{Rooted, RootedOptions};
pub use target::{Linux, LinuxOptions};
pub use twin::{Twin, TwinOptions, Unavailable};

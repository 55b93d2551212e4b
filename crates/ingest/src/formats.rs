//! Formats: bytes in, values out. No clock, no sockets, no runtime.

pub mod access;
pub mod accounts;
pub mod audit;
pub mod bulk;
pub mod cef;
pub mod class;
mod cloud;
pub mod cron;
pub mod device;
pub mod evtx_file;
pub mod facts;
pub mod flat;
pub mod hec;
pub mod leef;
mod normalise;
pub mod pam;
pub mod programs;
pub mod recognise;
pub mod shape;
pub mod slots;
pub mod sshd;
pub mod sudo;
pub mod syslog;
pub mod time;
pub mod windows;
mod zeek;

pub use normalise::{Problem, normalise, normalise_checked, normalise_parts};

/// Syslog lines, alone or inside a JSON object, and journal entries.
pub const SYSLOG: &str = "syslog/1";
/// Web access lines, or JSON under the same names.
pub const ACCESS: &str = "access/1";
/// Audit records of one serial, one a line.
pub const AUDIT: &str = "audit/1";
/// Windows events as JSON.
pub const WINDOWS: &str = "windows/1";
/// Any other JSON object.
pub const JSON: &str = "json/1";
/// Any other text.
pub const TEXT: &str = "text/1";

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The source's name: the sender's word for it, else by shape (`sshd`, `nginx`, `auditd`, `windows`).
    pub source: String,
    /// The parser that reads it and its version.
    pub format: &'static str,
}

//! The configuration as the server uses it: typed, checked, and with nothing left to go wrong but the world.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use jiff::tz::TimeZone;
use shieldops_model::tenant::SettingsBase;

use super::{DatabaseUrl, Roles};

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The file that all of it was read from, where there is one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) behind_proxy: bool,
    /// Nobody's, unless `behind_proxy`.
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) roles: Roles,
    /// Without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) database: Option<DatabaseUrl>,
    pub(crate) keys_dir: Option<PathBuf>,
    /// Whether requests are limited by rate.
    pub(crate) limits: bool,
    /// What holds where a tenant says nothing itself.
    pub(crate) base: SettingsBase,
    pub(crate) tls: Option<CertFiles>,
    pub(crate) log: Log,
    pub(crate) rules: Rules,
    pub(crate) intel: Intel,
    pub(crate) bus: Bus,
    pub(crate) ingest: Ingest,
    pub(crate) detect: Detect,
    pub(crate) investigate: Investigate,
    /// Absent: nobody is told by e-mail.
    pub(crate) smtp: Option<Smtp>,
    pub(crate) egress: Egress,
    /// The crash point of a test of recovery.
    pub(crate) crash_at: Option<String>,
}

impl Settings {
    /// Where the state is; with the password of its database.
    pub(crate) fn store(&self, demo: bool) -> shieldops_store::Options {
        shieldops_store::Options {
            data_dir: self.data_dir.clone(),
            demo,
            database_url: self.database.as_ref().map(|url| url.expose().to_owned()),
            keys_dir: self.keys_dir.clone(),
        }
    }

    /// Files and folders besides the data directory with which everything here could be opened, or that it cannot start
    /// without.
    pub(crate) fn own_places(&self) -> Vec<PathBuf> {
        let mut places: Vec<PathBuf> = self.file.iter().chain(&self.keys_dir).cloned().collect();
        places.extend(self.tls.iter().flat_map(|files| [files.cert.clone(), files.key.clone()]));
        places.extend(self.smtp.iter().filter_map(|smtp| smtp.login.as_ref()).map(|(_, file)| file.clone()));
        places
    }
}

/// Certificate chain and key, both in PEM.
#[derive(Debug, Clone)]
pub(crate) struct CertFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) level: tracing::Level,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) dirs: Vec<PathBuf>,
    /// How a rule is that a tenant did not set.
    pub(crate) state: shieldops_store::rule_states::State,
    pub(crate) pipelines: Vec<PathBuf>,
    pub(crate) mappings_off: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Intel {
    pub(crate) indicator_files: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) struct Bus {
    pub(super) max_bytes: u64,
    pub(super) retention: Duration,
    pub(super) segment_bytes: u64,
}

impl Bus {
    pub(crate) fn limits(&self, max_event_bytes: usize) -> shieldops_bus::Limits {
        shieldops_bus::Limits {
            max_bytes: self.max_bytes,
            retention: self.retention,
            segment_bytes: self.segment_bytes,
            event_bytes: max_event_bytes,
            ..shieldops_bus::Limits::default()
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    pub(crate) max_body_bytes: usize,
    pub(crate) max_event_bytes: usize,
    pub(super) memory_bytes: usize,
    pub(crate) dead_letter_bytes: u64,
    pub(crate) syslog: Syslog,
    pub(crate) files: Vec<Follow>,
    pub(crate) journal: bool,
    pub(crate) journal_file: Option<PathBuf>,
    pub(super) zone: TimeZone,
    /// Of the bus: an event older than what is kept is flagged.
    pub(super) retention: Duration,
}

impl Ingest {
    pub(crate) fn limits(&self) -> shieldops_ingest::Limits {
        shieldops_ingest::Limits {
            event_bytes: self.max_event_bytes,
            memory_bytes: self.memory_bytes,
            retention: self.retention,
            zone: self.zone.clone(),
            ..shieldops_ingest::Limits::default()
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Syslog {
    pub(crate) udp: Option<SocketAddr>,
    pub(crate) tcp: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
}

impl Syslog {
    /// Something listens for it.
    pub(crate) fn any(&self) -> bool {
        self.udp.is_some() || self.tcp.is_some() || self.tls.is_some()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Follow {
    pub(crate) path: PathBuf,
    pub(crate) source: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Detect {
    pub(crate) dedupe_window: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Investigate {
    pub(crate) revise_after: Duration,
    pub(crate) revise_within: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Smtp {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: shieldops_deliver::Security,
    /// Name, and the file of the password.
    pub(crate) login: Option<(String, PathBuf)>,
    pub(crate) from: String,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Where webhooks may go beside the public internet.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    pub(crate) allow: Vec<IpNet>,
    pub(crate) ca_file: Option<PathBuf>,
}

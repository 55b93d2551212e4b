//! The configuration as it is written. The comments here are the reference: `docs/reference/configuration.md` is made of
//! this file, field by field.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shieldops_model::tenant::SettingsBase;

use super::secret::DatabaseUrl;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Raw {
    /// The folder that holds state, events, keys and checkpoints. It is made when absent, and should be readable by its owner only.
    pub(super) data_dir: PathBuf,
    /// The address and port to serve on. A loopback address is plain http; any other is TLS, unless `behind_proxy` is set.
    pub(super) listen: String,
    /// A proxy in front of the server ends TLS, so the server itself speaks plain http on every address.
    pub(super) behind_proxy: bool,
    /// The addresses of those proxies, each alone or as a range such as `10.1.0.0/16`. Only their `X-Forwarded-For` is believed; without them nobody's is, and everybody has the proxy's address.
    pub(super) trusted_proxies: Vec<String>,
    /// What this process does: `ingest`, `detect`, `respond`, `api`. All of it by default; `ingest` and `detect` share the log of events and go together.
    pub(super) roles: Vec<String>,
    /// The address under which people reach the installation, such as `https://shieldops.example.org`: links begin with it, and passkeys belong to its host.
    pub(super) public_url: Option<String>,
    pub(super) database: Database,
    pub(super) keys: Keys,
    pub(super) limits: Limits,
    pub(super) sessions: Sessions,
    pub(super) tls: Tls,
    pub(super) log: Log,
    pub(super) rules: Rules,
    pub(super) intel: Intel,
    pub(super) bus: Bus,
    pub(super) ingest: Ingest,
    pub(super) detect: Detect,
    pub(super) investigate: Investigate,
    pub(super) smtp: Smtp,
    pub(super) egress: Egress,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            listen: "127.0.0.1:8420".to_owned(),
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            roles: ["ingest", "detect", "respond", "api"].map(str::to_owned).to_vec(),
            public_url: None,
            database: Database::default(),
            keys: Keys::default(),
            limits: Limits::default(),
            sessions: Sessions::default(),
            tls: Tls::default(),
            log: Log::default(),
            rules: Rules::default(),
            intel: Intel::default(),
            bus: Bus::default(),
            ingest: Ingest::default(),
            detect: Detect::default(),
            investigate: Investigate::default(),
            smtp: Smtp::default(),
            egress: Egress::default(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Database {
    /// The PostgreSQL database that holds the state, such as `postgres://user:password@host/shieldops?sslmode=verify-full`. Absent: SQLite in the data directory.
    pub(super) url: Option<DatabaseUrl>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keys {
    /// The folder of the keys, which the processes of one installation share. Absent: `keys/` of the data directory.
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    /// Whether requests are limited by rate. A tenant's settings may only lower the numbers.
    pub(super) enabled: bool,
    /// Requests a second of one person, token or key; a whole tenant has ten times that.
    pub(super) interactive_per_s: u32,
    /// Requests at once, before the rate counts.
    pub(super) burst: u32,
    /// Requests a second that work on many things: bulk changes and exports.
    pub(super) batch_per_s: u32,
    /// Bytes of events a second of one token; a whole tenant has ten times that.
    pub(super) ingest_bytes_per_s: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sessions {
    /// Minutes without a request after which a session ends. A tenant may set its own, 5 to 1,440.
    pub(super) idle_minutes: u32,
    /// Hours after which a session ends in any case. A tenant may set its own, 1 to 168.
    pub(super) hours: u32,
    /// Days after which a personal token ends. A tenant's settings may only shorten it.
    pub(super) token_days: u32,
    /// Whether every tenant requires a second factor. A tenant may require one by itself.
    pub(super) require_second_factor: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        let base = SettingsBase::default();
        Self {
            idle_minutes: base.session_idle_minutes,
            hours: base.session_hours,
            token_days: base.token_days,
            require_second_factor: base.require_second_factor,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let base = SettingsBase::default();
        Self {
            enabled: true,
            interactive_per_s: base.interactive_per_s,
            burst: base.burst,
            batch_per_s: base.batch_per_s,
            ingest_bytes_per_s: base.ingest_bytes_per_s,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tls {
    /// The certificate chain, in PEM. Without it a self-signed certificate is made on first need, in `tls/` of the data directory.
    pub(super) cert_file: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    pub(super) key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    /// The least level that is logged to standard error: `error`, `warn`, `info`, `debug` or `trace`.
    pub(super) level: String,
    /// The form of a log line: `text` or `json`.
    pub(super) format: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: "text".to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rules {
    /// Folders of Sigma rules in any layout, used besides the built-in ones and looked at again every 5 s.
    pub(super) dirs: Vec<PathBuf>,
    /// How built-in rules and those of the folders start, until a tenant sets them: `enabled`, `shadow` (matches are counted and raise no alert) or `draft` (not evaluated).
    pub(super) dirs_state: String,
    /// Folders of processing pipelines (pySigma's YAML), applied to every rule by priority and then by name; `placeholders/<name>.txt` in them are lists for `expand`, one value a line.
    pub(super) pipelines: Vec<PathBuf>,
    /// Mappings of field names that come with the product and are not to be used: linux-auditd, windows-4688, web-access, windows-channels, sysmon, cloudtrail, okta, azure, gcp, kubernetes, zeek, ocsf, winlogbeat, ecs.
    pub(super) mappings_off: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { dirs: Vec::new(), dirs_state: "enabled".to_owned(), pipelines: Vec::new(), mappings_off: Vec::new() }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Intel {
    /// Lists of indicators, one a line: addresses, networks, domains, URLs and file hashes.
    pub(super) indicator_files: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Bus {
    /// The bytes that events of all tenants may take on disk. A tenant's senders are told to wait when its events not yet processed reach 90 % of what the others leave it, never below an equal part. To make room, only those that hold more than their share lose processed events.
    pub(super) max_bytes: u64,
    /// Hours after which processed events are deleted. A clock that is more than an hour ahead of the time since the start deletes nothing sooner: age goes by the time since the start then, until the clock is right or the server starts anew.
    pub(super) retention_hours: u64,
    /// Bytes at which a segment of the event log is sealed and covered by the ledger, at most 1 GiB.
    pub(super) segment_bytes: u64,
}

impl Default for Bus {
    fn default() -> Self {
        Self { max_bytes: 10 << 30, retention_hours: 168, segment_bytes: 64 << 20 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ingest {
    /// The largest body of a request, in bytes after decompression, at most 32 MiB.
    pub(super) max_body_bytes: u64,
    /// The largest event, in bytes, at most 8 MiB. A longer line is refused and its beginning kept as a dead letter.
    pub(super) max_event_bytes: u64,
    /// Bytes of memory that all bodies on their way in may take together, packed and unpacked, at least 192 MiB. Over it senders are told to come again.
    pub(super) memory_bytes: u64,
    /// Bytes on disk that dead letters may take, per tenant, at least 16 MiB. The oldest go first, and `ingest/stats` says how many went.
    pub(super) dead_letter_bytes: u64,
    /// The time zone of stamps that name none, such as those of classic syslog: `UTC` or an IANA name.
    pub(super) timezone: String,
    pub(super) syslog: Syslog,
    /// Files to follow, each a table of `path` and, when the lines do not show it, `source`. Rotation is noticed.
    pub(super) files: Vec<Follow>,
    /// Follow this machine's systemd journal.
    pub(super) journal: bool,
    /// A journal file to read in place of this machine's journal.
    pub(super) journal_file: Option<PathBuf>,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_event_bytes: 1 << 20,
            memory_bytes: 256 << 20,
            dead_letter_bytes: 1 << 30,
            timezone: "UTC".to_owned(),
            syslog: Syslog::default(),
            files: Vec::new(),
            journal: false,
            journal_file: None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Syslog {
    /// The address and port for syslog over UDP. Absent: off.
    pub(super) udp: Option<String>,
    /// The address and port for syslog over TCP. Absent: off.
    pub(super) tcp: Option<String>,
    /// The address and port for syslog over TLS, with the certificate of `tls`. Absent: off.
    pub(super) tls: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Follow {
    pub(super) path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Detect {
    /// Seconds in which matches of one rule about the same entities become one alert with a count.
    pub(super) dedupe_window_s: u64,
}

impl Default for Detect {
    fn default() -> Self {
        Self { dedupe_window_s: 300 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Investigate {
    /// Seconds after the last change of an incident until it is investigated again.
    pub(super) revise_after_s: u64,
    /// Seconds after which it is investigated again even while changes go on.
    pub(super) revise_within_s: u64,
}

impl Default for Investigate {
    fn default() -> Self {
        Self { revise_after_s: 5, revise_within_s: 30 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Smtp {
    /// The mail server by which people are told of what waits for them. Absent: nobody is told by e-mail.
    pub(super) host: Option<String>,
    /// The port of the mail server: 587 for `starttls`, 465 for `tls`.
    pub(super) port: u32,
    /// How the connection is secured: `starttls`, `tls`, or `none`, which is only for a mail server on this machine.
    pub(super) tls: String,
    /// The name to sign in with. Absent: nobody signs in.
    pub(super) user: Option<String>,
    /// The file that holds the password, alone on its first line. It should be readable by its owner only.
    pub(super) password_file: Option<PathBuf>,
    /// Whom letters come from, such as `ShieldOps <shieldops@example.org>`.
    pub(super) from: Option<String>,
    /// Certificates in PEM that are trusted beside the public ones, for a mail server of a private authority.
    pub(super) ca_file: Option<PathBuf>,
}

impl Default for Smtp {
    fn default() -> Self {
        let tls = "starttls".to_owned();
        Self { host: None, port: 587, tls, user: None, password_file: None, from: None, ca_file: None }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Egress {
    /// Networks beside the public internet to which webhooks may go, each an address or a range such as `10.1.0.0/16`; to these plain http is taken as well. Whoever may set a webhook reaches what is named here.
    pub(super) allow: Vec<String>,
    /// Certificates in PEM that are trusted beside the public ones, for receivers of a private authority.
    pub(super) ca_file: Option<PathBuf>,
}

//! Everything enters as an event: an envelope and the untouched bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Entity, EventId, TenantId, Timestamp};

/// Where a rule applies: Sigma's product, categories and service. Metadata, never a field of the event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
pub struct LogSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// An event may have several: Sysmon 13 is `registry_set` and `registry_event`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Whether the event's own time can be used in windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeQuality {
    /// Taken from the event.
    Good,
    /// The event has none: the time of ingest stands in.
    Missing,
    /// More than ten minutes ahead of the server: windows use the time of ingest.
    Future,
    /// Older than the retention: windows use the time of ingest.
    Old,
}

/// One event as the bus keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub tenant: TenantId,
    /// The source's name: from the request, the token, or recognised by shape (`sshd`, `nginx`, `auditd`, `windows`).
    pub source: String,
    /// The parser that reads the bytes and its version: `syslog/1`, `json/1`.
    pub format: String,
    pub time: Timestamp,
    pub ingested_at: Timestamp,
    pub time_quality: TimeQuality,
    /// A demonstration's event: labelled so on every surface.
    pub demo: bool,
    /// It came by a listener that asks nobody who they are (syslog): whoever reaches the port may have made it up.
    pub unchecked: bool,
    /// The bytes as they came.
    pub raw: bytes::Bytes,
}

impl Event {
    /// The time that windows use.
    pub fn window_time(&self) -> Timestamp {
        match self.time_quality {
            TimeQuality::Good => self.time,
            TimeQuality::Missing | TimeQuality::Future | TimeQuality::Old => self.ingested_at,
        }
    }
}

/// What the normaliser makes of an event: source fields for Sigma, typed facts for everything else. A pure function of
/// source, format and bytes; computed when needed and never stored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Normalised {
    pub log_source: LogSource,
    /// One flat JSON object: the source's own field names, which Sigma rules read.
    pub flat: String,
    pub ocsf: Ocsf,
    /// Entities in a stable order, without duplicates.
    pub entities: Vec<Entity>,
}

/// The typed facts of an event, in OCSF 1.5 terms. `class_uid` 0 is the base event: nothing more is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Ocsf {
    pub class_uid: u32,
    pub class_name: String,
    pub activity: String,
    /// `success`, `failure`, or absent where the event does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The machine the event speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The acting user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_user: Option<String>,
    /// The user acted upon (the account of a logon, sudo's target).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Process>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// The login session as the source numbers it (sshd's pid, the audit session id, the Windows logon id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Hashes by algorithm (`md5`, `sha1`, `sha256`), lower-case hex.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hashes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Process {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u64>,
    /// The path of the image, or its name where the source gives no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Http {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path and query as the client sent them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

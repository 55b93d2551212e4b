//! `linux.collect_evidence`: reads files, processes and sockets of a host and keeps them, sealed, with their hashes in the
//! ledger. It changes nothing on the host.

mod file;
mod proving;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Target};
use shieldops_respond::{
    Capability, Child, Class, Collected, Description, Fault, Observed, Permit, Proving, Purpose, Site, Watch,
};

use super::{Linux, ground, look::Look, process, ssh::Remote, target::Access};
use file::Piece;

/// The most files of one action.
const MAX_FILES: usize = 32;
/// The most bytes of one file, unless fewer are asked for.
const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;
const DEFAULT_FILE_BYTES: u64 = 1024 * 1024;
/// The most bytes of all files of one action.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The most bytes of a list of processes or sockets.
const MAX_LIST: usize = 1024 * 1024;
/// What is under these is made when it is read, and reading some of it changes the host.
const NO_FILES: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Absolute paths of regular files.
    #[serde(default, deserialize_with = "paths")]
    pub files: Vec<String>,
    /// Whether to list the processes.
    #[serde(default = "yes")]
    pub processes: bool,
    /// Whether to list the sockets and who holds them.
    #[serde(default = "yes")]
    pub sockets: bool,
    /// The most bytes of each file.
    #[serde(default = "default_bytes", deserialize_with = "bytes")]
    pub max_file_bytes: u64,
}

const fn yes() -> bool {
    true
}

const fn default_bytes() -> u64 {
    DEFAULT_FILE_BYTES
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = u64::deserialize(deserializer)?;
    if (1..=MAX_FILE_BYTES).contains(&bytes) {
        return Ok(bytes);
    }
    Err(D::Error::custom(format!("max_file_bytes: want 1 to {MAX_FILE_BYTES}, got {bytes}")))
}

fn paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut paths = Vec::<String>::deserialize(deserializer)?;
    paths.sort_unstable();
    paths.dedup();
    if paths.len() > MAX_FILES {
        return Err(D::Error::custom(format!("files: want at most {MAX_FILES}, got {}", paths.len())));
    }
    for path in &paths {
        ground::check_path(path).map_err(D::Error::custom)?;
        if NO_FILES.iter().any(|folder| path.starts_with(folder)) {
            let shown = path.escape_debug();
            return Err(D::Error::custom(format!(
                "files: `{shown}` is made by the kernel when it is read: ask for processes or sockets"
            )));
        }
    }
    Ok(paths)
}

/// Where the command line keeps the tokens of whoever signed in on a host, in a folder of theirs.
const PROFILES: &str = "/shieldops/profiles.toml";

#[derive(Debug, Clone)]
pub struct CollectEvidence {
    linux: Arc<Linux>,
}

impl CollectEvidence {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }

    /// A namespace has the files and processes of this very machine: they are not the target's.
    fn check(&self, target: &Target, params: &Params) -> Result<Access, Fault> {
        let access = self.linux.access(target)?;
        let named = target.name.split_once('/');
        let network_only = match named {
            Some(("netns", _)) => true,
            Some(("twin", name)) => self.linux.twin(name).is_some(),
            _ => false,
        };
        if network_only && (params.processes || !params.files.is_empty()) {
            let why = "is a network only: it has no files and processes of its own; ask for its sockets alone";
            return Err(Fault::Refused(format!("{} {why}", target.name)));
        }
        if named.is_none() {
            self.not_our_own(params)?;
        }
        if !params.processes && !params.sockets && params.files.is_empty() {
            return Err(Fault::Params("nothing is asked for: name files, processes or sockets".to_owned()));
        }
        Ok(access)
    }

    /// Whoever could read these could open every tenant's data with them, and approve alone.
    fn not_our_own(&self, params: &Params) -> Result<(), Fault> {
        let own = self.linux.own_places();
        match params.files.iter().find(|file| ground::is_in(file, &own) || file.ends_with(PROFILES)) {
            Some(file) => Err(Fault::Refused(format!("{file} is our own: data, a key, a token, or configuration"))),
            None => Ok(()),
        }
    }

    async fn list(&self, access: &Access, what: Remote, name: &str) -> Result<Collected, Fault> {
        let mut bytes = match access {
            Access::Sim(_) => self.simulated(access, what).await?,
            _ => self.linux.say(access, what, b"").await?.body,
        };
        let note = (bytes.len() > MAX_LIST).then(|| format!("cut at {MAX_LIST} bytes"));
        bytes.truncate(MAX_LIST);
        Ok(Collected { name: name.to_owned(), media_type: "text/plain", bytes, note })
    }

    /// A simulated host's sockets; it has no processes that run.
    async fn simulated(&self, access: &Access, what: Remote) -> Result<Vec<u8>, Fault> {
        if what != Remote::Sockets {
            return Ok(b"simulated: no processes\n".to_vec());
        }
        let live = self.linux.connections(access).await?;
        let lines = live.iter().map(|one| format!("{} ESTAB 0 0 {} {}\n", one.protocol, one.local, one.peer));
        Ok(lines.collect::<String>().into_bytes())
    }

    async fn file(&self, access: &Access, path: &str, most: u64) -> Result<Piece, Fault> {
        if let Access::Sim(_) = access {
            return Ok(Piece::without(path, "simulated: no file was read"));
        }
        let asked = format!("{most}\n{path}\n");
        let said = self.linux.say(access, Remote::File, asked.as_bytes()).await?;
        Piece::parse(path, &said.body, most)
    }

    async fn files(&self, access: &Access, params: &Params, watch: &dyn Watch) -> Result<(), Fault> {
        let (mut manifest, mut left) = (Vec::with_capacity(params.files.len()), MAX_BYTES);
        for path in &params.files {
            let most = params.max_file_bytes.min(left);
            let piece = if most == 0 {
                Piece::without(path, &format!("not read: the limit of {MAX_BYTES} bytes of one action is reached"))
            } else {
                self.file(access, path, most).await?
            };
            left = left.saturating_sub(u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX));
            manifest.push(piece.described());
            if let Some(collected) = piece.collected() {
                watch.collected(collected).await?;
            }
        }
        let bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| Fault::Failed(error.to_string()))?;
        let (name, media_type) = ("files".to_owned(), "application/json");
        watch.collected(Collected { name, media_type, bytes, note: None }).await
    }
}

#[async_trait]
impl Capability for CollectEvidence {
    type Params = Params;
    /// What is to be read: reading leaves the host as it is.
    type State = Params;

    fn describe(&self) -> Description {
        Description {
            name: "linux.collect_evidence",
            title: "Collect evidence from a host",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false,
                "properties": {
                    "files": {"type": "array", "maxItems": MAX_FILES, "items": {"type": "string"}, "description": "absolute paths of regular files", "examples": [["/etc/passwd", "/var/log/auth.log"]]},
                    "processes": {"type": "boolean", "default": true, "description": "list the processes"},
                    "sockets": {"type": "boolean", "default": true, "description": "list the sockets and who holds them"},
                    "max_file_bytes": {"type": "integer", "minimum": 1, "maximum": MAX_FILE_BYTES, "default": DEFAULT_FILE_BYTES, "description": "the most bytes of each file"},
                },
            }),
            class: Class::ReadOnly,
            purpose: Purpose::Containment,
            effects: &["evidence.collect"],
            settle_ms: 0,
            base_risk: 1,
            twin: shieldops_respond::Twin::Network,
            docs: "Reads regular files, the processes and the sockets of the host, and keeps each piece sealed with its SHA-256 \
                   in the ledger; `files` lists size, owner, permissions, time and hash of each file. Symbolic links are not \
                   followed, at the path or on the way to it. What is longer than the limits is cut, and says so.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<Params>, Fault> {
        let access = self.check(target, params)?;
        if !matches!(access, Access::Ssh(_)) {
            return Ok(Observed { state: params.clone(), facts: self.linux.facts(&access).await? });
        }
        let Look { facts, way, .. } = self.linux.look(&access).await?;
        // We come to it from itself: it is this host under another name.
        if way.is_some_and(|way| facts.own_addresses.contains(&way.from.addr())) {
            self.not_our_own(params)?;
        }
        Ok(Observed { state: params.clone(), facts })
    }

    fn desired(&self, state: &Params, _params: &Params) -> Params {
        state.clone()
    }

    async fn apply(&self, site: Site<'_>, _from: &Params, to: &Params, _permit: Permit) -> Result<(), Fault> {
        let access = self.check(site.target, to)?;
        if to.processes {
            site.watch.collected(self.list(&access, Remote::Processes, "processes").await?).await?;
        }
        if to.sockets {
            site.watch.collected(self.list(&access, Remote::Sockets, "sockets").await?).await?;
        }
        if to.files.is_empty() { Ok(()) } else { self.files(&access, to, site.watch).await }
    }

    fn undo_text(&self, _params: &Params) -> String {
        "There is nothing to undo: it only reads.".to_owned()
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn not_checkable(&self, _params: &Params) -> Vec<String> {
        vec!["whether the host shows its own programs all there is: a hidden process or file is not seen".to_owned()]
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}

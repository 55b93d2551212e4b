//! The configured sources: syslog listeners, followed files, the journal. Each pushes into the one door.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use shieldops_api::Metrics;
use shieldops_ingest::sources::{
    Checkpoints, Sink,
    journal::Journal,
    syslog::{SyslogConfig, SyslogLimits, SyslogListener},
    tail::Tail,
};
use shieldops_pipeline::TenantSink;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::Settings;

/// Starts what the settings name.
pub(crate) async fn start(
    settings: &Settings,
    sink: TenantSink,
    (tasks, stop): (&TaskTracker, &CancellationToken),
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let (clock, tenant) = (Arc::clone(sink.intake.store.clock()), sink.tenant);
    // A listener takes lines from anybody; files and the journal are this host's own.
    let listened: Arc<dyn Sink> = Arc::new(TenantSink { unchecked: true, ..sink.clone() });
    let sink: Arc<dyn Sink> = Arc::new(sink);
    let places: Arc<dyn Checkpoints> = Arc::new(Places::open(settings.data_dir.join("places.json"))?);
    let syslog = &settings.ingest.syslog;
    if syslog.any() {
        let tls = syslog
            .tls
            .map(|address| crate::tls::server_config(settings).map(|config| (address, config)))
            .transpose()?;
        let config =
            SyslogConfig { udp: syslog.udp, tcp: syslog.tcp, tls, hint: None, limits: SyslogLimits::default() };
        let listener = SyslogListener::bind(config, clock).await.context("cannot listen for syslog")?;
        metrics.listens(tenant, listener.counters());
        tasks.spawn(listener.run(listened, stop.clone()));
    }
    for file in &settings.ingest.files {
        let tail = Tail::new(vec![file.path.clone()], file.source.clone(), Arc::clone(&places));
        let (sink, stop) = (Arc::clone(&sink), stop.clone());
        tasks.spawn(async move { tail.run(sink, stop).await });
    }
    if settings.ingest.journal || settings.ingest.journal_file.is_some() {
        let file = settings.ingest.journal_file.clone();
        let journal = Journal { follow: file.is_none(), file, hint: None, checkpoints: Arc::clone(&places) };
        let (sink, stop) = (Arc::clone(&sink), stop.clone());
        tasks.spawn(async move {
            if let Err(error) = journal.run(sink, stop).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the journal cannot be read");
            }
        });
    }
    Ok(())
}

/// Where each file and journal was left off: one small JSON file, replaced whole.
struct Places {
    path: PathBuf,
    known: Mutex<BTreeMap<String, String>>,
}

impl Places {
    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let known = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!("{} is damaged: remove it to read the sources from their start", path.display())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self { path, known: Mutex::new(known) })
    }
}

impl Checkpoints for Places {
    fn load(&self, key: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn save(&self, key: &str, value: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key.to_owned(), value.to_owned());
        if let Err(error) = replace(&self.path, &known) {
            tracing::error!(%error, path = %self.path.display(), "the places of sources cannot be kept: lines may come twice after a restart");
        }
    }
}

/// Writes beside the file, syncs, and renames: after a power cut the old one or the new one is there, whole.
fn replace(path: &Path, known: &BTreeMap<String, String>) -> std::io::Result<()> {
    use std::io::Write as _;
    let fresh = path.with_extension("json.new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(known)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

//! `shieldops serve`: opens everything, wires it, serves until told to stop, and drains.

mod chores;
mod demo;
mod listener;
mod notices;
mod outbound;
mod response;
mod roles;
mod sources;
mod tenants;

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use axum::middleware::from_fn;
use shieldops_api::{App, Denials, Limits, Metrics, Sockets};
use shieldops_bus::{Bus, Parts};
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_identity::{Backoff, Passkeys};
use shieldops_model::{Clock, SystemClock, TenantId};
use shieldops_pipeline::{Content, Intake, Pipeline, TenantSink};
use shieldops_respond::Registry;
use shieldops_seal::{Purpose, SealKey};
use shieldops_store::{Store, people::Tenant};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    assets::ASSETS,
    config::{Role, Settings},
    content::BUILT_IN,
    serve::{listener::Listener, outbound::Outbound, tenants::Tenants},
    tls::{self, Mode},
};

/// How long requests may go on after a signal: a client that never ends its own holds up nobody.
const LAST_REQUESTS: Duration = Duration::from_secs(3);
/// How long work may go on after that; a cut-off request is work as well.
const LAST_TASKS: Duration = Duration::from_secs(2);
/// How long sealing may take: ten seconds in all, with a little for twins and the database.
const DRAIN: Duration = Duration::from_secs(3);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(settings: Settings, demo: bool) -> anyhow::Result<ExitCode> {
    let _only_server = Store::lock(&settings.data_dir)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(serve(settings, demo));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn serve(settings: Settings, demo: bool) -> anyhow::Result<()> {
    let tcp = bind(settings.listen).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(&settings.store(demo), Arc::clone(&clock)).await?;
    let tenant = store.first().await?;
    check_demo(demo, &tenant, &settings)?;
    let (presence, tasks, stop) = (Presence::begin(&store).await?, TaskTracker::new(), CancellationToken::new());
    let bus = settings.roles.owns_bus().then(|| open_bus(&settings, &store)).transpose()?;
    let pipeline = pipeline(&settings, &store, bus).await?;
    let intake = pipeline.intake(settings.ingest.limits());
    let linux = Linux::new(LinuxOptions {
        data_dir: settings.data_dir.clone(),
        installation: store.installation().to_owned(),
        clock,
    })
    .context("cannot prepare what runs commands on targets")?;
    linux.protect_places(settings.own_places());
    linux.be_node(store.node());
    let registry = Arc::new(Registry::new(shieldops_connectors::capabilities(Arc::clone(&linux)))?);
    let outbound = Arc::new(Outbound::open(&settings, tcp.local_addr()?)?);
    let targets_ready = CancellationToken::new();
    let tenants = Tenants::new(tenants::Parts {
        store: store.clone(),
        pipeline: pipeline.clone(),
        registry,
        open_syslog: settings.ingest.syslog.any(),
        lifelines: Arc::new(response::lifelines(&settings, tcp.local_addr()?)),
        roles: settings.roles.clone(),
        crash_at: settings.crash_at.clone(),
        outbound: Arc::clone(&outbound),
        stop: stop.clone(),
        targets_ready: targets_ready.clone(),
    });
    let app = app(&settings, (tcp.local_addr()?, &outbound), (&pipeline, &intake), &tenants, (&tasks, &stop));
    tasks.spawn(Denials::keep(Arc::clone(&app)));
    let router = shieldops_api::router(Arc::clone(&app))
        .map_err(|missing| anyhow::anyhow!("routes without authorisation: {}", missing.join(", ")))?;
    pipeline.start_shared(&tasks, &stop);
    tenants.reconcile().await?;
    tasks.spawn(Arc::clone(&tenants).follow());
    tasks.spawn(chores::run(store.clone(), stop.clone()));
    if settings.roles.has(Role::Ingest) {
        sources::start(
            &settings,
            TenantSink { intake: intake.clone(), tenant: tenant.id, unchecked: false },
            (&tasks, &stop),
            &app.metrics,
        )
        .await?;
    }
    let (listener, scheme) = listener(tcp, &settings)?;
    // Heard from here on: whoever reads `ready` may send one.
    tasks.spawn(signalled(signals()?, stop.clone()));
    announce(&store, &tenant, scheme, listener.local_addr()?).await?;
    tasks.spawn(after_ready(AfterReady {
        store: store.clone(),
        intake,
        linux: Arc::clone(&linux),
        tenant,
        demo,
        targets_ready,
    }));
    let router = if settings.roles.has(Role::Api) { router } else { router.layer(from_fn(roles::only_events)) };
    tokio::select! {
        () = listener.serve(router, stop.clone()) => {}
        () = last_requests(&stop) => tracing::warn!("requests that did not end are cut off"),
    }
    stop.cancel();
    drain(&pipeline, &tasks, &tenants, (presence, &linux)).await
}

/// Nothing recorded goes among what is real.
fn check_demo(demo: bool, tenant: &Tenant, settings: &Settings) -> anyhow::Result<()> {
    if demo && !tenant.demo {
        let dir = settings.data_dir.display();
        bail!("--demo: {dir} holds a real tenant; the demonstration wants a data directory of its own");
    }
    Ok(())
}

/// Says that this process lives, until its work has ended.
struct Presence {
    task: TaskTracker,
    gone: CancellationToken,
}

impl Presence {
    async fn begin(store: &Store) -> anyhow::Result<Self> {
        store.come().await?;
        let presence = Self { task: TaskTracker::new(), gone: CancellationToken::new() };
        let (store, gone) = (store.clone(), presence.gone.clone());
        presence.task.spawn(async move { store.stay(&gone).await });
        Ok(presence)
    }

    async fn end(self) {
        self.gone.cancel();
        self.task.close();
        self.task.wait().await;
    }
}

fn app(
    settings: &Settings,
    (address, outbound): (SocketAddr, &Outbound),
    (pipeline, intake): (&Pipeline, &Intake),
    tenants: &Arc<Tenants>,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Arc<App> {
    Arc::new(App {
        store: pipeline.store.clone(),
        intake: intake.clone(),
        pipeline: pipeline.clone(),
        tenants: Arc::clone(tenants) as Arc<dyn shieldops_api::Tenants>,
        backoff: Backoff::default(),
        passkeys: passkeys(settings, address),
        sockets: Sockets::default(),
        limits: Limits::new(settings.limits.then(|| settings.base.clone())),
        base: settings.base.clone(),
        metrics: Metrics::default(),
        denials: Denials::default(),
        tasks: tasks.clone(),
        settings: api_settings(settings, outbound),
        stop: stop.clone(),
    })
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: choose another address with --listen, or stop what uses it")
    })
}

struct BusKeys(Store);

impl shieldops_bus::Keys for BusKeys {
    fn frame_key(&self, tenant: TenantId) -> Result<Arc<SealKey>, String> {
        let key = self.0.keys().data_key(tenant).map_err(|error| error.to_string())?;
        Ok(Arc::new(key.subkey(Purpose::Frame)))
    }
}

fn open_bus(settings: &Settings, store: &Store) -> anyhow::Result<Arc<Bus>> {
    let indexer: shieldops_bus::Indexer = Arc::new(|event| {
        shieldops_ingest::normalise(event).entities.iter().map(shieldops_model::Entity::key).collect()
    });
    let parts = Parts::new(Arc::new(BusKeys(store.clone())), Arc::clone(store.clock()), indexer);
    let bus = Bus::open(&settings.data_dir.join("bus"), settings.bus.limits(settings.ingest.max_event_bytes), parts);
    Ok(Arc::new(bus.context("cannot open the event log")?))
}

async fn pipeline(settings: &Settings, store: &Store, bus: Option<Arc<Bus>>) -> anyhow::Result<Pipeline> {
    let dirs = settings.rules.dirs.clone();
    let state = settings.rules.state;
    let shape = shieldops_pipeline::content::Shape {
        pipelines: settings.rules.pipelines.clone(),
        mappings_off: settings.rules.mappings_off.clone(),
    };
    let load = move || Content::load_shaped(BUILT_IN, dirs, shape, state);
    let content = tokio::task::spawn_blocking(load).await?;
    let book = content.book();
    tracing::info!(rules = book.set.len(), failed = book.failed(), "rules loaded");
    for said in
        book.diagnostics.iter().filter(|said| said.severity == shieldops_detect::DiagnosticSeverity::Error).take(20)
    {
        tracing::warn!("{said}");
    }
    let settings = shieldops_pipeline::Settings {
        indicator_files: settings.intel.indicator_files.clone(),
        dedupe_window: settings.detect.dedupe_window,
        revise_after: settings.investigate.revise_after,
        revise_within: settings.investigate.revise_within,
        dead_letters: shieldops_store::dead_letters::Keep {
            bytes: settings.ingest.dead_letter_bytes,
            ..shieldops_store::dead_letters::Keep::default()
        },
        ..shieldops_pipeline::Settings::default()
    };
    Ok(Pipeline::new(store.clone(), bus, Arc::new(content), settings))
}

/// Passkeys belong to a name, never to an address: that of `public_url`, or `localhost` on a loopback address.
fn passkeys(settings: &Settings, at: SocketAddr) -> Option<Arc<Passkeys>> {
    let local = at.ip().is_loopback().then(|| format!("http://localhost:{}", at.port()));
    let site = settings.public_url.clone().or(local)?;
    match Passkeys::new(&site) {
        Ok(passkeys) => Some(Arc::new(passkeys)),
        Err(error) => {
            tracing::warn!(%error, site, "no passkeys here");
            None
        }
    }
}

fn api_settings(settings: &Settings, outbound: &Outbound) -> shieldops_api::Settings {
    shieldops_api::Settings {
        max_body_bytes: settings.ingest.max_body_bytes,
        version: env!("CARGO_PKG_VERSION"),
        assets: ASSETS,
        behind_proxy: settings.behind_proxy,
        trusted_proxies: settings.trusted_proxies.clone(),
        public_url: settings.public_url.clone(),
        egress: outbound.egress.clone(),
        mails: outbound.mailer.is_some(),
        check_target_name: Linux::check_target_name,
    }
}

fn listener(tcp: TcpListener, settings: &Settings) -> anyhow::Result<(Listener, &'static str)> {
    match tls::mode(settings) {
        Mode::Plain => Ok((Listener::plain(tcp), "http")),
        Mode::Tls => Ok((Listener::tls(tcp, tls::server_config(settings)?), "https")),
    }
}

/// Says where it serves, and the admin link while no administrator has a password.
async fn announce(store: &Store, tenant: &Tenant, scheme: &str, address: SocketAddr) -> anyhow::Result<()> {
    let link = shieldops_identity::admin_link(store, tenant.id).await?;
    let mut out = std::io::stdout().lock();
    if let Some(link) = link {
        let host =
            if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() };
        writeln!(out, "admin link (30 minutes, once): {scheme}://{host}/#claim={}", link.expose())?;
    }
    writeln!(out, "ready {scheme}://{address}")?;
    out.flush()?;
    Ok(())
}

struct AfterReady {
    store: Store,
    intake: Intake,
    linux: Arc<Linux>,
    tenant: Tenant,
    demo: bool,
    targets_ready: CancellationToken,
}

/// What need not hold up the first request: the demonstration's twin, and behind it recovery and the watch over live
/// actions.
async fn after_ready(with: AfterReady) {
    let AfterReady { store, intake, linux, tenant, demo, targets_ready } = with;
    if demo {
        let exe = crate::config::current_exe();
        if let Err(error) = demo::run(store, intake, linux, tenant, exe).await {
            tracing::error!(error = format!("{error:#}"), "the demonstration could not start");
        }
    }
    targets_ready.cancel();
}

async fn last_requests(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_REQUESTS).await;
}

/// SIGTERM and SIGINT.
fn signals() -> anyhow::Result<[Signal; 2]> {
    let hear = |kind| signal(kind).context("signals cannot be heard");
    Ok([hear(SignalKind::terminate())?, hear(SignalKind::interrupt())?])
}

async fn signalled([mut term, mut interrupt]: [Signal; 2], stop: CancellationToken) {
    tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {}, () = stop.cancelled() => {} }
    tracing::info!("draining");
    stop.cancel();
}

/// Ends the workers, seals the log, and closes the state.
async fn drain(
    pipeline: &Pipeline,
    tasks: &TaskTracker,
    tenants: &Tenants,
    (presence, linux): (Presence, &Arc<Linux>),
) -> anyhow::Result<()> {
    tasks.close();
    let all = async { tokio::join!(tasks.wait(), tenants.ended()) };
    if tokio::time::timeout(LAST_TASKS, all).await.is_err() {
        tracing::warn!("some work did not end; the log is sealed without it");
    }
    let work = async {
        presence.end().await;
        if let Ok(bus) = pipeline.bus().cloned() {
            tokio::task::spawn_blocking(move || bus.drain()).await.context("draining the event log")??;
        }
        pipeline.record_segments().await?;
        anyhow::Ok(())
    };
    match tokio::time::timeout(DRAIN, work).await {
        Ok(outcome) => outcome?,
        Err(_late) => tracing::warn!("the drain took too long; the next start recovers what is left"),
    }
    let linux = Arc::clone(linux);
    tokio::task::spawn_blocking(move || linux.stop_twins()).await.context("stopping the twins")?;
    pipeline.store.close().await;
    Ok(())
}

//! The tables of indicators in use: one of the installation's files, one of each tenant's lists. They are built beside the
//! work, on two threads, and swapped between two batches; a change waits a moment for more of them. Until a tenant's tables
//! are there its events are not checked, and every surface says so.
//!
//! In memory and not in a mapped file: see `docs/decisions/0012-indicators-in-memory.md`.

mod files;
mod hits;

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rand::Rng as _;
use shieldops_detect::{Block, Diagnostic, HashKey, IndicatorTable, Indicators, ListBlocks, ListFacts};
use shieldops_model::TenantId;
use shieldops_store::{
    Access, Job, StoreError,
    indicators::{self as stored, IndicatorList, blocks},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use hits::provenance;
pub(crate) use hits::{Sightings, sightings};

use crate::{Pipeline, PipelineError, Result};

/// A change waits so long for more of them.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// A worker that has just begun waits so long for the tables before it goes on without.
const FIRST: Duration = Duration::from_secs(10);
/// Threads that build a table.
const THREADS: usize = 2;

/// A table, and what it was built of.
struct Loaded {
    stamp: u64,
    table: Arc<IndicatorTable>,
    blocks: HashMap<blocks::BlockId, Block>,
    diagnostics: Vec<Diagnostic>,
}

/// See the module.
pub struct IndicatorTables {
    key: HashKey,
    files: Vec<PathBuf>,
    good: Mutex<files::Good>,
    /// The installation's own is that of the files.
    loaded: RwLock<HashMap<TenantId, Arc<Loaded>>>,
    wanted: Mutex<BTreeSet<TenantId>>,
    /// What no table can be built of: it is not tried again before it changes.
    refused: Mutex<HashMap<TenantId, u64>>,
    bell: Notify,
    swapped: Notify,
}

impl IndicatorTables {
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        let mut rng = rand::rng();
        Self {
            key: HashKey([rng.next_u64(), rng.next_u64()]),
            files,
            good: Mutex::default(),
            loaded: RwLock::default(),
            wanted: Mutex::default(),
            refused: Mutex::default(),
            bell: Notify::new(),
            swapped: Notify::new(),
        }
    }

    /// What a tenant's events are looked up in; nothing while that is not loaded.
    pub fn of(&self, tenant: TenantId) -> Option<Indicators> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let (shared, own) = (loaded.get(&TenantId::INSTALLATION)?, loaded.get(&tenant)?);
        Some(Indicators::new([Arc::clone(&shared.table), Arc::clone(&own.table)]))
    }

    /// Whether a tenant's table is that of these changes.
    pub fn is_of(&self, tenant: TenantId, stamp: u64) -> bool {
        self.get(tenant).is_some_and(|loaded| loaded.stamp == stamp)
    }

    /// What is wrong with the files.
    pub fn file_diagnostics(&self) -> Vec<Diagnostic> {
        self.get(TenantId::INSTALLATION).map(|loaded| loaded.diagnostics.clone()).unwrap_or_default()
    }

    /// Indicators of the files.
    pub fn in_files(&self) -> usize {
        self.get(TenantId::INSTALLATION).map_or(0, |loaded| loaded.table.len())
    }

    pub(crate) fn forget(&self, tenant: TenantId) {
        self.loaded.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }

    fn is_refused(&self, tenant: TenantId, stamp: u64) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant) == Some(&stamp)
    }

    fn get(&self, owner: TenantId) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(&owner).map(Arc::clone)
    }

    fn swap(&self, owner: TenantId, loaded: Loaded) {
        self.loaded.write().unwrap_or_else(PoisonError::into_inner).insert(owner, Arc::new(loaded));
        self.swapped.notify_waiters();
    }

    pub(crate) fn want(&self, owner: TenantId) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(owner);
        self.bell.notify_one();
    }

    /// Reads the files again where they changed. Blocking.
    pub fn reload_files(&self) {
        let stamp = files::signature(&self.files);
        if self.is_of(TenantId::INSTALLATION, stamp) {
            return;
        }
        let read = files::read(&self.files, &mut self.good.lock().unwrap_or_else(PoisonError::into_inner));
        let (count, diagnostics) = (read.lists.len(), read.diagnostics);
        match IndicatorTable::build(read.lists, self.key, THREADS) {
            Ok(table) => {
                tracing::info!(files = count, indicators = table.len(), "files of indicators loaded");
                let table = Arc::new(table);
                self.swap(TenantId::INSTALLATION, Loaded { stamp, table, blocks: HashMap::new(), diagnostics });
            }
            Err(error) => {
                tracing::error!(%error, "the files of indicators are not loaded: what was loaded stays in use");
            }
        }
    }
}

/// Asks for a tenant's table to be built anew when it is not of what the store has.
pub(crate) async fn look(pipeline: &Pipeline, tenant: TenantId) -> Result<()> {
    let stamp = stored::stamp(&mut pipeline.store.job(tenant, Job::Pipeline)?.read().await?).await?;
    let tables = &pipeline.indicators;
    if !tables.is_of(tenant, stamp) && !tables.is_refused(tenant, stamp) {
        tables.want(tenant);
    }
    Ok(())
}

/// What a tenant's events are looked up in now, in whichever process; nothing while it is not loaded.
pub async fn current(pipeline: &Pipeline, tenant: TenantId) -> Result<Option<Indicators>> {
    for_batch(pipeline, tenant, false).await
}

/// The tables for a batch. A worker that has just begun waits for the first ones, but not for long.
pub(crate) async fn for_batch(pipeline: &Pipeline, tenant: TenantId, first: bool) -> Result<Option<Indicators>> {
    look(pipeline, tenant).await?;
    let tables = &pipeline.indicators;
    let wait = async {
        loop {
            let swapped = tables.swapped.notified();
            if let Some(found) = tables.of(tenant) {
                return found;
            }
            swapped.await;
        }
    };
    if !first {
        return Ok(tables.of(tenant));
    }
    match tokio::time::timeout(FIRST, wait).await {
        Ok(found) => Ok(Some(found)),
        Err(_late) => {
            tracing::warn!(tenant.id = %tenant, "events are not checked for indicators until the lists are loaded");
            Ok(None)
        }
    }
}

/// Builds what is wanted, one tenant after the other, until `stop`.
pub(crate) async fn run(pipeline: Pipeline, stop: CancellationToken) {
    let tables = Arc::clone(&pipeline.indicators);
    loop {
        let again = Arc::clone(&tables);
        if tokio::task::spawn_blocking(move || again.reload_files()).await.is_err() {
            tracing::error!("reading the files of indicators panicked");
        }
        tokio::select! {
            () = tables.bell.notified() => tokio::time::sleep(DEBOUNCE).await,
            () = tokio::time::sleep(pipeline.settings.reload_every) => {}
            () = stop.cancelled() => return,
        }
        let wanted = std::mem::take(&mut *tables.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        for tenant in wanted {
            tokio::select! {
                built = build(&pipeline, tenant) => if let Err(error) = built {
                    tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "lists of indicators are not loaded: what was loaded stays in use");
                },
                () = stop.cancelled() => return,
            }
        }
    }
}

async fn build(pipeline: &Pipeline, tenant: TenantId) -> Result<()> {
    let tables = &pipeline.indicators;
    let stamp = stored::stamp(&mut pipeline.store.job(tenant, Job::Pipeline)?.read().await?).await?;
    if tables.is_of(tenant, stamp) || tables.is_refused(tenant, stamp) {
        return Ok(());
    }
    let built = build_of(pipeline, tenant, stamp).await;
    if let Err(PipelineError::Store(StoreError::Refused { .. })) = &built {
        tables.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, stamp);
    }
    built
}

async fn build_of(pipeline: &Pipeline, tenant: TenantId, stamp: u64) -> Result<()> {
    let tables = &pipeline.indicators;
    let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
    let known = tables.get(tenant);
    let mut kept = HashMap::new();
    let mut lists = Vec::new();
    for list in stored::all(&mut reader).await?.into_iter().filter(|list| list.about.enabled && list.revision > 0) {
        let mut of_list = Vec::new();
        for id in blocks::ids(&mut reader, list.id, list.revision).await? {
            let block = match known.as_ref().and_then(|known| known.blocks.get(&id)) {
                Some(block) => Some(block.clone()),
                None => whole_block(&mut reader, &list, id).await?,
            };
            kept.extend(block.clone().map(|block| (id, block)));
            of_list.extend(block);
        }
        lists.push(ListBlocks { list: Arc::new(facts(&list)), blocks: of_list });
    }
    drop(reader);
    let key = tables.key;
    let built = tokio::task::spawn_blocking(move || IndicatorTable::build(lists, key, THREADS)).await;
    let table = built.map_err(|_panicked| PipelineError::Panicked)?;
    let table = table.map_err(|error| StoreError::Refused { detail: error.to_string() })?;
    tracing::info!(tenant.id = %tenant, indicators = table.len(), bytes = table.bytes(), "lists of indicators loaded");
    tables.swap(tenant, Loaded { stamp, table: Arc::new(table), blocks: kept, diagnostics: Vec::new() });
    Ok(())
}

/// A block for a table; nothing where it is damaged: what the others hold is looked up all the same.
async fn whole_block(access: &mut impl Access, list: &IndicatorList, id: blocks::BlockId) -> Result<Option<Block>> {
    match read_block(access, list, id).await {
        Err(PipelineError::Store(error @ (StoreError::Refused { .. } | StoreError::Damaged { .. }))) => {
            tracing::error!(tenant.id = %access.tenant(), list.id = %list.id, list.name = list.about.name, %error, "a list of indicators is incomplete: a damaged part of it is left out; import the list again");
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// A block as the store has it.
///
/// # Errors
/// When it is gone since, or damaged.
pub async fn read_block(access: &mut impl Access, list: &IndicatorList, id: blocks::BlockId) -> Result<Block> {
    let bytes = blocks::get(access, list.id, id).await?.ok_or(StoreError::Conflict)?;
    let damaged = |error| StoreError::Refused { detail: format!("{}: {error}", list.about.name) };
    Ok(Block::read(bytes).map_err(damaged)?)
}

fn facts(list: &IndicatorList) -> ListFacts {
    ListFacts {
        id: list.id.to_string(),
        name: list.about.name.clone(),
        source: list.about.source.clone(),
        allow: list.allow,
        confidence: list.about.confidence,
        severity: list.about.severity,
        shared: false,
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::{IdMint, IndicatorListId, Severity};
    use shieldops_store::indicators::{About, Imported};

    use super::*;
    use crate::testing::World;

    fn wants(world: &World) -> bool {
        std::mem::take(&mut *world.pipeline.indicators.wanted.lock().unwrap()).contains(&world.tenant)
    }

    #[tokio::test]
    async fn a_damaged_part_of_a_list_is_left_out_and_nothing_is_read_again_before_lists_change() {
        let world = World::new().await;
        let id: IndicatorListId = IdMint::default().mint(world.now(), &mut rand::rng());
        let about = About {
            name: "feed".to_owned(),
            description: String::new(),
            source: String::new(),
            confidence: None,
            severity: Severity::High,
            valid_days: None,
            enabled: true,
        };
        let mut tx = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().begin().await.unwrap();
        let mut list = stored::create(&mut tx, id, about.clone(), false, world.now()).await.unwrap();
        stored::stage(&mut tx, &mut list).await.unwrap();
        blocks::add(&mut tx, id, list.staged, [1; 16], (b"no block", 1)).await.unwrap();
        let list =
            stored::put_to_use(&mut tx, list, Imported { append: false, refused: 0 }, world.now()).await.unwrap();
        tx.commit(world.now()).await.unwrap();
        look(&world.pipeline, world.tenant).await.unwrap();
        assert!(wants(&world) && build(&world.pipeline, world.tenant).await.is_ok());
        look(&world.pipeline, world.tenant).await.unwrap();
        assert!(!wants(&world), "what is damaged is not tried again");
        assert!(world.pipeline.indicators.get(world.tenant).is_some_and(|loaded| loaded.table.is_empty()));
        let mut tx = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().begin().await.unwrap();
        stored::update(&mut tx, list, About { enabled: false, ..about }, world.now()).await.unwrap();
        tx.commit(world.now()).await.unwrap();
        look(&world.pipeline, world.tenant).await.unwrap();
        assert!(wants(&world) && build(&world.pipeline, world.tenant).await.is_ok());
    }
}

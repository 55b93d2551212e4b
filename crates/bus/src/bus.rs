//! The bus: opens the partitions, hands appends to their writers, answers readers.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use shieldops_model::{Clock, Event, EventId, SegmentId, TenantId, Timestamp};

use crate::{
    Appended, Before, Damage, Deleted, Disk, Error, Frame, Indexer, Keys, Limits, NewEvent, Offset, Page, Query,
    RealDisk, SealedSegment, Stats,
    admit::{self, Waiting},
    error::{Result, io_error},
    frame::Sequence,
    index::Jobs,
    partition::{Context, Log, Partition, lock},
    queue::{Append, Done, Seal},
    read,
    recover::{self, Recovered},
    retention,
    search::{self, Filter},
    segment::State,
    writer::Writer,
};

/// What the bus is given from outside.
pub struct Parts {
    pub keys: Arc<dyn Keys>,
    pub clock: Arc<dyn Clock>,
    pub disk: Arc<dyn Disk>,
    pub indexer: Indexer,
}

impl Parts {
    /// On the file system of this machine.
    pub fn new(keys: Arc<dyn Keys>, clock: Arc<dyn Clock>, indexer: Indexer) -> Self {
        Self { keys, clock, disk: Arc::new(RealDisk), indexer }
    }
}

/// Events in motion. Share it in an `Arc`; dropping it writes what was queued and ends its threads.
pub struct Bus {
    context: Arc<Context>,
    tenants: Mutex<HashMap<TenantId, Tenant>>,
    /// Tenants whose log could not be opened, and why. Nothing of theirs is read or written until it can be.
    shut: Mutex<BTreeMap<TenantId, Error>>,
    indexing: Mutex<Option<JoinHandle<()>>>,
    /// Deleting goes one at a time; whether it was said that the limit of bytes does not hold.
    retention: Mutex<bool>,
}

struct Tenant {
    partition: Arc<Partition>,
    /// Not yet started: where it goes on.
    writer: Option<Writer>,
    thread: Option<JoinHandle<()>>,
}

impl Bus {
    /// Opens the log in `dir`, made if it is not there, and recovers every partition. One that cannot be opened holds up no
    /// other: whoever asks for it gets the error, and retention tries it again.
    pub fn open(dir: &Path, limits: Limits, parts: Parts) -> Result<Self> {
        limits.check()?;
        let Parts { keys, clock, disk, indexer } = parts;
        disk.make_dir(dir).map_err(io_error("creating", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_dir(parent).map_err(io_error("syncing", parent))?;
        }
        let (unprocessed, jobs) = (AtomicU64::new(0), Jobs::default());
        let context = Context { dir: dir.to_path_buf(), limits, keys, clock, disk, indexer, unprocessed, jobs };
        let context = Arc::new(context);
        let bus = Self {
            context: Arc::clone(&context),
            tenants: Mutex::default(),
            shut: Mutex::default(),
            indexing: Mutex::default(),
            retention: Mutex::default(),
        };
        for name in context.disk.list(dir).map_err(io_error("listing", dir))? {
            let Ok(tenant) = name.parse::<TenantId>() else { continue };
            bus.open_tenant(tenant)?;
        }
        let indexing = Arc::clone(&context);
        *lock(&bus.indexing) = Some(spawn("bus-index", move || indexing.jobs.run())?);
        Ok(bus)
    }

    fn open_tenant(&self, tenant: TenantId) -> Result<()> {
        let dir = self.context.dir.join(tenant.to_string()).join("0");
        match recover::recover(&self.context, tenant, &dir) {
            Ok(recovered) => {
                self.take_in(tenant, recovered)?;
                if lock(&self.shut).remove(&tenant).is_some() {
                    tracing::info!(tenant.id = %tenant, "the tenant's log is open again");
                }
            }
            // Not the tenant's matter: this program is too old for the data.
            Err(error @ Error::Newer { .. }) => return Err(error),
            Err(error) => {
                let known = lock(&self.shut).insert(tenant, error.clone());
                if known.is_none() {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(tenant.id = %tenant, error, "a tenant's log cannot be opened: its events are refused until it can be; the others go on");
                }
            }
        }
        Ok(())
    }

    fn take_in(&self, tenant: TenantId, recovered: Recovered) -> Result<()> {
        let Recovered { log, active, unsealed, unindexed } = recovered;
        let partition = Arc::new(Partition::new(Arc::clone(&self.context), tenant, log));
        for id in unindexed {
            self.context.jobs.push(&partition, id);
        }
        // A segment that is open must be sealed in time even if nothing is appended any more.
        let has_work = active.is_some() || !unsealed.is_empty();
        let writer = Some(Writer::new(Arc::clone(&partition), active, unsealed));
        let mut tenants = lock(&self.tenants);
        let entry = tenants.entry(tenant).or_insert(Tenant { partition, writer, thread: None });
        if has_work { entry.start() } else { Ok(()) }
    }

    fn find(&self, tenant: TenantId) -> Option<Arc<Partition>> {
        lock(&self.tenants).get(&tenant).map(|tenant| Arc::clone(&tenant.partition))
    }

    /// The same where an answer without it would be a wrong one.
    fn find_open(&self, tenant: TenantId) -> Result<Option<Arc<Partition>>> {
        let found = self.find(tenant);
        if found.is_none() {
            self.is_open(tenant)?;
        }
        Ok(found)
    }

    fn is_open(&self, tenant: TenantId) -> Result<()> {
        lock(&self.shut).get(&tenant).cloned().map_or(Ok(()), Err)
    }

    /// The partition, made in memory if it is new; `write` starts its writer.
    fn partition(&self, tenant: TenantId, write: bool) -> Result<Arc<Partition>> {
        let mut tenants = lock(&self.tenants);
        if !tenants.contains_key(&tenant) {
            self.is_open(tenant)?;
        }
        let entry = tenants.entry(tenant).or_insert_with(|| {
            let partition = Arc::new(Partition::new(Arc::clone(&self.context), tenant, Log::default()));
            let writer = Some(Writer::new(Arc::clone(&partition), None, Vec::new()));
            Tenant { partition, writer, thread: None }
        });
        if write {
            entry.start()?;
        }
        Ok(Arc::clone(&entry.partition))
    }

    /// Stores the batch and returns when it is durable: all of it or, after an error or a crash, none.
    ///
    /// `producer` is a shipper's name and its number for the batch, which must grow from batch to batch: a number at or
    /// below the last one is a repetition, which is answered as such and stored once.
    pub fn append(&self, tenant: TenantId, events: Vec<NewEvent>, producer: Option<(String, u64)>) -> Result<Appended> {
        let (answer, answered) = mpsc::sync_channel(1);
        let done = Box::new(move |result| drop(answer.send(result)));
        self.submit(tenant, events, producer, done, self.context.limits.queue_wait);
        answered.recv().unwrap_or(Err(Error::Closed))
    }

    /// The same without waiting: `done` is called once it is durable, on the writer's thread (so it must be short), or
    /// at once when the batch is refused. Dropped uncalled only when the bus ends before it could be written.
    pub fn append_then(
        &self,
        tenant: TenantId,
        events: Vec<NewEvent>,
        producer: Option<(String, u64)>,
        done: impl FnOnce(Result<Appended>) + Send + 'static,
    ) {
        self.submit(tenant, events, producer, Box::new(done), Duration::ZERO);
    }

    fn submit(
        &self,
        tenant: TenantId,
        events: Vec<NewEvent>,
        producer: Option<(String, u64)>,
        done: Done,
        wait: Duration,
    ) {
        let admitted = admit::batch(&self.context.limits, &events).and_then(|bytes| Ok((bytes, self.admit(tenant)?)));
        let (bytes, partition) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => return done(Err(error)),
        };
        let sequence = producer.map(|(name, number)| Sequence { producer: producer_hash(&name), number });
        let append = Append { events, sequence, bytes, done };
        if let Err((append, error)) = partition.queue.append(append, wait) {
            (append.done)(Err(error));
        }
    }

    /// The last number of a producer whose batch is stored; none of one that was silent for too long to be remembered.
    pub fn last_number(&self, tenant: TenantId, producer: &str) -> Option<u64> {
        self.find(tenant)?.log().producers.last_number(producer_hash(producer))
    }

    /// The tenant's partition, with its writer, unless it has to wait because too much of it is unprocessed.
    fn admit(&self, tenant: TenantId) -> Result<Arc<Partition>> {
        let partition = self.partition(tenant, true)?;
        let (limits, of_all) = (&self.context.limits, self.context.unprocessed.load(Ordering::SeqCst));
        let bytes = partition.unprocessed_bytes();
        let tenants = lock(&self.tenants);
        let count = u64::try_from(tenants.len()).unwrap_or(u64::MAX);
        let waiting = Waiting { bytes, of_all, tenants: count };
        if !waiting.is_little(limits) {
            let others = tenants.iter().filter(|(id, _)| **id != tenant);
            let others = others.map(|(_, other)| other.partition.stored_bytes()).collect();
            drop(tenants);
            waiting.check(limits, others)?;
        }
        Ok(partition)
    }

    /// Frames from `from` on: at least one when there is data, about `max_bytes` in all; empty at the end. Where
    /// retention has deleted `from`, the first frame begins at the oldest place kept.
    pub fn read(&self, tenant: TenantId, from: Offset, max_bytes: usize) -> Result<Vec<Frame>> {
        self.find_open(tenant)?.map_or(Ok(Vec::new()), |partition| read::read(&partition, from, max_bytes))
    }

    /// Blocks until there is data at or after `from`; false when the time is over.
    pub fn wait(&self, tenant: TenantId, from: Offset, timeout: Duration) -> bool {
        self.partition(tenant, false).is_ok_and(|partition| partition.wait(from, timeout))
    }

    /// The place after the last event.
    pub fn end(&self, tenant: TenantId) -> Offset {
        Offset(self.find(tenant).map_or(0, |partition| partition.log().end))
    }

    /// Tenants that have a log.
    pub fn tenants(&self) -> Vec<TenantId> {
        let mut tenants: Vec<TenantId> = lock(&self.tenants).keys().copied().collect();
        tenants.sort_unstable();
        tenants
    }

    /// All before `offset` is processed: it may be deleted and no longer presses. Until told, nothing is.
    pub fn set_processed(&self, tenant: TenantId, offset: Offset) {
        if let Some(partition) = self.find(tenant) {
            partition.change(|log| log.processed = offset.0.min(log.end));
        }
    }

    /// The event of that id; an error when the bytes that would hold it are damaged.
    pub fn get(&self, tenant: TenantId, id: EventId) -> Result<Option<Event>> {
        self.find_open(tenant)?.map_or(Ok(None), |partition| read::get(&partition, id))
    }

    /// What stands before a place.
    pub fn before(&self, tenant: TenantId, at: Offset) -> Result<Before> {
        match self.find_open(tenant)? {
            Some(partition) => read::before(&partition, at.0),
            None if at.0 == 0 => Ok(Before::Start),
            None => Ok(Before::Beyond { end: Offset(0) }),
        }
    }

    /// The place behind the last event whose id is not above `id`: ids grow in a log, and in one that follows on another.
    pub fn behind(&self, tenant: TenantId, id: EventId) -> Result<Offset> {
        self.find_open(tenant)?.map_or(Ok(Offset(0)), |partition| read::behind(&partition, id))
    }

    /// The events that `filter` takes.
    pub fn scan(&self, tenant: TenantId, query: &Query, filter: Filter<'_>) -> Result<Page> {
        self.search(tenant, None, query, filter)
    }

    /// The events that have the entity key and that `filter` takes.
    pub fn find_by_key(&self, tenant: TenantId, key: u64, query: &Query, filter: Filter<'_>) -> Result<Page> {
        self.search(tenant, Some(key), query, filter)
    }

    fn search(&self, tenant: TenantId, key: Option<u64>, query: &Query, filter: Filter<'_>) -> Result<Page> {
        if let Some(partition) = self.find_open(tenant)? {
            search::search(&partition, key, query, filter)
        } else {
            let mut page = Page::default();
            page.looked.complete = true;
            Ok(page)
        }
    }

    /// Sealed segments after that one, oldest first.
    pub fn sealed_segments(&self, tenant: TenantId, after: Option<SegmentId>) -> Vec<SealedSegment> {
        let Some(partition) = self.find(tenant) else { return Vec::new() };
        let (log, place) = (partition.log(), partition.place);
        // Up to the first that is not: whoever goes on behind the last of these passes none over.
        let later = log.segments.iter().filter(|segment| Some(segment.id) > after);
        let sealed = later.take_while(|segment| segment.state == State::Sealed);
        sealed.map(|segment| segment.summary(&partition.dir, place.tenant, place.partition)).collect()
    }

    /// Seals the active segment now; `None` when there is none.
    pub fn seal(&self, tenant: TenantId) -> Result<Option<SealedSegment>> {
        self.ask_to_seal(tenant, false)
    }

    /// Seals every active segment that is over age. The writers do so by themselves, too.
    pub fn seal_due(&self) -> Result<()> {
        self.tenants().into_iter().try_for_each(|tenant| self.ask_to_seal(tenant, true).map(drop))
    }

    fn ask_to_seal(&self, tenant: TenantId, only_due: bool) -> Result<Option<SealedSegment>> {
        if self.find(tenant).is_none() {
            return Ok(None);
        }
        let partition = self.partition(tenant, true)?;
        let (done, answered) = mpsc::sync_channel(1);
        partition.queue.seal(Seal { only_due, done })?;
        answered.recv().unwrap_or(Err(Error::Closed))
    }

    /// Refuses new appends, writes what is queued, seals every segment and ends the threads.
    pub fn drain(&self) -> Result<()> {
        self.stop(true);
        let partitions = self.partitions();
        let open = partitions.iter().find(|partition| Partition::active(&partition.log()).is_some());
        match open {
            None => Ok(()),
            Some(partition) => {
                let why = "the last segment could not be sealed; it is sealed at the next open".to_owned();
                Err(Error::Damaged { path: partition.dir.clone(), position: 0, why })
            }
        }
    }

    fn stop(&self, seal: bool) {
        let mut threads = Vec::new();
        for tenant in lock(&self.tenants).values_mut() {
            tenant.partition.queue.close(seal);
            threads.extend(tenant.thread.take());
        }
        self.context.jobs.close();
        threads.extend(lock(&self.indexing).take());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the bus panicked");
            }
        }
    }

    fn partitions(&self) -> Vec<Arc<Partition>> {
        lock(&self.tenants).values().map(|tenant| Arc::clone(&tenant.partition)).collect()
    }

    /// Deletes processed, sealed segments: those older than the retention, then the oldest of who holds more than its share
    /// until `max_bytes` hold. Says what was deleted of whom.
    pub fn apply_retention(&self, now: Timestamp) -> BTreeMap<TenantId, Deleted> {
        self.apply_retention_where(now, &|_, _| true)
    }

    /// The same of segments that `may` go: whoever accounts for them has done so. What fails is logged and tried again the next
    /// time; the answer holds what was deleted all the same.
    pub fn apply_retention_where(
        &self,
        now: Timestamp,
        may: &dyn Fn(TenantId, SegmentId) -> bool,
    ) -> BTreeMap<TenantId, Deleted> {
        let mut told = lock(&self.retention);
        let shut: Vec<TenantId> = lock(&self.shut).keys().copied().collect();
        for tenant in shut {
            if let Err(error) = self.open_tenant(tenant) {
                let error: &dyn std::error::Error = &error;
                tracing::error!(tenant.id = %tenant, error, "a tenant's log cannot be opened");
            }
        }
        retention::apply(&self.partitions(), now, may, &mut told)
    }

    pub fn stats(&self, tenant: TenantId) -> Stats {
        let Some(partition) = self.find(tenant) else { return Stats::default() };
        let log = partition.log();
        let mut stats = Stats {
            accepted: log.end,
            segments: u64::try_from(log.segments.len()).unwrap_or(u64::MAX),
            processed: Offset(log.processed),
            lag_events: log.end.saturating_sub(log.processed),
            unprocessed_bytes: log.unprocessed_bytes(),
            oldest: log.segments.front().map(|segment| segment.first),
            newest: log.segments.back().map(|segment| segment.last),
            truncated_bytes: log.truncated_bytes,
            duplicates: log.duplicates,
            ..Stats::default()
        };
        for segment in &log.segments {
            stats.bytes = stats.bytes.saturating_add(segment.bytes);
            if segment.state != State::Sealed {
                stats.unsealed_events = stats.unsealed_events.saturating_add(segment.events);
            }
            let damaged = segment.damage.iter().map(|damage| damage.events).fold(0, u64::saturating_add);
            stats.damaged_events = stats.damaged_events.saturating_add(damaged);
        }
        stats
    }

    #[cfg(test)]
    pub(crate) fn stored_bytes(&self, tenant: TenantId) -> u64 {
        self.find(tenant).map_or(0, |partition| partition.stored_bytes())
    }

    /// Damage found so far, at open or in reading.
    pub fn damage(&self, tenant: TenantId) -> Vec<Damage> {
        let Some(partition) = self.find(tenant) else { return Vec::new() };
        let log = partition.log();
        log.segments.iter().flat_map(|segment| segment.damage.iter().cloned()).collect()
    }

    /// Ends the tenant's writer and deletes its files, processed or not.
    pub fn remove_tenant(&self, tenant: TenantId) -> Result<()> {
        let _one_at_a_time = lock(&self.retention);
        let removed = lock(&self.tenants).remove(&tenant);
        let (partition, thread) = match removed {
            Some(Tenant { partition, thread, .. }) => (partition, thread),
            None if self.is_open(tenant).is_ok() => return Ok(()),
            None => (Arc::new(Partition::new(Arc::clone(&self.context), tenant, Log::default())), None),
        };
        partition.queue.close(false);
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread of the bus panicked");
        }
        partition.change(|log| log.segments.clear());
        let (disk, dir) = (&self.context.disk, &partition.dir);
        for name in disk.list(dir).map_err(io_error("listing", dir))? {
            let path = dir.join(name);
            disk.remove(&path).map_err(io_error("removing", &path))?;
        }
        lock(&self.shut).remove(&tenant);
        for dir in dir.ancestors().take(2) {
            match disk.remove_dir(dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io_error("removing", dir)(error));
                }
                _ => {}
            }
        }
        disk.sync_dir(&self.context.dir).map_err(io_error("syncing", &self.context.dir))
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop(false);
    }
}

impl Tenant {
    fn start(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        self.thread = Some(spawn("bus-writer", move || writer.run())?);
        Ok(())
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(io_error("starting", Path::new(name)))
}

fn producer_hash(name: &str) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    hash.first_chunk().copied().unwrap_or_default()
}

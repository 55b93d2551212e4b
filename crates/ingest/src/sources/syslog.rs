//! The syslog listener: UDP, TCP and TLS, with limits on connections, lines and silence.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use shieldops_model::Clock;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Delivery, Sink, deliver,
    frames::{Frames, one_line},
};
use crate::formats::audit::AuditMerger;

/// Where to listen.
#[derive(Clone, Default)]
pub struct SyslogConfig {
    pub udp: Option<SocketAddr>,
    pub tcp: Option<SocketAddr>,
    pub tls: Option<(SocketAddr, Arc<rustls::ServerConfig>)>,
    /// The source's name; by shape where there is none.
    pub hint: Option<String>,
    pub limits: SyslogLimits,
}

/// What a listener bears.
#[derive(Debug, Clone)]
pub struct SyslogLimits {
    /// Connections at once, TCP and TLS together.
    pub connections: usize,
    /// The longest message in bytes.
    pub line_bytes: usize,
    /// Datagrams that wait for intake; over it they are dropped and counted.
    pub queue: usize,
    /// A connection that is silent for so long is closed.
    pub idle: Duration,
    /// The time a TLS handshake may take.
    pub handshake: Duration,
    /// How much is delivered at once, in bytes.
    pub batch_bytes: usize,
}

impl Default for SyslogLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            line_bytes: 1024 * 1024,
            queue: 8_192,
            idle: Duration::from_mins(10),
            handshake: Duration::from_secs(10),
            batch_bytes: 256 * 1024,
        }
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages received.
    pub received: AtomicU64,
    /// Datagrams lost here because intake was full.
    pub dropped: AtomicU64,
    /// Messages that intake refused.
    pub refused: AtomicU64,
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections turned away at the limit, or closed for a bad frame or handshake.
    pub turned_away: AtomicU64,
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// A listener whose sockets are bound.
pub struct SyslogListener {
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
    tls: Option<(TcpListener, TlsAcceptor)>,
    shared: Shared,
}

/// What every task of a listener needs.
#[derive(Clone)]
struct Shared {
    hint: Option<Arc<str>>,
    limits: SyslogLimits,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// The addresses that are listened on, with the ports that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub udp: Option<SocketAddr>,
    pub tcp: Option<SocketAddr>,
    pub tls: Option<SocketAddr>,
}

impl SyslogListener {
    /// Binds every socket, or none.
    pub async fn bind(config: SyslogConfig, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let udp = match config.udp {
            Some(address) => Some(named(UdpSocket::bind(address).await, "udp", address)?),
            None => None,
        };
        let tcp = match config.tcp {
            Some(address) => Some(named(TcpListener::bind(address).await, "tcp", address)?),
            None => None,
        };
        let tls = match config.tls {
            Some((address, server)) => {
                Some((named(TcpListener::bind(address).await, "tls", address)?, TlsAcceptor::from(server)))
            }
            None => None,
        };
        let shared = Shared {
            hint: config.hint.map(Arc::from),
            slots: Arc::new(Semaphore::new(config.limits.connections)),
            limits: config.limits,
            counters: Arc::default(),
            clock,
            tasks: TaskTracker::new(),
        };
        Ok(Self { udp, tcp, tls, shared })
    }

    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses {
            udp: self.udp.as_ref().map(UdpSocket::local_addr).transpose()?,
            tcp: self.tcp.as_ref().map(TcpListener::local_addr).transpose()?,
            tls: self.tls.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?,
        })
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until cancelled, and until what was received is delivered.
    pub async fn run(self, sink: Arc<dyn Sink>, cancel: CancellationToken) {
        let Self { udp, tcp, tls, shared } = self;
        if let Some(socket) = udp {
            let (sender, receiver) = mpsc::channel(shared.limits.queue.max(1));
            shared.tasks.spawn(receive(socket, sender, shared.clone(), cancel.clone()));
            shared.tasks.spawn(forward(receiver, shared.clone(), Arc::clone(&sink), cancel.clone()));
        }
        if let Some(listener) = tcp {
            shared.tasks.spawn(accept(listener, None, shared.clone(), Arc::clone(&sink), cancel.clone()));
        }
        if let Some((listener, acceptor)) = tls {
            shared.tasks.spawn(accept(listener, Some(acceptor), shared.clone(), Arc::clone(&sink), cancel.clone()));
        }
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

fn named<T>(result: io::Result<T>, what: &str, address: SocketAddr) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("syslog {what} {address}: {error}")))
}

/// Reads datagrams into the queue. It never waits for intake: a full queue drops, and counts.
async fn receive(socket: UdpSocket, queue: mpsc::Sender<Bytes>, shared: Shared, cancel: CancellationToken) {
    let mut buffer = vec![0_u8; 65_536];
    loop {
        let received = tokio::select! {
            () = cancel.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        let Ok((length, _)) = received else { continue };
        count(&shared.counters.received, 1);
        let message = one_line(BytesMut::from(buffer.get(..length).unwrap_or_default()));
        if !message.is_empty() && queue.try_send(message).is_err() {
            lost(&shared.counters);
        }
    }
}

/// Counts a datagram that is lost, and says so at the first and whenever there are twice as many.
fn lost(counters: &Counters) {
    let dropped = counters.dropped.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    if dropped.is_power_of_two() {
        tracing::warn!(dropped, "syslog datagrams were lost since the start: intake is full");
    }
}

/// How long datagrams are gathered, and audit records looked for, before a delivery.
const GATHER: Duration = Duration::from_millis(20);

/// Delivers what datagrams bring, in batches.
async fn forward(mut queue: mpsc::Receiver<Bytes>, shared: Shared, sink: Arc<dyn Sink>, cancel: CancellationToken) {
    let mut batch = Batch::new(&shared);
    loop {
        let mut messages = Vec::with_capacity(256);
        let taken = timeout(Duration::from_millis(500), queue.recv_many(&mut messages, 256)).await;
        let closed = taken == Ok(0);
        batch.add(messages);
        if batch.size < shared.limits.batch_bytes && !closed && taken.is_ok() {
            tokio::time::sleep(GATHER).await;
            let mut more = Vec::with_capacity(256);
            while let Ok(message) = queue.try_recv() {
                more.push(message);
                if more.len() >= 4_096 {
                    break;
                }
            }
            batch.add(more);
        }
        if batch.deliver(&*sink, &cancel, closed).await == Delivery::Stopped || closed {
            return;
        }
    }
}

/// Takes connections, up to the limit.
async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Shared,
    sink: Arc<dyn Sink>,
    cancel: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, mostly: the next attempt would fail at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
            count(&shared.counters.turned_away, 1);
            tracing::warn!(%peer, limit = shared.limits.connections, "syslog connection turned away: too many");
            continue;
        };
        count(&shared.counters.connections, 1);
        let (shared, sink, cancel, tls) = (shared.clone(), Arc::clone(&sink), cancel.clone(), tls.clone());
        shared.tasks.clone().spawn(async move {
            connection(stream, tls, &shared, &*sink, &cancel).await;
            drop(slot);
        });
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: &Shared,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) {
    let Some(acceptor) = tls else { return read(stream, shared, sink, cancel).await };
    match timeout(shared.limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Box::pin(read(stream, shared, sink, cancel)).await,
        Ok(Err(error)) => {
            count(&shared.counters.turned_away, 1);
            tracing::debug!(%error, "syslog TLS handshake failed");
        }
        Err(_) => count(&shared.counters.turned_away, 1),
    }
}

/// Reads one connection to its end. While intake is full nothing is read, so that the sender waits.
async fn read(mut stream: impl AsyncRead + Unpin + Send, shared: &Shared, sink: &dyn Sink, cancel: &CancellationToken) {
    let mut frames = Frames::new(shared.limits.line_bytes);
    let mut batch = Batch::new(shared);
    let mut silent = Duration::ZERO;
    loop {
        let got = tokio::select! {
            () = cancel.cancelled() => break,
            got = timeout(TICK, stream.read_buf(frames.buffer())) => got,
        };
        match got {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => silent = Duration::ZERO,
            Err(_) => {
                silent = silent.saturating_add(TICK);
                if silent >= shared.limits.idle {
                    break;
                }
            }
        }
        match frames.messages() {
            Ok(messages) => {
                count(&shared.counters.received, messages.len());
                batch.add(messages);
            }
            Err(error) => {
                count(&shared.counters.turned_away, 1);
                tracing::warn!(%error, "syslog connection closed");
                break;
            }
        }
        if batch.deliver(sink, cancel, false).await == Delivery::Stopped {
            return;
        }
    }
    let rest = frames.rest();
    count(&shared.counters.received, usize::from(rest.is_some()));
    batch.add(rest);
    batch.deliver(sink, cancel, true).await;
}

/// How often a silent connection is looked at.
const TICK: Duration = Duration::from_millis(500);

/// Messages on their way to intake. Audit records wait for the rest of their serial.
struct Batch<'a> {
    shared: &'a Shared,
    audit: AuditMerger,
    ready: Vec<Bytes>,
    size: usize,
}

impl<'a> Batch<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, audit: AuditMerger::new(), ready: Vec::new(), size: 0 }
    }

    fn add(&mut self, messages: impl IntoIterator<Item = Bytes>) {
        for message in messages {
            if memchr::memmem::find(&message, b"msg=audit(").is_some() {
                let complete = self.audit.push(&message, self.shared.clock.now());
                for event in complete {
                    self.ready(event);
                }
            } else {
                self.ready(message);
            }
        }
    }

    fn ready(&mut self, message: Bytes) {
        self.size = self.size.saturating_add(message.len());
        self.ready.push(message);
    }

    /// Delivers what is ready; at the end also what waits.
    async fn deliver(&mut self, sink: &dyn Sink, cancel: &CancellationToken, last: bool) -> Delivery {
        let due = if last { self.audit.drain() } else { self.audit.due(self.shared.clock.now()) };
        for event in due {
            self.ready(event);
        }
        self.size = 0;
        let messages = std::mem::take(&mut self.ready);
        for chunk in chunks(messages, self.shared.limits.batch_bytes) {
            match deliver(sink, self.shared.hint.as_deref(), chunk.joined, None, cancel).await {
                Delivery::Accepted => {}
                Delivery::Refused => count(&self.shared.counters.refused, chunk.messages),
                Delivery::Stopped => return Delivery::Stopped,
            }
        }
        Delivery::Accepted
    }
}

struct Chunk {
    joined: Bytes,
    messages: usize,
}

/// Messages joined by line ends, each piece at most `limit` bytes or one message.
fn chunks(messages: Vec<Bytes>, limit: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut joined = BytesMut::new();
    let mut count = 0_usize;
    for message in messages {
        if !joined.is_empty() && joined.len().saturating_add(message.len()) > limit {
            chunks.push(Chunk { joined: joined.split().freeze(), messages: std::mem::take(&mut count) });
        }
        joined.extend_from_slice(&message);
        joined.extend_from_slice(b"\n");
        count = count.saturating_add(1);
    }
    if !joined.is_empty() {
        chunks.push(Chunk { joined: joined.freeze(), messages: count });
    }
    chunks
}

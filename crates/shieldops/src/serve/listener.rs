//! The socket of the service and its connections: plain on loopback or behind a proxy, TLS elsewhere. A connection has a time
//! for its handshake, for each head of a request and between two pieces of a body, so that none is held by sending nothing.

mod unread;

use std::{
    convert::Infallible,
    future::Future as _,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;
use tower_http::timeout::TimeoutBody;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Time for the TLS handshake.
    handshake: Duration,
    /// Time for the head of a request, counted from the answer before it: an idle connection is closed then, too.
    head: Duration,
    /// Time between two pieces of a body.
    body: Duration,
    /// A connection on which nothing moves for so long is closed: longer than any request may take.
    idle: Duration,
    /// Bytes of a head, and of what is read ahead of a body.
    buffer_bytes: usize,
    /// Headers of a request.
    headers: usize,
    /// Connections at a time: files stay open for log and state when more want in.
    connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            buffer_bytes: 64 * 1024,
            headers: 64,
            connections: 800,
        }
    }
}

/// The bound socket.
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
}

impl Listener {
    pub(crate) fn plain(tcp: TcpListener) -> Self {
        Self { tcp, tls: None, limits: Limits::default() }
    }

    pub(crate) fn tls(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self { tcp, tls: Some(TlsAcceptor::from(config)), limits: Limits::default() }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until told to stop, and until the requests that had begun are answered.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken) {
        let Self { mut tcp, tls, limits } = self;
        let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(limits.connections)));
        loop {
            let next = async { (place(&places).await, axum::serve::Listener::accept(&mut tcp).await) };
            let (place, (stream, peer)) =
                tokio::select! { accepted = next => accepted, () = stop.cancelled() => break };
            let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
            tasks.spawn(async move {
                let Some(socket) = open(stream, tls, limits, &stop).await else { return };
                serve_connection(Stream::new(socket, place, limits.idle), peer, router, limits, stop).await;
            });
        }
        drop(tcp);
        tasks.close();
        tasks.wait().await;
    }
}

/// A place among the connections, once there is one.
async fn place(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    match Arc::clone(places).acquire_owned().await {
        Ok(place) => place,
        // It is never closed.
        Err(_closed) => std::future::pending().await,
    }
}

/// The socket after its handshake, if that came in time.
async fn open(stream: TcpStream, tls: Option<TlsAcceptor>, limits: Limits, stop: &CancellationToken) -> Option<Socket> {
    let Some(acceptor) = tls else { return Some(Socket::Plain(stream)) };
    let handshake = timeout(limits.handshake, acceptor.accept(stream));
    let done = tokio::select! { done = handshake => done, () = stop.cancelled() => return None };
    match done {
        Ok(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_late) => None,
    }
}

async fn serve_connection(stream: Stream, peer: SocketAddr, router: Router, limits: Limits, stop: CancellationToken) {
    let service = service_fn(move |request| answer(router.clone(), request, peer, limits.body));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.headers)
        .max_buf_size(limits.buffer_bytes);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    mut router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    body: Duration,
) -> Result<Response, Infallible> {
    let answer = |request: Request<unread::Lent>| {
        let mut request = request.map(|lent| Body::new(TimeoutBody::new(body, lent)));
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    };
    unread::read_on(request, answer).await
}

/// A connection that ends when nothing moves on it.
struct Stream {
    socket: Socket,
    moved: Instant,
    idle: Duration,
    alarm: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn new(socket: Socket, place: OwnedSemaphorePermit, idle: Duration) -> Self {
        let alarm = Box::pin(tokio::time::sleep(idle));
        Self { socket, moved: Instant::now(), idle, alarm, _place: place }
    }

    /// Notes what moved; an error when nothing did for too long.
    fn watched<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.moved = Instant::now();
            return polled;
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let end = self.moved + self.idle;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        };
        this.watched(cx, polled)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        };
        this.watched(cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;

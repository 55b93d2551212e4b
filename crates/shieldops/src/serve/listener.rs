//! The socket of the service: plain on loopback or behind a proxy, TLS elsewhere. Handshakes run beside the accept loop,
//! so that a slow one holds nobody up.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, Sleep},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection on which nothing moves for so long is closed: longer than any request may take.
const IDLE: Duration = Duration::from_secs(75);
/// Connections at a time: files stay open for log and state when more want in.
const CONNECTIONS: usize = 800;
/// Connections that wait between handshake and service.
const WAITING: usize = 64;

/// The peer of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self(*stream.remote_addr())
    }
}

pub(crate) enum Listener {
    Plain(TcpListener, Arc<Semaphore>),
    Tls { ready: mpsc::Receiver<(Stream, SocketAddr)>, local: SocketAddr },
}

/// A place among the connections, once there is one.
async fn place(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    match Arc::clone(places).acquire_owned().await {
        Ok(place) => place,
        // It is never closed.
        Err(_closed) => std::future::pending().await,
    }
}

impl Listener {
    pub(crate) fn plain(tcp: TcpListener) -> Self {
        Self::Plain(tcp, Arc::new(Semaphore::new(CONNECTIONS)))
    }

    pub(crate) fn tls(
        tcp: TcpListener,
        config: Arc<ServerConfig>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let local = tcp.local_addr()?;
        let (sender, ready) = mpsc::channel(WAITING);
        let acceptor = TlsAcceptor::from(config);
        let inner = tasks.clone();
        tasks.spawn(async move {
            let mut tcp = tcp;
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            loop {
                let next = async { (place(&places).await, axum::serve::Listener::accept(&mut tcp).await) };
                let (place, (stream, peer)) =
                    tokio::select! { accepted = next => accepted, () = stop.cancelled() => return };
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                inner.spawn(async move {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        drop(sender.send((Stream::new(Socket::Tls(Box::new(stream)), place), peer)).await);
                    }
                });
            }
        });
        Ok(Self::Tls { ready, local })
    }
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self {
            Self::Plain(tcp, places) => {
                let place = place(places).await;
                let (stream, peer) = axum::serve::Listener::accept(tcp).await;
                (Stream::new(Socket::Plain(stream), place), peer)
            }
            Self::Tls { ready, .. } => match ready.recv().await {
                Some(accepted) => accepted,
                // The server is stopping: nothing will come.
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Plain(tcp, _) => TcpListener::local_addr(tcp),
            Self::Tls { local, .. } => Ok(*local),
        }
    }
}

/// A connection that ends when nothing moves on it.
pub(crate) struct Stream {
    socket: Socket,
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn new(socket: Socket, place: OwnedSemaphorePermit) -> Self {
        Self { socket, moved: Instant::now(), alarm: Box::pin(tokio::time::sleep(IDLE)), _place: place }
    }

    /// Notes what moved; an error when nothing did for too long.
    fn watched<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.moved = Instant::now();
            return polled;
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let end = self.moved + IDLE;
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

//! Clients that send half of what they began, on real sockets.

use axum::{body::Bytes, extract::ConnectInfo, http::StatusCode, routing::post};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};

use super::*;

/// Longer than anything here should take on a busy machine, and shorter than what the limits under test are set to by default.
const PATIENCE: Duration = Duration::from_secs(8);

fn short() -> Limits {
    let brief = Duration::from_millis(300);
    Limits { handshake: brief, head: brief, body: brief, ..Limits::default() }
}

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn start(tls: Option<TlsAcceptor>, limits: Limits) -> Running {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = Listener { tcp, tls, limits };
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let router = Router::new().route("/refused", post(|| async { StatusCode::UNAUTHORIZED })).route(
        "/",
        post(|ConnectInfo(peer): ConnectInfo<SocketAddr>, body: Result<Bytes, _>| async move {
            let body: Result<Bytes, axum::extract::rejection::BytesRejection> = body;
            match body {
                Ok(body) => (StatusCode::OK, format!("{} {}", peer.ip(), body.len())),
                Err(_cut) => (StatusCode::BAD_REQUEST, "cut".to_owned()),
            }
        }),
    );
    let tracker = TaskTracker::new();
    let task = tracker.spawn(listener.serve(router, stop.clone()));
    Running { address, stop, task }
}

/// What comes until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    // A reset is an end as well.
    drop(closed.expect("the connection is closed"));
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn a_client_that_sends_half_a_head_is_cut_off() {
    let server = start(None, short()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    assert_eq!(until_closed(&mut client).await, "");
}

#[tokio::test]
async fn a_client_that_drips_its_head_is_cut_off_too() {
    let server = start(None, short()).await;
    let (mut from, mut to) = TcpStream::connect(server.address).await.unwrap().into_split();
    let drip = async {
        to.write_all(b"POST / HTTP/1.1\r\n").await?;
        loop {
            to.write_all(b"a: b\r\n").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        #[expect(unreachable_code, reason = "gives the block its type")]
        io::Result::Ok(())
    };
    let mut heard = Vec::new();
    let closed = async {
        tokio::select! { ended = from.read_to_end(&mut heard) => drop(ended), ended = drip => drop(ended) }
    };
    timeout(PATIENCE, closed).await.expect("the connection is closed");
}

#[tokio::test]
async fn a_client_that_stops_within_its_body_gets_an_answer_and_is_cut_off() {
    let server = start(None, short()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
    let heard = until_closed(&mut client).await;
    assert!(heard.starts_with("HTTP/1.1 400") && heard.ends_with("cut"), "{heard}");
}

#[tokio::test]
async fn a_head_over_its_limit_is_refused() {
    let server = start(None, Limits { headers: 4, ..Limits::default() }).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut client).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn whoever_never_finishes_a_handshake_gives_back_the_only_place() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = start(Some(acceptor), Limits { connections: 1, ..short() }).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(&[22, 3, 1]).await.unwrap();
    assert_eq!(until_closed(&mut first).await, "");
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(b"no handshake at all, but it is heard: ").await.unwrap();
    until_closed(&mut second).await;
}

#[tokio::test]
async fn a_stop_answers_what_had_begun_and_ends_idle_connections() {
    let server = start(None, Limits::default()).await;
    let mut begun = TcpStream::connect(server.address).await.unwrap();
    begun.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nha").await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut some = [0_u8; 12];
    idle.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 200");
    server.stop.cancel();
    until_closed(&mut idle).await;
    begun.write_all(b"lf").await.unwrap();
    let heard = until_closed(&mut begun).await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("127.0.0.1 4"), "{heard}");
    timeout(PATIENCE, server.task).await.expect("it ends").unwrap();
}

/// What comes until a whole head has been heard.
async fn head(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap());
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn a_refused_body_that_comes_after_its_head_does_not_break_the_next_request() {
    let server = start(None, Limits::default()).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        client.write_all(b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.write_all(b"{}").await.unwrap();
        let heard = head(&mut client).await;
        assert!(heard.starts_with("HTTP/1.1 401") && !heard.contains("connection: close"), "{heard}");
    }
}

#[tokio::test]
async fn a_refused_body_that_does_not_come_or_is_long_is_told_to_end_the_connection() {
    let server = start(None, Limits::default()).await;
    for asked in [
        "content-length: 2\r\n\r\n{",
        "content-length: 2\r\nexpect: 100-continue\r\n\r\n",
        "content-length: 9000000000000000000\r\n\r\n{",
        &format!("transfer-encoding: chunked\r\n\r\n493e0\r\n{}", "x".repeat(300_000)),
    ] {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        // The server may end the connection before it has taken all of it.
        drop(client.write_all(format!("POST /refused HTTP/1.1\r\nhost: x\r\n{asked}").as_bytes()).await);
        let heard = head(&mut client).await;
        assert!(heard.starts_with("HTTP/1.1 401") && heard.contains("connection: close"), "{heard}");
    }
}

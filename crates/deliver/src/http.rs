//! One POST: to the address that the guard looked at, within limits of time and size, without following anything. Of the
//! answer only the status is read.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{HOST, HeaderName, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    Failure,
    egress::{Destination, Egress},
};

/// From the first byte to the status.
const WHOLE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer's head.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;

pub(crate) async fn post(
    egress: &Egress,
    destination: &Destination,
    fields: &[(HeaderName, String)],
    body: Vec<u8>,
) -> Result<(), Failure> {
    match timeout(WHOLE, attempt(egress, destination, fields, body)).await {
        Ok(done) => done,
        Err(_late) => Err(Failure::later(format!("{}: no answer within {} s", destination.host(), WHOLE.as_secs()))),
    }
}

async fn attempt(
    egress: &Egress,
    destination: &Destination,
    fields: &[(HeaderName, String)],
    body: Vec<u8>,
) -> Result<(), Failure> {
    let address = egress.resolve(destination).await?;
    let lost = |what: &dyn std::fmt::Display| Failure::later(format!("{} ({address}): {what}", destination.host()));
    let connected = timeout(CONNECT, TcpStream::connect(address)).await;
    let tcp = connected.map_err(|_late| lost(&"no connection in time"))?.map_err(|error| lost(&error))?;
    let request = request(destination, fields, body)?;
    let answer = if destination.is_tls() {
        let name =
            ServerName::try_from(destination.host().trim_matches(['[', ']']).to_owned()).map_err(Failure::never)?;
        let secured = TlsConnector::from(std::sync::Arc::clone(&egress.tls)).connect(name, tcp).await;
        exchange(secured.map_err(|error| lost(&error))?, request).await
    } else {
        exchange(tcp, request).await
    };
    judge(&answer.map_err(|error| lost(&error))?, destination)
}

fn request(
    destination: &Destination,
    fields: &[(HeaderName, String)],
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, Failure> {
    let mut builder = Request::post(destination.path()).header(HOST, destination.authority());
    for (name, value) in fields {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(body.into())).map_err(Failure::never)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(sender.send_request(request));
    // The connection is driven here, so it ends with this call, whatever the receiver goes on to say.
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error),
        },
    }
}

fn judge(answer: &Response<Incoming>, destination: &Destination) -> Result<(), Failure> {
    let (status, host) = (answer.status(), destination.host());
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        return Err(Failure::never(format!("{host} answered {status}: a redirect is not followed")));
    }
    let later = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if !later {
        return Err(Failure::never(format!("{host} answered {status}")));
    }
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Err(Failure::Later { why: format!("{host} answered {status}"), after: asked.map(Duration::from_secs) })
}

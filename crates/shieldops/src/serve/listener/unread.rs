//! A body that was refused before it was read. Left on the connection, it would stand before the next request: the connection
//! would have to end, and a client that sends on it at that moment gets a broken connection for an answer. So a little is
//! read and thrown away, and of more the answer says that the connection ends with it (RFC 9112, section 9.6).

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// Bytes that are thrown away.
const MOST: usize = 256 * 1024;
/// For how long.
const AT_MOST: Duration = Duration::from_secs(1);

/// A body that comes back to its place when it is dropped before its end.
#[derive(Debug)]
pub(super) struct Lent {
    body: Option<Incoming>,
    place: Place,
}

/// Where a body comes back to.
type Place = Arc<Mutex<Option<Incoming>>>;

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream());
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}

/// Answers a request, and leaves nothing of its body before the next one.
pub(super) async fn read_on<A>(
    request: Request<Incoming>,
    answer: impl FnOnce(Request<Lent>) -> A,
) -> Result<Response, Infallible>
where
    A: Future<Output = Result<Response, Infallible>>,
{
    let (place, worth_it) = (Place::default(), is_worth_reading(&request));
    let mut response = answer(request.map(|body| Lent { body: Some(body), place: Arc::clone(&place) })).await?;
    let left = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(body) = left
        && !(worth_it && thrown_away(body).await)
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Whether the connection is to go on, and may after a little.
fn is_worth_reading(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    // Who waits to be told to go on has sent nothing yet, and reading would tell it.
    let waits = headers.contains_key(header::EXPECT);
    let ends = headers.get(header::CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let is_short = usize::try_from(request.body().size_hint().lower()).is_ok_and(|bytes| bytes <= MOST);
    !waits && !ends && is_short
}

/// Whether it came to its end.
async fn thrown_away(body: Incoming) -> bool {
    let mut body = Limited::new(body, MOST);
    let to_its_end = async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return false;
            }
        }
        true
    };
    timeout(AT_MOST, to_its_end).await.unwrap_or(false)
}

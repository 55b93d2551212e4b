//! Bodies of events on their way in: read piece by piece and unpacked, all of them together within one budget of memory. A
//! body that finds no room is read to its end and thrown away, so that its sender hears the answer.

use std::{error::Error as _, future::poll_fn, pin::Pin};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, header},
};
use shieldops_ingest::sources::{DecompressError, decompress_within};
use shieldops_model::Code;
use shieldops_pipeline::{Budget, Share};
use tower_http::timeout::TimeoutError;

use crate::{App, Problem};

/// Bytes of a body that are taken apart at once.
const SHORT_BODY: usize = 64 * 1024;
/// What an event takes beside its bytes, until it is stored.
const EVENT_BYTES: usize = 200;

/// A body, unpacked, with its share of the budget: kept until the events are durable.
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    _share: Share,
}

/// Reads and unpacks a body.
pub(crate) async fn take(app: &App, headers: &HeaderMap, body: Body) -> Result<Taken, Problem> {
    if headers.get_all(header::CONTENT_ENCODING).iter().count() > 1 {
        return Err(Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, "two Content-Encoding headers"));
    }
    let (budget, limit) = (&app.intake.bodies, app.settings.max_body_bytes);
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > limit) {
        return Err(too_large(limit));
    }
    let mut share = budget.share();
    let packed = read(body, limit, &mut share).await?.ok_or_else(|| busy(budget))?;
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let held = share.bytes();
    let mut room = |bytes: usize| share.grow_to(held.saturating_add(bytes));
    let unpacked = beside(packed.len(), || decompress_within(packed, encoding, limit, &mut room));
    let bytes = unpacked.map_err(|error| match error {
        DecompressError::NoRoom => busy(budget),
        DecompressError::TooLarge { .. } => Problem::new(Code::BODY_TOO_LARGE, error.to_string()),
        DecompressError::Corrupt { .. } => Problem::invalid(error.to_string()),
        DecompressError::Unsupported { .. } => Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, error.to_string()),
    })?;
    let lines = beside(bytes.len(), || bytes.split(|byte| *byte == b'\n').count());
    if !share.take(lines.min(app.intake.limits.events).saturating_mul(EVENT_BYTES)) {
        return Err(busy(budget));
    }
    Ok(Taken { bytes, _share: share })
}

/// The body as it was sent; nothing when there was no room for it.
async fn read(mut body: Body, limit: usize, share: &mut Share) -> Result<Option<Bytes>, Problem> {
    let mut out: Option<Vec<u8>> = Some(Vec::new());
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(piece) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        length = length.saturating_add(piece.len());
        if length > limit {
            return Err(too_large(limit));
        }
        let Some(kept) = &mut out else { continue };
        if length > kept.capacity() {
            let capacity = kept.capacity().saturating_mul(2).max(length).min(limit);
            if !share.grow_to(capacity) {
                out = None;
                continue;
            }
            kept.reserve_exact(capacity.saturating_sub(kept.len()));
        }
        kept.extend_from_slice(&piece);
    }
    Ok(out.map(Bytes::from))
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BODY_TOO_LARGE, format!("a body has at most {limit} bytes"))
}

fn busy(budget: &Budget) -> Problem {
    let detail = format!("bodies on their way in take {} of {} bytes", budget.taken(), budget.bytes());
    Problem { retry_after_s: Some(1), ..Problem::new(Code::BACK_PRESSURE, detail) }
}

/// The connection broke, or nothing came for too long.
fn broken(error: &axum::Error) -> Problem {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<TimeoutError>() {
            return Problem::new(Code::REQUEST_TIMEOUT, Code::REQUEST_TIMEOUT.help);
        }
        cause = inner.source();
    }
    Problem::invalid("the body ended before it was whole")
}

/// Does work on a body; on a long one where it holds nobody else up.
pub(crate) fn beside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > SHORT_BODY { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_takes_what_it_needs_of_the_budget_and_one_without_room_takes_nothing_more() {
        let budget = Budget::new(1_000);
        let (mut one, mut two) = (budget.share(), budget.share());
        let read_into = async |share: &mut Share, bytes: usize| {
            read(Body::from(vec![b'x'; bytes]), 2_000, share).await.map(|body| body.map(|body| body.len()))
        };
        assert_eq!(read_into(&mut one, 600).await.unwrap(), Some(600));
        assert_eq!(read_into(&mut two, 600).await.unwrap(), None);
        assert_eq!(budget.taken(), 600);
        drop(one);
        assert_eq!(read_into(&mut two, 600).await.unwrap(), Some(600));
        assert_eq!(read_into(&mut two, 2_001).await.unwrap_err().code, "body_too_large");
        assert_eq!((busy(&budget).status, busy(&budget).retry_after_s), (429, Some(1)));
    }
}

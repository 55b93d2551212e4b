//! Letters: one notice to one receiver over one channel, tried until it is taken or given up. Each is sent at least once;
//! its id goes with it, so that a receiver can tell a second copy.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{LetterId, NoticeId, NoticeKind, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, open, seal},
    alerts::id_of,
    rows::{bytes, optional_time, small, time},
};

const TABLE: &str = "outbox_letters";
/// Characters that are kept of what went wrong.
const ERROR_CHARS: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email,
    Webhook,
}

impl Channel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// To be sent, or to be sent again.
    Queued,
    /// The receiver's server took it.
    Sent,
    /// Given up: refused for good, or tried too often.
    Dead,
}

impl LetterState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Letter {
    /// The same in every copy: the Message-ID of an e-mail, the `id` of a webhook.
    pub id: LetterId,
    pub notice_id: NoticeId,
    pub kind: NoticeKind,
    pub channel: Channel,
    pub state: LetterState,
    pub attempts: u32,
    pub at: Timestamp,
    /// When it is tried next, while it is queued.
    pub next_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The address of an e-mail; the host of a webhook.
    pub to: String,
    /// What went wrong last.
    pub error: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    to: String,
    error: Option<String>,
}

/// A letter that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLetter {
    pub channel: Channel,
    pub to: String,
}

/// Gives a notice its letters, once: false when somebody else did.
pub async fn address(
    tx: &mut Tx,
    (notice, kind): (NoticeId, NoticeKind),
    letters: &[NewLetter],
    now: Timestamp,
) -> Result<bool> {
    let done = sqlx::query("UPDATE outbox SET state='addressed' WHERE tenant_id=$1 AND id=$2 AND state='waiting'");
    if done.bind(tx.t()).bind(bytes(notice)).execute(tx.conn()).await?.rows_affected() == 0 {
        return Ok(false);
    }
    for letter in letters {
        let id: LetterId = id::mint(now, &mut rand::rng());
        let body = seal(tx, TABLE, &id.to_bytes(), &Body { to: letter.to.clone(), error: None })?;
        sqlx::query(
            "INSERT INTO outbox_letters (tenant_id, id, notice_id, kind, channel, state, attempts, at, next_at, body) VALUES ($1,$2,$3,$4,$5,'queued',0,$6,$6,$7)",
        )
        .bind(tx.t())
        .bind(bytes(id))
        .bind(bytes(notice))
        .bind(kind.as_str())
        .bind(letter.channel.as_str())
        .bind(now.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    }
    Ok(true)
}

/// Letters that are to be tried now, the longest due first.
pub async fn due(access: &mut impl Access, now: Timestamp, limit: i64) -> Result<Vec<Letter>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM outbox_letters WHERE tenant_id=$1 AND state='queued' AND next_at<=$2 ORDER BY next_at, id LIMIT $3",
    )
    .bind(tenant)
    .bind(now.as_micros())
    .bind(limit)
    .fetch_all(access.conn())
    .await?;
    // One that cannot be read, of a later version perhaps, waits and holds up no other.
    let known = |row: &AnyRow| match read(access, row) {
        Ok(letter) => Some(letter),
        Err(error) => {
            tracing::error!(%error, "a letter cannot be read and waits");
            None
        }
    };
    Ok(rows.iter().filter_map(known).collect())
}

/// The receiver's server took it.
pub async fn sent(tx: &mut Tx, letter: &Letter, now: Timestamp) -> Result<()> {
    let after = Letter { state: LetterState::Sent, ended_at: Some(now), error: None, ..tried(letter) };
    write(tx, &after).await
}

/// It was not taken: it is tried again at `next`, or given up when there is none. The ledger is told of one that is given up.
pub async fn failed(tx: &mut Tx, letter: &Letter, error: &str, next: Option<Timestamp>, now: Timestamp) -> Result<()> {
    let error: String = error.chars().take(ERROR_CHARS).collect();
    let after = Letter { error: Some(error.clone()), ..tried(letter) };
    if let Some(next_at) = next {
        return write(tx, &Letter { next_at, ..after }).await;
    }
    let after = Letter { state: LetterState::Dead, ended_at: Some(now), ..after };
    write(tx, &after).await?;
    let body = json!({"kind": after.kind, "channel": after.channel, "attempts": after.attempts, "error": error});
    tx.record("notice.undelivered", &[&after.id, &after.notice_id], body)
}

fn tried(letter: &Letter) -> Letter {
    Letter { attempts: letter.attempts.saturating_add(1), ..letter.clone() }
}

async fn write(tx: &mut Tx, letter: &Letter) -> Result<()> {
    let body = Body { to: letter.to.clone(), error: letter.error.clone() };
    let body = seal(tx, TABLE, &letter.id.to_bytes(), &body)?;
    let done = sqlx::query(
        "UPDATE outbox_letters SET state=$3, attempts=$4, next_at=$5, ended_at=$6, body=$7 WHERE tenant_id=$1 AND id=$2 AND state='queued'",
    )
    .bind(tx.t())
    .bind(bytes(letter.id))
    .bind(letter.state.as_str())
    .bind(i64::from(letter.attempts))
    .bind(letter.next_at.as_micros())
    .bind(letter.ended_at.map(Timestamp::as_micros))
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

/// What a list asks for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub state: Option<LetterState>,
    pub channel: Option<Channel>,
}

/// Newest first.
pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<Letter>> {
    let mut wanted = Conditions::of(access);
    wanted.is("state", filter.state.map(|state| state.as_str().to_owned()));
    wanted.is("channel", filter.channel.map(|channel| channel.as_str().to_owned()));
    let below = wanted.bind(page.below::<id::LetterKind>()?);
    wanted.and(&format!("id<{below}"));
    let rows = wanted.rows(access, "SELECT * FROM outbox_letters", "id DESC", page.fetch()).await?;
    let items: Result<Vec<Letter>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |letter| letter.id.to_string()))
}

pub async fn find_letter(access: &mut impl Access, id: LetterId) -> Result<Option<Letter>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM outbox_letters WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Letter> {
    let id: LetterId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let Body { to, error } = open(access, TABLE, &id.to_bytes(), &sealed)?;
    let (kind, channel, state): (String, String, String) =
        (row.try_get("kind")?, row.try_get("channel")?, row.try_get("state")?);
    Ok(Letter {
        id,
        notice_id: id_of(row, "notice_id")?,
        kind: NoticeKind::parse(&kind).ok_or_else(|| StoreError::damaged(format!("{TABLE}: kind `{kind}`")))?,
        channel: if channel == "webhook" { Channel::Webhook } else { Channel::Email },
        state: match state.as_str() {
            "sent" => LetterState::Sent,
            "dead" => LetterState::Dead,
            _ => LetterState::Queued,
        },
        attempts: small(row, "attempts")?,
        at: time(row, "at")?,
        next_at: time(row, "next_at")?,
        ended_at: optional_time(row, "ended_at")?,
        to,
        error,
    })
}

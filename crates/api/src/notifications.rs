//! Where people of the tenant are told of what waits for them, and what became of the letters.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shieldops_deliver::smtp::is_address;
use shieldops_model::{Audience, Notice, NoticeId, NoticeKind, Timestamp};
use shieldops_store::{
    notification_settings::{self as stored, NotificationSettings, Webhook},
    outbox::{self, Channel, Letter, LetterState},
    people::{self, User},
    settings::Versioned,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, Filter, ListQuery, words},
    precondition::{IfMatch, Tagged},
};

/// Characters of a webhook's secret: enough that nobody guesses it, and no more than a header takes.
const SECRET: std::ops::RangeInclusive<usize> = 32..=256;

#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookView {
    url: String,
    /// The secret itself is never shown.
    secret_set: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationsView {
    /// 0 while nothing was set.
    version: i64,
    at: Option<Timestamp>,
    by: String,
    /// Whether the tenant wants e-mail.
    email: bool,
    /// Whether the installation has a mail server.
    email_ready: bool,
    /// Members whose login is no address of e-mail: they are told by the webhook and in the dashboard only.
    people_without_address: u32,
    webhook: Option<WebhookView>,
}

fn view(app: &App, people: &[User], settings: Versioned<NotificationSettings>) -> Tagged<NotificationsView> {
    let Versioned { version, at, by, value } = settings;
    let without = people.iter().filter(|user| !user.disabled && !is_address(&user.name)).count();
    let view = NotificationsView {
        version,
        at,
        by,
        email: value.email,
        email_ready: app.settings.mails,
        people_without_address: u32::try_from(without).unwrap_or(u32::MAX),
        webhook: value.webhook.map(|hook| WebhookView { url: hook.url, secret_set: true }),
    };
    Tagged(version, view)
}

/// Where people are told.
#[utoipa::path(get, path = "/api/v1/notifications", operation_id = "get_notifications", tag = "notifications", responses((status = 200, body = NotificationsView)))]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Tagged<NotificationsView>, Problem> {
    let mut reader = caller.scope.read().await?;
    let settings = stored::current(&mut reader).await?;
    Ok(view(&app, &people::users(&mut reader).await?, settings))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookBody {
    /// `https://…`; an address that is not on the public internet is refused unless the operator let it through.
    url: String,
    /// The key of the signature (RFC 9421, `hmac-sha256`), 32 to 256 characters. Absent: the one that is set stays.
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotificationsBody {
    email: bool,
    /// Null or absent: none.
    #[serde(default)]
    webhook: Option<WebhookBody>,
}

/// Says where people are told.
#[utoipa::path(put, path = "/api/v1/notifications", operation_id = "update_notifications", tag = "notifications", request_body = NotificationsBody,
    responses((status = 200, body = NotificationsView), (status = 400, body = Problem), (status = 403, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Body(body): Body<NotificationsBody>,
) -> Result<Tagged<NotificationsView>, Problem> {
    caller.recent()?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let before = stored::current(&mut tx).await?;
    let expected = seen.expected(before.version)?;
    let webhook = body.webhook.map(|hook| webhook(&app, hook, before.value.webhook)).transpose()?;
    let wanted = NotificationSettings { email: body.email, webhook };
    let settings = stored::put(&mut tx, &wanted, expected, now).await?;
    let people = people::users(&mut tx).await?;
    tx.commit(now).await?;
    Ok(view(&app, &people, settings))
}

fn webhook(app: &App, body: WebhookBody, before: Option<Webhook>) -> Result<Webhook, Problem> {
    let to = app.settings.egress.check(&body.url);
    let to = to.map_err(|refused| Problem::invalid(format!("webhook.url: {refused}")))?;
    let secret = match body.secret {
        Some(secret) if SECRET.contains(&secret.chars().count()) && !secret.chars().any(char::is_control) => secret,
        Some(_) => {
            return Err(Problem::invalid(
                "webhook.secret: want 32 to 256 characters, none of them a control character",
            ));
        }
        None => before.map(|hook| hook.secret).ok_or_else(|| {
            Problem::invalid("webhook.secret: none is set yet; the receiver proves by it who sent a request")
        })?,
    };
    Ok(Webhook { url: to.url().to_owned(), secret })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Tested {
    /// What its letters name as `notice_id`.
    notice_id: NoticeId,
}

/// Sends a test to the caller's own address and to the webhook.
#[utoipa::path(post, path = "/api/v1/notifications/test", operation_id = "test_notifications", tag = "notifications",
    responses((status = 202, body = Tested), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn test(caller: Caller) -> Result<(StatusCode, Json<Tested>), Problem> {
    let (now, user) = (caller.now(), caller.user()?);
    let notice =
        Notice::new(NoticeKind::Test, Audience::Person(user)).with("Asked for by", &caller.principal.user_name);
    let mut tx = caller.scope.begin().await?;
    let queued = outbox::queue(&mut tx, &notice, now, now).await?;
    let notice_id = queued.ok_or_else(|| Problem::new(shieldops_model::Code::CONFLICT, "too many notices wait"))?;
    tx.record("notifications.tested", &[&notice_id], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok((StatusCode::ACCEPTED, Json(Tested { notice_id })))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterFilter {
    /// `queued`, `sent` or `dead`.
    state: Option<String>,
    /// `email` or `webhook`.
    channel: Option<String>,
}

impl Filter for LetterFilter {}

type LetterQuery = ListQuery<LetterFilter>;

/// Letters, newest first, with what became of each.
#[utoipa::path(get, path = "/api/v1/notifications/outbox", operation_id = "list_letters", tag = "notifications", params(LetterQuery), responses((status = 200, body = List<Letter>)))]
pub(crate) async fn letters(caller: Caller, query: LetterQuery) -> Result<Json<List<Letter>>, Problem> {
    let filter = outbox::Filter {
        state: one::<LetterState>("state", query.filter.state.as_ref())?,
        channel: one::<Channel>("channel", query.filter.channel.as_ref())?,
    };
    Ok(Json(query.answer(outbox::list(&mut caller.scope.read().await?, &filter, query.page()).await?)))
}

/// One word of a filter.
fn one<T: DeserializeOwned>(name: &str, text: Option<&String>) -> Result<Option<T>, Problem> {
    let mut known = words(name, text, |word| serde_json::from_value::<T>(word.into()).ok())?;
    if known.len() > 1 {
        return Err(Problem::invalid(format!("{name}: want one word")));
    }
    Ok(known.pop())
}

//! API keys: machines' credentials. A key belongs to the tenant, not to whoever made it: it outlives them, and can do no
//! more than they could when it was made; one that a key makes reaches no farther than that key. Several secrets are good at once, so that rotation needs no downtime.

use std::time::Duration;

use shieldops_model::{KeyId, Timestamp, id};
use shieldops_store::{
    StoreError, TenantScope, Tx,
    api_keys::{self, ApiKey},
};

use crate::{
    CredentialKind, IdentityError, Secret, bounds, decide::Rights, names, permission::Permissions, reach, roles,
};

/// How long the secrets before a rotation may stay good.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);
const HIGHEST_RATE: u32 = 10_000;

/// A key as somebody wants it.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub name: String,
    /// Names of permissions.
    pub permissions: Vec<String>,
    /// `GET /api/v1/alerts/*`; none: every route that its permissions open.
    pub routes: Vec<String>,
    /// `203.0.113.0/24`; none: from anywhere.
    pub addresses: Vec<String>,
    /// Requests a second; absent: the tenant's limit for a principal.
    pub rate_per_s: Option<u32>,
    pub expires_at: Option<Timestamp>,
}

async fn checked(tx: &mut Tx, rights: &Rights, wanted: NewKey, now: Timestamp) -> Result<NewKey, IdentityError> {
    let name = names::label(&wanted.name)?;
    let holds = permissions(rights, &wanted.permissions)?;
    roles::apart(tx, holds).await?;
    if wanted.rate_per_s.is_some_and(|rate| !(1..=HIGHEST_RATE).contains(&rate)) {
        return Err(IdentityError::Invalid(format!("rate_per_s is 1 to {HIGHEST_RATE}")));
    }
    if wanted.expires_at.is_some_and(|at| at <= now) {
        return Err(IdentityError::Invalid("expires_at is in the past".to_owned()));
    }
    let (routes, addresses) = (reach::routes(&wanted.routes)?, reach::addresses(&wanted.addresses)?);
    let permissions = holds.names().into_iter().map(str::to_owned).collect();
    let expires_at = tx.scope().ends(wanted.expires_at);
    let wanted = NewKey { name, permissions, routes, addresses, expires_at, ..wanted };
    if let Some(maker) = maker(tx, now).await? {
        reaches_no_farther(&maker, &wanted.reach())?;
    }
    Ok(wanted)
}

/// The key that asks, where it is a key that does.
async fn maker(tx: &mut Tx, now: Timestamp) -> Result<Option<ApiKey>, IdentityError> {
    match tx.scope().actor().id.parse() {
        Ok(key) => Ok(api_keys::find(tx, key, now).await?),
        Err(_person) => Ok(None),
    }
}

/// The end of the key that asks, where it is a key that does. `what` works from anywhere, for any route and as often as it
/// likes: a key that is limited in that makes none.
///
/// # Errors
/// `WiderThanOwn`.
pub(crate) async fn unlimited(tx: &mut Tx, what: &str, now: Timestamp) -> Result<Option<Timestamp>, IdentityError> {
    let Some(key) = maker(tx, now).await? else { return Ok(None) };
    if key.routes.is_empty() && key.addresses.is_empty() && key.rate_per_s.is_none() {
        return Ok(key.expires_at);
    }
    let beyond = format!("{what}, which knows no routes, addresses and rate as the key itself does");
    Err(IdentityError::WiderThanOwn(beyond))
}

/// What limits a key beside its permissions.
struct Reach<'a> {
    routes: &'a [String],
    addresses: &'a [String],
    rate_per_s: Option<u32>,
    expires_at: Option<Timestamp>,
}

impl NewKey {
    fn reach(&self) -> Reach<'_> {
        let Self { routes, addresses, rate_per_s, expires_at, .. } = self;
        Reach { routes, addresses, rate_per_s: *rate_per_s, expires_at: *expires_at }
    }
}

/// A key gives no key that works where, as often or as long as it does not itself.
fn reaches_no_farther(maker: &ApiKey, wanted: &Reach<'_>) -> Result<(), IdentityError> {
    let beyond = |what: &str| Err(IdentityError::WiderThanOwn(format!("{what} beyond those of the key itself")));
    if !reach::routes_within(&maker.routes, wanted.routes) {
        return beyond("routes");
    }
    if !reach::addresses_within(&maker.addresses, wanted.addresses) {
        return beyond("addresses");
    }
    if maker.expires_at.is_some_and(|end| wanted.expires_at.is_none_or(|asked| asked > end)) {
        return beyond("days");
    }
    if maker.rate_per_s.is_some_and(|rate| wanted.rate_per_s.is_none_or(|asked| asked > rate)) {
        return beyond("requests a second");
    }
    Ok(())
}

fn permissions(rights: &Rights, names: &[String]) -> Result<Permissions, IdentityError> {
    let holds = Permissions::parse(names).map_err(|unknown| {
        IdentityError::Invalid(format!("there is no permission `{}`", unknown.chars().take(64).collect::<String>()))
    })?;
    if holds.is_empty() {
        return Err(IdentityError::Invalid("a key has at least one permission".to_owned()));
    }
    // A key knows no environments: it would be wider than a maker who is limited to some. What is of the installation is
    // in nobody's set, so no key has it.
    bounds::within(rights, holds, None)?;
    Ok(holds)
}

/// Makes a key; its secret is shown once.
pub async fn create(scope: &TenantScope, rights: &Rights, wanted: NewKey) -> Result<(ApiKey, Secret), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let wanted = checked(&mut tx, rights, wanted, now).await?;
    let secret = Secret::mint(CredentialKind::Key, &mut rand::rng());
    let key = ApiKey {
        id: id::mint(now, &mut rand::rng()),
        name: wanted.name,
        permissions: wanted.permissions,
        routes: wanted.routes,
        addresses: wanted.addresses,
        rate_per_s: wanted.rate_per_s,
        created_by: scope.actor().id.clone(),
        created_at: now,
        expires_at: wanted.expires_at,
        revoked_at: None,
        last_used_at: None,
        secrets: 1,
        version: 1,
    };
    api_keys::create(&mut tx, &key, secret.hash).await?;
    tx.commit(now).await?;
    Ok((key, secret))
}

/// Changes what a key may do, for all its secrets, from the next request on.
pub async fn update(
    scope: &TenantScope,
    rights: &Rights,
    key: KeyId,
    wanted: NewKey,
    expected: i64,
) -> Result<ApiKey, IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let known = held(&mut tx, rights, key, now).await?;
    let wanted = checked(&mut tx, rights, wanted, now).await?;
    let changed = ApiKey {
        name: wanted.name,
        permissions: wanted.permissions,
        routes: wanted.routes,
        addresses: wanted.addresses,
        rate_per_s: wanted.rate_per_s,
        expires_at: wanted.expires_at,
        version: expected,
        ..known
    };
    let key = api_keys::update(&mut tx, &changed, now).await?;
    tx.commit(now).await?;
    Ok(key)
}

/// A further secret; those of before end after `overlap`. Answers when that is.
pub async fn rotate(
    scope: &TenantScope,
    rights: &Rights,
    key: KeyId,
    overlap: Duration,
) -> Result<(ApiKey, Secret, Timestamp), IdentityError> {
    if overlap > LONGEST_OVERLAP {
        return Err(IdentityError::Invalid(format!("overlap is at most {} s", LONGEST_OVERLAP.as_secs())));
    }
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    held(&mut tx, rights, key, now).await?;
    let secret = Secret::mint(CredentialKind::Key, &mut rand::rng());
    let old_until = now.plus(overlap);
    let key = api_keys::rotate(&mut tx, key, secret.hash, old_until, now).await?;
    tx.commit(now).await?;
    Ok((key, secret, old_until))
}

/// The key, if it is in force and no wider than the caller: a new secret of a wider key would make its holder wider.
async fn held(tx: &mut Tx, rights: &Rights, key: KeyId, now: Timestamp) -> Result<ApiKey, IdentityError> {
    let known = api_keys::find(tx, key, now).await?.ok_or(StoreError::NotFound)?;
    if known.revoked_at.is_some() || known.expires_at.is_some_and(|at| at <= now) {
        return Err(IdentityError::Conflict("the key was revoked or has expired".to_owned()));
    }
    bounds::within(rights, Permissions::known(&known.permissions), None)?;
    if let Some(maker) = maker(tx, now).await? {
        let ApiKey { routes, addresses, rate_per_s, expires_at, .. } = &known;
        let reach = Reach { routes, addresses, rate_per_s: *rate_per_s, expires_at: *expires_at };
        reaches_no_farther(&maker, &reach)?;
    }
    Ok(known)
}

/// Ends a key with all its secrets.
///
/// # Errors
/// `WiderThanOwn` for a key that may do more than the caller.
pub async fn revoke(
    scope: &TenantScope,
    rights: &Rights,
    key: KeyId,
    expected: Option<i64>,
) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let known = api_keys::find(&mut tx, key, now).await?.ok_or(StoreError::NotFound)?;
    bounds::within(rights, Permissions::known(&known.permissions), None)?;
    api_keys::revoke(&mut tx, key, expected, now).await?;
    tx.commit(now).await?;
    Ok(())
}

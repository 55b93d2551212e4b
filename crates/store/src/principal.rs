//! From the hash of a credential to its principal, in the caller's own request, so that a revocation of anything holds on
//! the next one: every request reads the epoch of authority, which moves with every change of who may do what, and what was
//! read at another epoch is read again.

mod known;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, Serializer};
use shieldops_model::{
    Confirmation, GrantId, Id, KeyId, RoleId, SessionId, TenantId, TenantState, Timestamp, TokenId, UserId, id,
};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Actor, Result, Store, StoreError,
    alerts::id_of,
    db::{Ahead, Whose, flag},
    rows::{bytes, json, optional_id, optional_time},
    sessions::{confirmation, idle_holds},
};

use self::known::Asked;
pub(crate) use self::known::Known;

/// How long a note of use waits for the writer.
const PATIENCE: Duration = Duration::from_millis(100);
/// Uses are noted at most so often.
const NOTED_EVERY_US: i64 = 60_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    Session,
    Personal,
    Ingest,
    Key,
}

impl PrincipalKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Personal => "personal",
            Self::Ingest => "ingest",
            Self::Key => "key",
        }
    }
}

/// A role by its name, or a custom one by its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RoleRef {
    BuiltIn(String),
    Custom(RoleId),
}

impl RoleRef {
    /// A text that is the id of a role is a custom one; any other is a name. Which names there are is not known here.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_name| Self::BuiltIn(text.to_owned()), Self::Custom)
    }

    /// The name of a built-in role.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::BuiltIn(name) => Some(name),
            Self::Custom(_) => None,
        }
    }

    pub fn is(&self, name: &str) -> bool {
        self.name() == Some(name)
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => f.write_str(name),
            Self::Custom(id) => id.fmt(f),
        }
    }
}

impl Serialize for RoleRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What an API key may do, wherever it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    pub id: KeyId,
    pub permissions: Vec<String>,
    pub routes: Vec<String>,
    pub addresses: Vec<String>,
    pub rate_per_s: Option<u32>,
}

/// A grant, and when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub grant: GrantId,
    pub until: Timestamp,
}

/// An authenticated caller and the tenant that this request is about.
#[derive(Debug, Clone)]
pub struct Principal {
    pub kind: PrincipalKind,
    pub tenant: TenantId,
    pub tenant_slug: String,
    pub tenant_state: TenantState,
    /// Where the credential was made: the tenant when a request names none.
    pub home: TenantId,
    /// Absent for machines.
    pub user: Option<UserId>,
    /// The login, or the name of the token or key.
    pub user_name: String,
    /// The role in this tenant; `ingest` for an ingest token, `key` for an API key.
    pub role: RoleRef,
    /// The grant that lets a person of the parent in.
    pub via_grant: Option<GrantId>,
    /// What ends what they make here: the grant that lets them in, or that their key or token was made through.
    pub bound: Option<Bound>,
    pub key: Option<KeyFacts>,
    pub session: Option<SessionId>,
    pub token: Option<TokenId>,
    /// The default source of an ingest token.
    pub source: Option<String>,
    /// How and when the person last proved to this session who they are; absent for tokens and keys.
    pub confirmed: Option<Confirmation>,
    pub expires_at: Option<Timestamp>,
    /// Runs the installation: may make tenants.
    pub operator: bool,
    /// The tenant asks for a second factor, and this session was confirmed without one, or this token was made elsewhere.
    pub second_factor_due: bool,
    /// The last note of use is older than a minute.
    pub use_due: bool,
}

impl Principal {
    /// Whom limits and stored answers are kept for: the person, else the token or key.
    pub fn subject(&self) -> [u8; 16] {
        let key = self.key.as_ref().map(|key| key.id.to_bytes());
        let token = self.token.map(Id::to_bytes);
        self.user.map(Id::to_bytes).or(key).or(token).unwrap_or_default()
    }

    /// As the ledger names it.
    pub fn actor(&self) -> Actor {
        let key = self.key.as_ref().map(|key| key.id.to_string());
        let token = self.token.map(|token| token.to_string());
        let id = self.user.map(|user| user.to_string()).or(key).or(token);
        let name = match self.via_grant {
            Some(grant) => format!("{} ({grant})", self.user_name),
            None => self.user_name.clone(),
        };
        Actor { id: id.unwrap_or_else(|| "unknown".to_owned()), name }
    }
}

/// What a credential comes to.
#[derive(Debug, Clone)]
pub enum Authenticated {
    /// Unknown, revoked, expired, idle too long, of a disabled person, or of somebody who has left its tenant.
    Refused,
    /// The credential is good, the tenant that the request names is not theirs or does not exist: which, is not said.
    NoSuchTenant,
    As(Box<Principal>),
}

impl Authenticated {
    pub fn principal(self) -> Option<Principal> {
        match self {
            Self::As(principal) => Some(*principal),
            Self::Refused | Self::NoSuchTenant => None,
        }
    }
}

/// The one read. A membership wins over a grant; of several grants the newest counts. A grant serves the administrators
/// and operators of the parent while it is the parent still, and itself active.
macro_rules! lookup {
    ($tenant:literal) => {
        concat!(
            "SELECT p.kind, p.id, p.principal, p.tenant AS home, p.label, p.source, p.facts, p.confirmed_with, p.verified_at, p.expires_at, \
             p.last_used_at, p.by_grant, b.expires_at AS by_grant_until, u.name AS user_name, t.tenant, t.slug, t.state, t.second_factor, m.role, m.last_used_at AS member_used_at, \
             g.id AS grant_id, g.role AS grant_role, g.expires_at AS grant_expires_at, \
             CASE WHEN EXISTS (SELECT 1 FROM memberships o WHERE o.principal=p.principal AND o.tenant=$4 AND o.disabled_at IS NULL) THEN 1 ELSE 0 END AS operator \
             FROM principal_index p \
             LEFT JOIN grants b ON b.id=p.by_grant \
             LEFT JOIN users u ON u.id=p.principal AND u.disabled_at IS NULL \
             LEFT JOIN tenants t ON t.state<>'deleted' AND ", $tenant, " \
             LEFT JOIN memberships m ON m.principal=p.principal AND m.tenant=t.tenant AND m.disabled_at IS NULL \
             LEFT JOIN grants g ON g.tenant=t.tenant AND g.grantee=t.parent AND m.role IS NULL AND g.revoked_at IS NULL AND g.expires_at>$2 \
               AND EXISTS (SELECT 1 FROM memberships h JOIN tenants ht ON ht.tenant=h.tenant WHERE h.tenant=g.grantee \
               AND h.principal=p.principal AND h.disabled_at IS NULL AND h.role IN ('admin','operator') AND ht.state='active') \
             WHERE p.hash=$1 AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at>$2) AND p.kind<>'admin_link' \
               AND (p.by_grant IS NULL OR b.expires_at>$2) \
               AND ", idle_holds!(), " \
             ORDER BY g.id DESC LIMIT 1"
        )
    };
}
const OF_HOME: &str = lookup!("t.tenant=p.tenant AND $3=''");
const OF_SLUG: &str = lookup!("t.slug=$3");

impl Store {
    /// Whom a credential stands for now, in the tenant that the request names, or in its own.
    pub async fn authenticate(&self, hash: &[u8; 32], wanted: Option<&str>, now: Timestamp) -> Result<Authenticated> {
        let mut reading = self.db().read(Whose::Installation).await?;
        // Before the rest: what is remembered is never older than its epoch.
        let epoch: Option<i64> =
            sqlx::query_scalar("SELECT epoch FROM authority").fetch_optional(reading.conn()).await?;
        let epoch = epoch.unwrap_or(0);
        self.known().saw(epoch);
        let asked = Asked { hash, wanted, epoch, now };
        if let Some(principal) = self.known().get(asked) {
            return Ok(Authenticated::As(Box::new(principal)));
        }
        let row = sqlx::query(if wanted.is_some() { OF_SLUG } else { OF_HOME })
            .bind(hash.to_vec())
            .bind(now.as_micros())
            .bind(wanted.unwrap_or_default())
            .bind(bytes(TenantId::INSTALLATION))
            .fetch_optional(reading.conn())
            .await?;
        let Some(row) = row else { return Ok(Authenticated::Refused) };
        let elsewhere = if wanted.is_some() { Authenticated::NoSuchTenant } else { Authenticated::Refused };
        let found = read(&row, elsewhere, now)?;
        if let Authenticated::As(principal) = &found {
            let ends = ["expires_at", "grant_expires_at", "by_grant_until"].map(|end| optional_time(&row, end));
            let ends: Vec<_> = ends.into_iter().collect::<Result<_>>()?;
            self.known().keep(asked, principal, ends.into_iter().flatten().min());
        }
        Ok(found)
    }

    /// The same for a request that only reads, when who it is was read a moment ago and no authority has changed since: the
    /// database says so as it begins the reading, in one message. Nothing where [`Self::authenticate`] has to look.
    pub async fn authenticate_ahead(
        &self,
        hash: &[u8; 32],
        wanted: Option<&str>,
        now: Timestamp,
    ) -> Option<(Principal, Ahead)> {
        let (principal, epoch) = self.known().at_latest(hash, wanted, now)?;
        let ahead = self.db().read_at(principal.tenant, epoch).await?;
        Some((principal, ahead))
    }

    /// Notes that a credential was used, at most once a minute. Bookkeeping: left for the next time when the writer is
    /// busy.
    pub async fn used(&self, hash: &[u8; 32], principal: &Principal, now: Timestamp) -> Result<()> {
        if !principal.use_due {
            return Ok(());
        }
        let Ok(writer) = tokio::time::timeout(PATIENCE, self.writer().acquire()).await else { return Ok(()) };
        let mut writer = writer?;
        let update = sqlx::query("UPDATE principal_index SET last_used_at=$2 WHERE hash=$1");
        update.bind(hash.to_vec()).bind(now.as_micros()).execute(&mut *writer).await?;
        if let Some(user) = principal.user {
            sqlx::query("UPDATE memberships SET last_used_at=$3 WHERE principal=$1 AND tenant=$2")
                .bind(bytes(user))
                .bind(bytes(principal.tenant))
                .bind(now.as_micros())
                .execute(&mut *writer)
                .await?;
        }
        Ok(())
    }
}

/// What the joins decide: whose it is, where, and as what.
struct Found {
    kind: PrincipalKind,
    tenant: TenantId,
    home: TenantId,
    role: RoleRef,
    user_name: String,
}

fn read(row: &AnyRow, elsewhere: Authenticated, now: Timestamp) -> Result<Authenticated> {
    let kind = kind(row)?;
    let (tenant, home): (Option<TenantId>, TenantId) = (optional_id(row, "tenant")?, id_of(row, "home")?);
    let person: Option<String> = row.try_get("user_name")?;
    let machine = is_machine(kind);
    if !machine && person.is_none() {
        // Disabled, or gone.
        return Ok(Authenticated::Refused);
    }
    let Some(tenant) = tenant else { return Ok(elsewhere) };
    let role = match kind {
        PrincipalKind::Ingest | PrincipalKind::Key if tenant != home => return Ok(elsewhere),
        PrincipalKind::Ingest | PrincipalKind::Key => Some(RoleRef::BuiltIn(kind.as_str().to_owned())),
        PrincipalKind::Session | PrincipalKind::Personal => {
            let (own, granted): (Option<String>, Option<String>) = (row.try_get("role")?, row.try_get("grant_role")?);
            own.or(granted).map(|role| RoleRef::parse(&role))
        }
    };
    let Some(role) = role else { return Ok(elsewhere) };
    let user_name = match person {
        Some(name) if !machine => name,
        _ => row.try_get("label")?,
    };
    let found = principal(row, Found { kind, tenant, home, role, user_name }, now)?;
    Ok(Authenticated::As(Box::new(found)))
}

fn kind(row: &AnyRow) -> Result<PrincipalKind> {
    let text: String = row.try_get("kind")?;
    let known = [PrincipalKind::Session, PrincipalKind::Personal, PrincipalKind::Ingest, PrincipalKind::Key];
    let found = known.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| StoreError::damaged("the kind of a credential"))
}

fn is_machine(kind: PrincipalKind) -> bool {
    matches!(kind, PrincipalKind::Ingest | PrincipalKind::Key)
}

fn bound(row: &AnyRow, machine: bool) -> Result<Option<Bound>> {
    let (grant, until) = if machine { ("by_grant", "by_grant_until") } else { ("grant_id", "grant_expires_at") };
    let (grant, until) = (optional_id(row, grant)?, optional_time(row, until)?);
    Ok(grant.zip(until).map(|(grant, until)| Bound { grant, until }))
}

fn principal(row: &AnyRow, found: Found, now: Timestamp) -> Result<Principal> {
    let Found { kind, tenant, home, role, user_name } = found;
    let machine = is_machine(kind);
    let id: Id<id::SessionKind> = id_of(row, "id")?;
    let state: String = row.try_get("state")?;
    let confirmed = if kind == PrincipalKind::Session { confirmation(row)? } else { None };
    let is_token = matches!(kind, PrincipalKind::Personal | PrincipalKind::Ingest);
    Ok(Principal {
        kind,
        tenant,
        tenant_slug: row.try_get("slug")?,
        tenant_state: TenantState::parse(&state).ok_or_else(|| StoreError::damaged("the state of a tenant"))?,
        home,
        user: if machine { None } else { optional_id(row, "principal")? },
        user_name,
        role,
        via_grant: if machine { None } else { optional_id(row, "grant_id")? },
        bound: bound(row, machine)?,
        key: if kind == PrincipalKind::Key { Some(json(row, "facts")?) } else { None },
        session: (kind == PrincipalKind::Session).then_some(id),
        token: is_token.then(|| TokenId::from_bits(id.bits())),
        source: row.try_get("source")?,
        confirmed,
        expires_at: optional_time(row, "expires_at")?,
        operator: !machine && flag(row, "operator")?,
        second_factor_due: flag(row, "second_factor")?
            && match kind {
                PrincipalKind::Session => !confirmed.is_some_and(|confirmed| confirmed.with.is_second_factor()),
                // Made in another tenant, which may ask for none.
                PrincipalKind::Personal => tenant != home,
                PrincipalKind::Ingest | PrincipalKind::Key => false,
            },
        use_due: due(row, "last_used_at", now)? || (is_member(row)? && due(row, "member_used_at", now)?),
    })
}

fn is_member(row: &AnyRow) -> Result<bool> {
    let role: Option<String> = row.try_get("role")?;
    Ok(role.is_some())
}

fn due(row: &AnyRow, column: &str, now: Timestamp) -> Result<bool> {
    let noted: Option<i64> = row.try_get(column)?;
    Ok(noted.is_none_or(|noted| noted < now.as_micros().saturating_sub(NOTED_EVERY_US)))
}

//! Connections to PostgreSQL: who serves, how a transaction begins, and what refuses to serve.
//!
//! Every transaction takes the role that has no rights but on rows, and names its tenant; row-level security holds it to
//! that. Both are set for the transaction alone, so no connection carries them over.

use std::{fmt::Write as _, time::Duration};

use shieldops_model::TenantId;
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Row as _,
    any::{AnyConnectOptions, AnyPoolOptions},
};

use super::{Kind, Whose, migrate as steps};
use crate::{Result, StoreError};

/// The role that serves; a login of its own is no use, since nobody can sign in as it.
const ROLE: &str = "shieldops_app";
/// Connections of a process that read, and that write; a server grants a hundred by default.
pub(super) const READERS: u32 = 12;
pub(super) const WRITERS: u32 = 8;
/// Advisory locks: of migrations, and of changes to the installation. A tenant's is made from its id.
const MIGRATION_LOCK: i64 = 0x5348_4945_4c44_0001;
const INSTALLATION_LOCK: i64 = 0x5348_4945_4c44_0002;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that rested this long is tried before it is used.
const RESTED: Duration = Duration::from_secs(5);

/// What connections are for. Those that read keep their role, so that what reads no tenant's rows needs no transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum For {
    Writing,
    Reading { role: Option<&'static str> },
}

impl For {
    /// What a connection is told when it is opened.
    fn begins_with(self) -> String {
        // Each text has one plan that fits, whatever it is asked for: planning for the values costs more than it saves. What
        // is asked for has an index that begins with the tenant: statistics of a young table do not speak against it.
        let mut text = "SET plan_cache_mode=force_generic_plan; SET jit=off; SET enable_seqscan=off".to_owned();
        if let Self::Reading { role } = self {
            // A constant of ours.
            if let Some(role) = role {
                text.extend(["; SET ROLE ", role]);
            }
            text.push_str(AUTHORITY_IS);
        }
        text
    }
}

/// Planned once for a connection: PostgreSQL answers with an error that says it when the epoch of authority is another.
const AUTHORITY_IS: &str = "; PREPARE authority_is (BIGINT) AS SELECT CASE WHEN epoch=$1 THEN 0 \
    ELSE CAST('authority is at '||epoch||', no longer at '||$1 AS INT) END FROM authority";

/// Connections to a database.
pub(crate) async fn connect(url: &str, connections: u32, purpose: For) -> Result<AnyPool> {
    // A pool would try for long what cannot succeed.
    beside(url).await?.close().await?;
    let options: AnyConnectOptions = url.parse()?;
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(15))
        .test_before_acquire(false)
        .after_connect(move |connection, _about| {
            Box::pin(async move {
                let text = purpose.begins_with();
                sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await?;
                Ok(())
            })
        })
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > RESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    Ok(pool.connect_with(options).await?)
}

/// The address as it may be shown: without password and settings.
pub(crate) fn shown(url: &str) -> Result<String> {
    let options: AnyConnectOptions = url.parse()?;
    let mut url = options.database_url;
    url.set_query(None);
    if url.password().is_some() {
        url.set_password(None).map_err(|()| StoreError::damaged("the database's address has no place for a login"))?;
    }
    Ok(url.to_string())
}

/// A connection by itself.
pub(crate) async fn beside(url: &str) -> Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    let place = shown(url)?;
    let connecting = tokio::time::timeout(PATIENCE, AnyConnection::connect(url));
    let connected = connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    connected.map_err(|source| StoreError::Unreachable { place, source })
}

/// What a transaction is begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
    /// A commit does not wait for the disk: it is there when a later one is, and may be lost with the machine.
    WriteUnwaited,
}

/// The statements that begin a transaction, in one message.
pub(crate) fn begin(role: Option<&str>, whose: Whose, mode: Mode) -> String {
    let (tenant, lock) = match whose {
        Whose::Installation => (String::new(), INSTALLATION_LOCK),
        Whose::Tenant(tenant) => (hex::encode(tenant.to_bytes()), tenant_lock(tenant)),
    };
    let write = mode != Mode::Read;
    let mut text = if write { "BEGIN; " } else { "BEGIN READ ONLY; " }.to_owned();
    // The role is a constant of ours and the tenant is hexadecimal. What reads has its role already.
    if let (Some(role), true) = (role, write) {
        text.push_str("SET LOCAL ROLE ");
        text.push_str(role);
        text.push_str("; ");
    }
    text.push_str("SET LOCAL app.tenant='");
    text.push_str(&tenant);
    text.push('\'');
    if write {
        // A node that hangs in a transaction holds up the others no longer than this.
        text.push_str("; SET LOCAL lock_timeout='15s'; SET LOCAL idle_in_transaction_session_timeout='60s'");
        if mode == Mode::WriteUnwaited {
            text.push_str("; SET LOCAL synchronous_commit=off");
        }
        text.push_str(&format_lock(lock));
    }
    text
}

/// The same for what reads, which does not begin when the epoch of authority is another than this: PostgreSQL answers with
/// an error that says so. It comes before the transaction, so that it leaves none behind.
pub(crate) fn begin_at(whose: Whose, epoch: i64) -> String {
    format!("EXECUTE authority_is({epoch}); {}", begin(None, whose, Mode::Read))
}

fn format_lock(lock: i64) -> String {
    format!("; SELECT pg_advisory_xact_lock({lock})")
}

/// The random end of the id.
fn tenant_lock(tenant: TenantId) -> i64 {
    let end = tenant.to_bytes().last_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(end)
}

/// Refuses a pooler that gives each transaction another connection: prepared statements are lost or mixed up there.
pub(crate) async fn refuse_moving_connections(pool: &AnyPool) -> Result<()> {
    let (mut one, mut other) = (pool.acquire().await?, pool.acquire().await?);
    let mut tx = one.begin().await?;
    let before = backend(&mut tx).await?;
    tx.commit().await?;
    // A pooler hands the connection that was just given back to whoever begins next.
    let mut held = other.begin().await?;
    backend(&mut held).await?;
    let mut tx = one.begin().await?;
    let after = backend(&mut tx).await?;
    tx.rollback().await?;
    held.rollback().await?;
    if before == after {
        return Ok(());
    }
    Err(StoreError::Unsuitable {
        detail: "a pooler in transaction mode is in between: name the database itself in `database.url`, or a pooler \
                 in session mode"
            .to_owned(),
    })
}

async fn backend(conn: &mut AnyConnection) -> Result<i64> {
    // As plain text without arguments: nothing is prepared on a connection that may be another's.
    let row = sqlx::raw_sql("SELECT pg_backend_pid()::BIGINT AS pid").fetch_one(conn).await?;
    Ok(row.try_get("pid")?)
}

/// Takes the missing steps, all or none, and says which role serves.
pub(crate) async fn migrate(pool: &AnyPool) -> Result<Option<&'static str>> {
    let mut tx = pool.begin_with(AssertSqlSafe("BEGIN".to_owned() + &format_lock(MIGRATION_LOCK))).await?;
    let login = Login::of(&mut tx).await?;
    let applied = steps::applied(&mut tx, Kind::Postgres).await?;
    let pending = steps::pending(&applied)?;
    if !pending.is_empty() {
        steps::run(&mut tx, Kind::Postgres).await?;
        sqlx::raw_sql(GUARD).execute(&mut *tx).await?;
    }
    let role = login.role(&mut tx).await?;
    if role.is_some() {
        grant(&mut tx, !pending.is_empty()).await?;
    }
    effective(&mut tx, &login, role).await?;
    tx.commit().await?;
    Ok(role)
}

/// Row-level security on every table of a tenant. An owner is held to it as well, which FORCE alone would not do.
const GUARD: &str = "DO $$
DECLARE
  guarded REGCLASS;
BEGIN
  FOR guarded IN
    SELECT c.oid::REGCLASS FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::REGNAMESPACE AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded);
    IF NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = guarded) THEN
      EXECUTE format('CREATE POLICY tenant ON %s USING (tenant_id = decode(nullif(current_setting(''app.tenant'', true), ''''), ''hex''))', guarded);
    END IF;
  END LOOP;
END
$$";

/// What the login may do.
struct Login {
    name: String,
    superuser: bool,
    bypasses: bool,
    makes_roles: bool,
    /// Of the server.
    version: i64,
}

impl Login {
    async fn of(conn: &mut AnyConnection) -> Result<Self> {
        let row = sqlx::query(
            "SELECT rolname::TEXT AS name, rolsuper::INT AS superuser, rolbypassrls::INT AS bypasses, rolcreaterole::INT AS makes, \
             current_setting('server_version_num')::BIGINT AS version FROM pg_roles WHERE rolname=current_user",
        )
        .fetch_one(conn)
        .await?;
        let (superuser, bypasses, makes, version): (i64, i64, i64, i64) =
            (row.try_get("superuser")?, row.try_get("bypasses")?, row.try_get("makes")?, row.try_get("version")?);
        Ok(Self {
            name: row.try_get("name")?,
            superuser: superuser != 0,
            bypasses: bypasses != 0,
            makes_roles: makes != 0,
            version,
        })
    }

    /// Since then a grant says whether the role may be taken.
    fn since_16(&self) -> bool {
        self.version >= 160_000
    }

    /// The role that serves: made when it may be, else the login itself where row-level security holds it.
    async fn role(&self, conn: &mut AnyConnection) -> Result<Option<&'static str>> {
        if self.superuser {
            tracing::warn!(
                login = self.name,
                "the PostgreSQL login is a superuser: a plain login that owns the database is enough"
            );
        }
        if !self.may_take(conn).await? && (self.superuser || self.makes_roles) {
            // By itself, so that a refusal does not end the migration.
            let mut attempt = conn.begin().await?;
            match self.make(&mut attempt).await {
                Ok(()) => attempt.commit().await?,
                Err(error) => {
                    tracing::warn!(%error, "the role {ROLE} could not be made");
                    attempt.rollback().await?;
                }
            }
        }
        Ok(if self.may_take(conn).await? { Some(ROLE) } else { None })
    }

    async fn may_take(&self, conn: &mut AnyConnection) -> Result<bool> {
        let right = if self.since_16() { "SET" } else { "MEMBER" };
        let taken: Option<i64> =
            sqlx::query_scalar("SELECT CAST(pg_has_role(current_user, oid, $2) AS INT) FROM pg_roles WHERE rolname=$1")
                .bind(ROLE)
                .bind(right)
                .fetch_optional(conn)
                .await?;
        Ok(taken == Some(1))
    }

    async fn make(&self, conn: &mut AnyConnection) -> Result<()> {
        // Another database of the same server may make it at this very moment.
        let create = format!(
            "DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *conn).await?;
        if !self.superuser {
            let with = if self.since_16() { " WITH SET TRUE, INHERIT TRUE" } else { "" };
            let grant = AssertSqlSafe(format!("GRANT {ROLE} TO CURRENT_USER{with}"));
            sqlx::raw_sql(grant).execute(conn).await?;
        }
        Ok(())
    }
}

/// The role may do with rows what it likes, and nothing with tables.
async fn grant(conn: &mut AnyConnection, changed: bool) -> Result<()> {
    let granted: i64 = sqlx::query_scalar("SELECT has_table_privilege($1, 'installation', 'SELECT')::INT::BIGINT")
        .bind(ROLE)
        .fetch_one(&mut *conn)
        .await?;
    if granted != 0 && !changed {
        return Ok(());
    }
    let schema: String = sqlx::query_scalar("SELECT quote_ident(current_schema())").fetch_one(&mut *conn).await?;
    let mut text = String::new();
    for (rights, on) in [
        ("USAGE", "SCHEMA"),
        ("SELECT, INSERT, UPDATE, DELETE", "ALL TABLES IN SCHEMA"),
        ("USAGE", "ALL SEQUENCES IN SCHEMA"),
    ] {
        write!(text, "GRANT {rights} ON {on} {schema} TO {ROLE};").map_err(StoreError::damaged)?;
    }
    write!(text, "REVOKE ALL ON {schema}._sqlx_migrations FROM {ROLE}").map_err(StoreError::damaged)?;
    sqlx::raw_sql(AssertSqlSafe(text)).execute(conn).await?;
    Ok(())
}

/// Refuses to serve as one whom row-level security does not hold.
async fn effective(conn: &mut AnyConnection, login: &Login, role: Option<&str>) -> Result<()> {
    let (name, bypasses) = match role {
        None => (login.name.as_str(), login.superuser || login.bypasses),
        Some(role) => {
            let held = "SELECT CAST((rolsuper OR rolbypassrls) AS INT) FROM pg_roles WHERE rolname=$1";
            let bypasses: i64 = sqlx::query_scalar(held).bind(role).fetch_one(conn).await?;
            (role, bypasses != 0)
        }
    };
    if !bypasses {
        return Ok(());
    }
    Err(StoreError::Unsuitable {
        detail: format!(
            "the PostgreSQL role `{name}` bypasses row-level security: sign in as a plain login that owns the database, \
             or let a superuser run `CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO {}`",
            login.name
        ),
    })
}

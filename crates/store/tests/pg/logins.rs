//! Who may sign in to serve.

use shieldops_store::{StoreError, targets};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::{
    database::Server,
    support::{directory, now, target},
};

/// A login of this test alone that owns the database.
pub(super) async fn owner(server: &Server, rights: &str) -> String {
    let login = format!("{}_owner", server.name);
    server
        .admin(&format!(
            "CREATE ROLE {login} LOGIN PASSWORD '{login}' {rights}; ALTER DATABASE {} OWNER TO {login}",
            server.name
        ))
        .await;
    login
}

/// The address of the database for this login.
pub(super) fn url_of(server: &Server, login: &str) -> String {
    let (_, place) = server.url.rsplit_once('@').unwrap();
    format!("postgres://{login}:{login}@{place}")
}

async fn open(url: &str, dir: &std::path::Path) -> Result<shieldops_store::Store, StoreError> {
    let options = shieldops_store::Options {
        data_dir: dir.to_owned(),
        database_url: Some(url.to_owned()),
        ..shieldops_store::Options::default()
    };
    shieldops_store::Store::open(&options, std::sync::Arc::new(shieldops_model::FixedClock::at(now()))).await
}

/// Signs in with these rights, writes, reads, and looks past the filter; says which role served.
async fn serve(rights: &str) -> Option<Result<String, StoreError>> {
    let server = Server::new().await?;
    let login = owner(&server, rights).await;
    let dir = directory();
    let outcome = served(&server, &login, dir.path()).await;
    forget(&server, &login).await;
    Some(outcome)
}

/// The login goes with its test.
pub(super) async fn forget(server: &Server, login: &str) {
    server.admin(&format!("ALTER DATABASE {} OWNER TO postgres", server.name)).await;
    let mut db = AnyConnection::connect(&server.url).await.unwrap();
    let gone =
        AssertSqlSafe(format!("REASSIGN OWNED BY {login} TO postgres; DROP OWNED BY {login}; DROP ROLE {login}"));
    sqlx::raw_sql(gone).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

async fn served(server: &Server, login: &str, dir: &std::path::Path) -> Result<String, StoreError> {
    let store = open(&url_of(server, login), dir).await?;
    let tenant = store.first().await?;
    let scope = store.job(tenant.id, shieldops_store::Job::Cli)?;
    let target = target("sim/one");
    let mut tx = scope.begin().await?;
    targets::insert(&mut tx, &target).await?;
    tx.record("target.created", &[&target.id], ()).unwrap();
    tx.commit(now()).await?;
    assert_eq!(targets::all(&mut scope.read().await?).await?.len(), 1);
    let mut reader = scope.read().await?;
    let role = sqlx::query_scalar("SELECT current_user::TEXT").fetch_one(shieldops_store::Access::conn(&mut reader));
    let role: String = role.await?;
    drop(reader);
    // The login by itself, without a scope.
    let mut db = AnyConnection::connect(&url_of(server, login)).await?;
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM targets").fetch_one(&mut db).await?;
    assert_eq!(seen, 0, "the owner is held to row-level security as well");
    db.close().await?;
    let report = shieldops_store::ledger::verify_database(dir, &url_of(server, login), &[]).await?;
    assert!(report.ok && report.logs[0].entries == 1, "{report:?}");
    store.close().await;
    // The second start finds nothing to do.
    open(&url_of(server, login), dir).await?.close().await;
    Ok(role)
}

#[tokio::test]
async fn a_login_that_may_make_roles_serves_as_the_role_for_it() {
    let Some(outcome) = serve("CREATEROLE").await else { return };
    assert_eq!(outcome.unwrap(), "shieldops_app");
}

#[tokio::test]
async fn a_plain_login_serves_as_itself() {
    let Some(outcome) = serve("").await else { return };
    assert!(outcome.unwrap().ends_with("_owner"));
}

#[tokio::test]
async fn a_login_that_bypasses_row_level_security_is_refused() {
    let Some(outcome) = serve("BYPASSRLS").await else { return };
    let refused = outcome.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unsuitable { detail } if detail.contains("bypasses row-level security")),
        "{refused}"
    );
}

#[tokio::test]
async fn an_address_that_nobody_answers_is_an_error_at_once() {
    let dir = directory();
    let refused = open("postgres://nobody:x@127.0.0.1:1/none", dir.path()).await.err().unwrap();
    assert!(refused.to_string().contains("127.0.0.1:1/none cannot be reached"), "{refused}");
}

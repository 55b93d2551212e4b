//! The database of one test: a file in its directory, or a database of its own on a PostgreSQL server.

use std::path::Path;

use shieldops_store::ledger::{DirectoryReport, verify_database, verify_directory};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

pub(crate) enum Database {
    File,
    Server(Server),
}

/// A database that is dropped with the test.
pub(crate) struct Server {
    superuser: String,
    pub(crate) name: String,
    pub(crate) url: String,
}

/// A database put aside, to be brought back.
pub(crate) enum Snapshot {
    File(Vec<u8>),
    /// In tables beside its own.
    Tables,
}

/// What a snapshot of a server's database holds.
const LEDGER: [&str; 3] = ["ledger_entries", "ledger_subjects", "ledger_heads"];

impl Database {
    pub(crate) async fn new(postgres: bool) -> Option<Self> {
        sqlx::any::install_default_drivers();
        if postgres { Server::new().await.map(Self::Server) } else { Some(Self::File) }
    }

    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::File => None,
            Self::Server(server) => Some(&server.url),
        }
    }

    pub(crate) async fn verify(&self, dir: &Path, outside: &[String]) -> DirectoryReport {
        match self {
            Self::File => verify_directory(dir, outside).await.unwrap(),
            Self::Server(server) => verify_database(dir, &server.url, outside).await.unwrap(),
        }
    }

    pub(crate) async fn connect(&self, dir: &Path) -> AnyConnection {
        match self {
            Self::File => {
                AnyConnection::connect(&format!("sqlite://{}", dir.join("state.db").display())).await.unwrap()
            }
            Self::Server(server) => AnyConnection::connect(&server.url).await.unwrap(),
        }
    }

    /// Runs SQL beside the store, past every wall.
    pub(crate) async fn sql(&self, dir: &Path, text: &str) -> u64 {
        let mut db = self.connect(dir).await;
        let text = AssertSqlSafe(self.bytes(text));
        let done = sqlx::raw_sql(text).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        done.rows_affected()
    }

    /// Literals of bytes as this database writes them.
    pub(crate) fn bytes(&self, text: &str) -> String {
        match self {
            Self::File => text.to_owned(),
            Self::Server(_) => text.replace("X'", "'\\x"),
        }
    }

    pub(crate) async fn snapshot(&self, dir: &Path) -> Snapshot {
        match self {
            Self::File => Snapshot::File(std::fs::read(dir.join("state.db")).unwrap()),
            Self::Server(_) => {
                self.sql(dir, "CREATE SCHEMA saved").await;
                for table in LEDGER {
                    self.sql(dir, &format!("CREATE TABLE saved.{table} AS TABLE {table}")).await;
                }
                Snapshot::Tables
            }
        }
    }

    pub(crate) async fn restore(&self, dir: &Path, to: &Snapshot) {
        match to {
            Snapshot::File(bytes) => std::fs::write(dir.join("state.db"), bytes).unwrap(),
            Snapshot::Tables => {
                let back = LEDGER.map(|table| format!("TRUNCATE {table}; INSERT INTO {table} TABLE saved.{table};"));
                self.sql(dir, &back.concat()).await;
            }
        }
    }
}

impl Server {
    /// On the server that `PEER_PG` names, whose login is a superuser.
    pub(crate) async fn new() -> Option<Self> {
        let Ok(superuser) = std::env::var("PEER_PG").or_else(|_unset| std::env::var("PEER_PG_URL")) else {
            let required = std::env::var("PEERS_REQUIRED").unwrap_or_default();
            assert!(!required.split_whitespace().any(|peer| peer == "pg"), "PEER_PG is not set, and pg is required");
            eprintln!("SKIPPED PostgreSQL: PEER_PG not set");
            return None;
        };
        sqlx::any::install_default_drivers();
        let server = Self::named(&superuser);
        server.admin(&format!("CREATE DATABASE {}", server.name)).await;
        Some(server)
    }

    fn named(superuser: &str) -> Self {
        let name = format!("shieldops_test_{}", hex::encode(rand::random::<[u8; 6]>()));
        let (front, _) = superuser.rsplit_once('/').unwrap();
        Self { superuser: superuser.to_owned(), url: format!("{front}/{name}"), name }
    }

    pub(crate) async fn admin(&self, sql: &str) {
        let mut db = AnyConnection::connect(&self.superuser).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    }

    async fn drop_it(&self) {
        self.admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (superuser, name) = (self.superuser.clone(), self.name.clone());
        // In a runtime of its own: the test's is ending.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Self { superuser, url: String::new(), name }.gone());
        });
        drop(dropped.join());
    }
}

impl Server {
    async fn gone(self) {
        self.drop_it().await;
        std::mem::forget(self);
    }
}

//! A database of its own on the PostgreSQL server that `PEER_PG` names, removed with the value.

#![allow(dead_code, reason = "each test of the whole uses another part")]

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

pub(crate) struct Database {
    pub(crate) url: String,
    server: String,
    name: String,
}

impl Database {
    /// `None`, loudly, where there is no server.
    pub(crate) fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let said = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
        let Some(server) = said("PEER_PG").or_else(|| said("PEER_PG_URL")) else {
            let required = said("PEERS_REQUIRED").unwrap_or_default();
            assert!(!required.split_whitespace().any(|peer| peer == "pg"), "PEER_PG is not set, and pg is required");
            eprintln!("SKIPPED PostgreSQL: PEER_PG not set (scripts/postgres runs a command beside a private server)");
            return None;
        };
        let name = format!("shieldops_whole_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let (front, _) = server.rsplit_once('/').unwrap();
        let database = Self { url: format!("{front}/{name}"), name, server };
        assert!(database.sql(&format!("CREATE DATABASE {}", database.name)), "no database can be made with psql");
        Some(database)
    }

    fn sql(&self, text: &str) -> bool {
        let ran =
            Command::new("psql").args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-d", &self.server, "-c", text]).status();
        ran.is_ok_and(|status| status.success())
    }

    /// One value of this database, read by another client than ours.
    pub(crate) fn value(&self, text: &str) -> String {
        let ran = Command::new("psql").args(["-qXAt", "-d", &self.url, "-c", text]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.sql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

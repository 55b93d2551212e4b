//! Measures commits of one entry each on a new directory: `cargo run --release -p shieldops-store --example commits`. With
//! an address as its argument the state is in that PostgreSQL database.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::{sync::Arc, time::Instant};

use shieldops_model::{Clock as _, SystemClock};
use shieldops_store::{Job, Options, Store};

const COMMITS: u32 = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let database_url = std::env::args().nth(1);
    let options = Options { data_dir: dir.path().to_owned(), database_url, ..Options::default() };
    let store = Store::open(&options, Arc::new(SystemClock)).await?;
    let scope = store.job(store.first().await?.id, Job::Cli)?;
    let mut took = Vec::new();
    for number in 0..COMMITS {
        let start = Instant::now();
        let mut tx = scope.begin().await?;
        tx.record("measured", &[], serde_json::json!({"number": number}))?;
        tx.commit(SystemClock.now()).await?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    for (name, place) in
        [("median", took.len() / 2), ("95th percentile", took.len() * 95 / 100), ("longest", took.len() - 1)]
    {
        println!("{name}: {:?}", took.get(place).copied().unwrap_or_default());
    }
    store.close().await;
    Ok(())
}

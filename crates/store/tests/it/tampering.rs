//! Invariant 9: editing, deleting, reordering or truncating what the ledger is made of is found with the server stopped.

use shieldops_ledger::{Frontier, Signer, read_checkpoints};
use shieldops_store::{StoreError, ledger::verify_directory};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::support::{Stopped, cut_checkpoints, world};

async fn log() -> Option<Stopped> {
    log_of(&[&["a.one", "a.two"], &["b.one"], &["c.one"], &["d.one", "d.two"]]).await
}

async fn log_of(commits: &[&[&'static str]]) -> Option<Stopped> {
    let world = world().await?;
    for kinds in commits {
        world.commit(kinds).await.unwrap();
    }
    Some(world.stop().await)
}

/// Every row of these tables, as the text of a condition that selects it alone, and the columns of each table.
const TABLES: &[(&str, &[&str])] = &[
    ("ledger_entries", &["tenant_id", "seq", "time", "kind", "subjects", "leaf", "hash"]),
    ("ledger_subjects", &["tenant_id", "subject", "seq"]),
    ("ledger_heads", &["tenant_id", "size", "root", "frontier"]),
];

/// An UPDATE or DELETE for each cell and each row.
async fn edits(stopped: &Stopped) -> Vec<String> {
    let mut db = stopped.database.connect(stopped.dir.path()).await;
    let mut edits = Vec::new();
    for (table, columns) in TABLES {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch_all(&mut db).await.unwrap();
        assert!(!rows.is_empty());
        for row in rows {
            let literal = |column: &str| match row.try_get_raw(column).unwrap().type_info().name() {
                "BIGINT" => row.get::<i64, _>(column).to_string(),
                "TEXT" => format!("'{}'", row.get::<String, _>(column)),
                _ => format!("X'{}'", hex::encode(row.get::<Vec<u8>, _>(column))),
            };
            let changed = |column: &str| match row.try_get_raw(column).unwrap().type_info().name() {
                "BIGINT" => format!("{column}+1000"),
                "TEXT" => format!("{column}||' '"),
                _ => {
                    let mut bytes = row.get::<Vec<u8>, _>(column);
                    *bytes.last_mut().unwrap() ^= 1;
                    format!("X'{}'", hex::encode(bytes))
                }
            };
            let only =
                columns.iter().map(|column| format!("{column}={}", literal(column))).collect::<Vec<_>>().join(" AND ");
            edits.push(format!("DELETE FROM {table} WHERE {only}"));
            edits.extend(
                columns.iter().map(|column| format!("UPDATE {table} SET {column}={} WHERE {only}", changed(column))),
            );
        }
    }
    db.close().await.unwrap();
    edits
}

#[tokio::test]
async fn invariant_9_every_edit_and_delete_of_a_single_row_is_found() {
    let Some(stopped) = log_of(&[&["a.one", "a.two"], &["b.one"]]).await else { return };
    assert!(stopped.verify().await.ok);
    let (dir, database) = (stopped.dir.path(), &stopped.database);
    let whole = database.snapshot(dir).await;
    for edit in edits(&stopped).await {
        assert_eq!(stopped.sql(&edit).await, 1, "{edit}");
        let report = stopped.verify().await;
        assert!(!report.ok, "not found: {edit}");
        database.restore(dir, &whole).await;
    }
    for insert in [
        "INSERT INTO ledger_subjects (tenant_id, subject, seq) SELECT tenant_id, 'pln_x', 1 FROM ledger_heads",
        "INSERT INTO ledger_entries SELECT tenant_id, 3, time, kind, subjects, leaf, hash FROM ledger_entries WHERE seq=2",
        "UPDATE ledger_entries SET seq=CASE seq WHEN 0 THEN 101 ELSE 100 END WHERE seq IN (0,1); UPDATE ledger_entries SET seq=seq-100 WHERE seq>=100",
    ] {
        stopped.sql(insert).await;
        assert!(!stopped.verify().await.ok, "not found: {insert}");
        database.restore(dir, &whole).await;
    }
    assert!(stopped.verify().await.ok);
}

/// Cuts the log to `size` entries the way somebody would who knows how it is made.
async fn cut_log(stopped: &Stopped, size: usize) {
    let mut db = stopped.database.connect(stopped.dir.path()).await;
    let rows = sqlx::query("SELECT hash FROM ledger_entries ORDER BY seq").fetch_all(&mut db).await.unwrap();
    let mut frontier = Frontier::default();
    for row in rows.iter().take(size) {
        frontier.append(row.get::<Vec<u8>, _>("hash").try_into().unwrap());
    }
    let size = i64::try_from(size).unwrap();
    sqlx::query("DELETE FROM ledger_entries WHERE seq>=$1").bind(size).execute(&mut db).await.unwrap();
    sqlx::query("DELETE FROM ledger_subjects WHERE seq>=$1").bind(size).execute(&mut db).await.unwrap();
    let update = sqlx::query("UPDATE ledger_heads SET size=$1, root=$2, frontier=$3");
    update.bind(size).bind(frontier.root().to_vec()).bind(frontier.to_bytes()).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn invariant_9_a_log_cut_with_its_head_is_found_and_is_not_written_on() {
    let Some(stopped) = log().await else { return };
    cut_log(&stopped, 4).await;
    let report = stopped.verify().await;
    assert!(!report.ok, "{report:?}");
    let world = stopped.start().await;
    let refused = world.commit(&["more"]).await;
    assert!(matches!(refused, Err(StoreError::Ledger { .. })), "{refused:?}");
    assert!(!world.verify(&[]).await.ok, "found while the server runs, too");
    assert!(!world.stop().await.verify().await.ok, "a start does not cover it up");
}

#[tokio::test]
async fn invariant_9_a_whole_directory_rolled_back_is_found_with_a_checkpoint_kept_elsewhere() {
    let Some(stopped) = log().await else { return };
    let outside = read_checkpoints(&std::fs::read(stopped.checkpoints()).unwrap()).0.pop().unwrap();
    cut_log(&stopped, 4).await;
    cut_checkpoints(&stopped.checkpoints(), 1);
    assert!(stopped.verify().await.ok, "all of it was rolled back: nothing inside can tell");
    let report = stopped.verify_with(std::slice::from_ref(&outside)).await;
    assert!(!report.ok, "{report:?}");

    // With log, tenant and key gone, the note still speaks of them.
    for table in ["ledger_entries", "ledger_subjects", "ledger_heads", "tenants"] {
        stopped.sql(&format!("DELETE FROM {table}")).await;
    }
    std::fs::remove_dir_all(stopped.dir.path().join("checkpoints")).unwrap();
    assert!(!stopped.verify_with(&[outside]).await.ok);
}

#[tokio::test]
async fn a_checkpoint_of_a_replaced_key_or_of_another_installation_is_not_passed_over() {
    let Some(stopped) = log().await else { return };
    let notes = read_checkpoints(&std::fs::read(stopped.checkpoints()).unwrap()).0;
    let ours = notes[0].lines().next().unwrap();
    let forged = Signer::new(ours, &[1; 32]).sign(2, [0; 32]);
    assert!(!stopped.verify_with(&[forged]).await.ok);
    let other = Signer::new("shieldops/other/tnt_1", &[1; 32]).sign(2, [0; 32]);
    let report = stopped.verify_with(&[other]).await;
    assert!(
        report.ok && report.uncovered.iter().any(|uncovered| uncovered.what.contains("shieldops/other/tnt_1")),
        "{report:?}"
    );
}

#[tokio::test]
async fn invariant_9_checkpoints_that_are_missing_or_edited_are_found_before_and_after_a_start() {
    let Some(stopped) = log().await else { return };
    let path = stopped.checkpoints();
    let whole = std::fs::read(&path).unwrap();
    let mut edited = whole.clone();
    let digit = edited.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    edited[digit] = b'1';
    for changed in
        [None, Some(edited), Some(Vec::new()), Some(whole[..whole.len() / 3].to_vec()), Some(whole[4..].to_vec())]
    {
        match &changed {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        assert!(!stopped.verify().await.ok);
        if let Ok(store) = crate::support::open(stopped.dir.path(), &stopped.clock, &stopped.database).await {
            store.close().await;
        }
        assert!(!stopped.verify().await.ok, "a start does not cover it up");
        std::fs::write(&path, &whole).unwrap();
        assert!(stopped.verify().await.ok);
    }
    let key = path.with_extension("vkey");
    std::fs::write(&key, Signer::new("shieldops/x/y", &[1; 32]).verifier().to_text()).unwrap();
    assert!(!stopped.verify().await.ok);
    std::fs::remove_file(&key).unwrap();
    assert!(!stopped.verify().await.ok);
}

#[tokio::test]
async fn a_proof_changes_nothing_in_the_directory() {
    if crate::POSTGRES {
        // The database is elsewhere, and the proof reads it in a transaction that cannot write.
        return;
    }
    // As a killed server leaves it: with its WAL.
    let Some(world) = world().await else { return };
    world.commit(&["one"]).await.unwrap();
    let left = tempfile::tempdir().unwrap();
    std::fs::create_dir(left.path().join("checkpoints")).unwrap();
    for entry in std::fs::read_dir(world.dir.path().join("checkpoints")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), left.path().join("checkpoints").join(entry.file_name())).unwrap();
    }
    for name in ["state.db", "state.db-wal"] {
        std::fs::copy(world.dir.path().join(name), left.path().join(name)).unwrap();
    }
    let before = listing(left.path());
    let report = verify_directory(left.path(), &[]).await.unwrap();
    assert!(report.ok && report.logs[0].entries == 1, "{report:?}");
    assert_eq!(listing(left.path()), before);
}

fn listing(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap_or_default())).collect();
    files.sort();
    files
}

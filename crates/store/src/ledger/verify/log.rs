//! One log: its entries, its head, its index of subjects, its checkpoints.

use shieldops_ledger::{
    Bad, Checkpoint, Frontier, Report, Stored, Tail, Verifier, VerifierKey, checkpoint_tail, read_checkpoints,
};
use shieldops_model::{TenantId, Timestamp};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::files::{Checkpoints, OneFile};
use crate::{Result, StoreError, db::turn_to};

/// Entries read at a time.
const CHUNK: i64 = 1_000;

pub(super) struct Log<'a> {
    pub(super) tenant: TenantId,
    /// The name that the log has by the database.
    pub(super) name: String,
    pub(super) files: Option<&'a Checkpoints>,
    /// Notes kept elsewhere, of any log.
    pub(super) outside: &'a [String],
    /// How many nodes write to it: each may lack the checkpoint of its last commit. Absent when not all of their files
    /// are here, so that nothing is said of it.
    pub(super) nodes: Option<u64>,
}

/// What was opened of a log's checkpoints, and what does not open.
#[derive(Default)]
struct Heads {
    of_file: Vec<Checkpoint>,
    elsewhere: Vec<Checkpoint>,
    faults: Vec<String>,
}

impl Log<'_> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn verify(&self, db: &mut AnyConnection) -> Result<Report> {
        let tenant = self.tenant.to_bytes().to_vec();
        turn_to(db, self.tenant).await?;
        let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM ledger_entries WHERE tenant_id=$1")
            .bind(&tenant)
            .fetch_one(&mut *db)
            .await?;
        let size = last.map_or(0, |last| u64::try_from(last).unwrap_or(0).saturating_add(1));
        let heads = self.heads(size);
        let mut verifier = Verifier::new(self.tenant.to_string(), &heads.of_file).outside(&heads.elsewhere);
        for fault in heads.faults {
            verifier.fail(None, fault);
        }
        entries(db, &tenant, &mut verifier).await?;
        subjects(db, &tenant, &mut verifier).await?;
        let head = head(db, &tenant, &mut verifier).await?;
        if self.nodes == Some(1) {
            return Ok(verifier.finish(head));
        }
        let mut report = verifier.running().finish(head);
        let missing = self.nodes.is_some_and(|nodes| report.uncovered_commits > nodes);
        if missing && report.ok {
            let why =
                format!("{} commits have no signed checkpoint: checkpoints were removed", report.uncovered_commits);
            report.ok = false;
            report.first_bad = Some(Bad { seq: Some(report.checkpoint_size), why });
        }
        Ok(report)
    }

    fn heads(&self, size: u64) -> Heads {
        let mut heads = Heads::default();
        let key = self.files.and_then(|files| files.key.as_deref()).and_then(|text| VerifierKey::parse(text).ok());
        let (Some(key), Some(files)) = (key, self.files) else {
            // A tenant that has never committed has neither entries nor key.
            if size > 0 || self.files.is_some() {
                heads.faults.push("the verifier key beside the checkpoints is missing or damaged".to_owned());
            }
            if self.outside.iter().any(|note| note.lines().next() == Some(self.name.as_str())) {
                heads.faults.push("a checkpoint kept elsewhere is of this log, whose verifier key is gone".to_owned());
            }
            return heads;
        };
        if key.name() != self.name {
            heads.faults.push(format!("the verifier key is of another log: {}", key.name()));
        }
        for file in files.of_node.values() {
            heads.read(file, &key, size);
        }
        for note in self.outside {
            match key.open_outside(note) {
                Ok(head) => heads.elsewhere.extend(head),
                Err(error) => heads.faults.push(format!("a checkpoint kept elsewhere: {error}")),
            }
        }
        heads
    }
}

impl Heads {
    fn read(&mut self, file: &OneFile, key: &VerifierKey, size: u64) {
        let (notes, whole) = read_checkpoints(&file.bytes);
        if checkpoint_tail(&file.bytes, whole) == Tail::Damaged {
            self.faults.push(format!("the checkpoint file is damaged at byte {whole}"));
        }
        let mut last = 0;
        for (number, note) in notes.iter().enumerate() {
            match key.open(note) {
                Ok(head) if head.size <= last => {
                    self.faults.push(format!("checkpoint {number}: not larger than the one before"));
                }
                Ok(head) => {
                    last = head.size;
                    // Written after the database was read, of entries that came after.
                    if number < file.before || head.size <= size {
                        self.of_file.push(head);
                    }
                }
                Err(error) => self.faults.push(format!("checkpoint {number}: {error}")),
            }
        }
    }
}

async fn entries(db: &mut AnyConnection, tenant: &[u8], verifier: &mut Verifier) -> Result<()> {
    let mut above = i64::MIN;
    loop {
        let rows = sqlx::query("SELECT seq, time, kind, subjects, leaf, hash FROM ledger_entries WHERE tenant_id=$1 AND seq>$2 ORDER BY seq LIMIT $3")
            .bind(tenant)
            .bind(above)
            .bind(CHUNK)
            .fetch_all(&mut *db)
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        above = last.try_get("seq")?;
        for row in &rows {
            match stored(row) {
                Ok(stored) => drop(verifier.entry(&stored)),
                Err(error) => verifier.fail(None, format!("a row does not read: {error}")),
            }
        }
    }
}

fn stored(row: &AnyRow) -> Result<Stored> {
    let (seq, time): (i64, i64) = (row.try_get("seq")?, row.try_get("time")?);
    let subjects: String = row.try_get("subjects")?;
    let listed: Vec<String> = serde_json::from_str(&subjects).unwrap_or_default();
    // One content has one spelling: blanks between are a change like any other.
    let canonical = serde_json::to_string(&listed).is_ok_and(|text| text == subjects);
    Ok(Stored {
        seq: u64::try_from(seq).map_err(|_negative| StoreError::damaged(format!("entry {seq}")))?,
        leaf: row.try_get("leaf")?,
        hash: row.try_get("hash")?,
        kind: row.try_get("kind")?,
        time: Timestamp::from_micros(time).to_string(),
        subjects: if canonical { listed } else { vec![subjects] },
    })
}

/// The index of subjects says what the entries say, no more and no less.
async fn subjects(db: &mut AnyConnection, tenant: &[u8], verifier: &mut Verifier) -> Result<()> {
    let missing = "SELECT e.seq FROM ledger_entries e, json_each(CASE WHEN json_valid(e.subjects) THEN e.subjects ELSE '[]' END) j \
        WHERE e.tenant_id=$1 AND NOT EXISTS (SELECT 1 FROM ledger_subjects s WHERE s.tenant_id=$1 AND s.subject=j.value AND s.seq=e.seq) LIMIT 1";
    // Where none is missing, more are too many. Counted, each list of an entry is read once.
    let surplus = "SELECT s.seq FROM (SELECT seq, count(*) AS indexed FROM ledger_subjects WHERE tenant_id=$1 GROUP BY seq) s \
        LEFT JOIN ledger_entries e ON e.tenant_id=$1 AND e.seq=s.seq WHERE e.seq IS NULL OR s.indexed>(SELECT count(DISTINCT j.value) \
        FROM json_each(CASE WHEN json_valid(e.subjects) THEN e.subjects ELSE '[]' END) j) LIMIT 1";
    for (sql, why) in [
        (missing, "the index of subjects lacks one of this entry"),
        (surplus, "the index of subjects has one that this entry has not"),
    ] {
        let seq: Option<i64> = sqlx::query_scalar(sql).bind(tenant).fetch_optional(&mut *db).await?;
        if let Some(seq) = seq {
            verifier.fail(u64::try_from(seq).ok(), why);
        }
    }
    Ok(())
}

/// The stored head. Its frontier is what the next entry is appended to, so it must say what size and root say.
async fn head(db: &mut AnyConnection, tenant: &[u8], verifier: &mut Verifier) -> Result<Option<(u64, Vec<u8>)>> {
    let row = sqlx::query("SELECT size, root, frontier FROM ledger_heads WHERE tenant_id=$1")
        .bind(tenant)
        .fetch_optional(db)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (size, root, frontier): (i64, Vec<u8>, Vec<u8>) =
        (row.try_get("size")?, row.try_get("root")?, row.try_get("frontier")?);
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let same = Frontier::from_bytes(&frontier)
        .is_some_and(|frontier| frontier.size() == size && frontier.root().as_slice() == root);
    if !same {
        verifier.fail(None, "the head's frontier does not give its size and root");
    }
    Ok(Some((size, root)))
}

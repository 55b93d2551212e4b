//! Jobs that end in a report: a row beside the job's own, with the report sealed in it. What it reports on, and what the report
//! means, is for the module of each table to say.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shieldops_model::{JobId, Timestamp};
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    jobs::JobState,
    rows::{bytes, time},
};

/// The table of one kind of report, by its name.
pub(crate) struct Reports(pub(crate) &'static str);

/// What every such row has.
pub(crate) struct Reported<R> {
    pub(crate) id: JobId,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) state: JobState,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) report: Option<R>,
}

#[derive(Serialize, Deserialize)]
struct Body<R> {
    report: Option<R>,
}

impl Reports {
    pub(crate) fn sealed<R: Serialize>(&self, tx: &Tx, id: JobId, report: Option<&R>) -> Result<Vec<u8>> {
        seal(tx, self.0, &id.to_bytes(), &Body { report })
    }

    /// Notes the end of one that runs.
    ///
    /// # Errors
    /// `Conflict` when it has ended already.
    pub(crate) async fn finish<R: Serialize>(
        &self,
        tx: &mut Tx,
        id: JobId,
        state: JobState,
        report: Option<&R>,
    ) -> Result<()> {
        let body = self.sealed(tx, id, report)?;
        let update =
            format!("UPDATE {} SET state=$3, body=$4 WHERE tenant_id=$1 AND id=$2 AND state='running'", self.0);
        let done = sqlx::query(AssertSqlSafe(update))
            .bind(tx.t())
            .bind(bytes(id))
            .bind(state.as_str())
            .bind(body)
            .execute(tx.conn())
            .await?;
        if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
    }

    /// Says of those whose job is over that they are too: their process ended in the middle.
    pub(crate) async fn give_up(&self, tx: &mut Tx) -> Result<()> {
        let update = format!(
            "UPDATE {0} SET state='failed' WHERE tenant_id=$1 AND state='running' AND NOT EXISTS \
             (SELECT 1 FROM jobs j WHERE j.tenant_id={0}.tenant_id AND j.id={0}.id AND j.state='running')",
            self.0
        );
        sqlx::query(AssertSqlSafe(update)).bind(tx.t()).execute(tx.conn()).await?;
        Ok(())
    }

    pub(crate) fn read<R: DeserializeOwned>(&self, access: &impl Access, row: &AnyRow) -> Result<Reported<R>> {
        let id: JobId = id_of(row, "id")?;
        let (sealed, state): (Vec<u8>, String) = (row.try_get("body")?, row.try_get("state")?);
        let Body { report } = open(access, self.0, &id.to_bytes(), &sealed)?;
        Ok(Reported {
            id,
            from: time(row, "since")?,
            to: time(row, "until")?,
            state: JobState::of(&state),
            at: time(row, "at")?,
            by: row.try_get("actor")?,
            report,
        })
    }
}

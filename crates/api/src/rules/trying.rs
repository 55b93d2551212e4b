//! Trying a rule takes the processor for as long as its text and its samples want: one at a time of each tenant, a few
//! altogether, and no longer than somebody waits for it.

use std::{sync::LazyLock, time::Duration};

use shieldops_bus::Stop;
use shieldops_model::{Code, TenantId};
use shieldops_pipeline::turns::{Awaited, Turns};

use super::blocking;
use crate::Problem;

static TURNS: LazyLock<Turns> = LazyLock::new(Turns::default);
const LONGEST: Duration = Duration::from_secs(20);

/// What comes of `work`, which asks now and then whether to stop, and gives nothing where it had to.
///
/// # Errors
/// `queue_full` where others of the tenant try rules already, `timeout` where it took too long.
pub(crate) async fn trying<T: Send + 'static>(
    tenant: TenantId,
    work: impl FnOnce(&Stop) -> Option<T> + Send + 'static,
) -> Result<T, Problem> {
    let turn = TURNS.take(tenant).await?;
    let (stop, _awaited) = Awaited::new(LONGEST);
    let held = move || {
        // To the end of the work, though the request that asked may be gone.
        let _turn = turn;
        work(&stop)
    };
    let late = || {
        let detail = format!(
            "to try the rule took more than {} s; take fewer or shorter samples, or a simpler rule",
            LONGEST.as_secs()
        );
        Problem::new(Code::TIMEOUT, detail)
    };
    blocking(held).await?.ok_or_else(late)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn a_rule_that_is_being_tried_keeps_its_tenant_waiting_and_stops_when_nobody_waits_for_it() {
        let tenant = TenantId::from_bits(7);
        let (begun, begins) = sync_channel(1);
        let (ended, ends) = sync_channel(1);
        let endless = move |stop: &Stop| {
            begun.send(()).unwrap();
            while !stop.is_due() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
            None::<()>
        };
        let waits = tokio::task::spawn_blocking(move || begins.recv());
        tokio::select! {
            done = trying(tenant, endless) => panic!("{:?}", done.err()),
            begun = waits => begun.unwrap().unwrap(),
        }
        tokio::task::spawn_blocking(move || ends.recv()).await.unwrap().unwrap();
        assert_eq!(trying(tenant, |_| Some(1)).await.ok(), Some(1), "the turn is given back");
        let given_up = trying(tenant, |_| None::<()>).await.err().unwrap();
        assert_eq!((given_up.status, given_up.code.as_str()), (504, "timeout"));
    }
}

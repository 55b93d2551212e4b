//! Argon2 on the blocking pool, a few runs at once: each takes 19 MiB and a core, and anybody may ask for one.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::{IdentityError, password};

static RUNS: Semaphore = Semaphore::const_new(3);
/// How long a caller waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the password is the one of `stored`.
pub(crate) async fn verify(given: String, stored: Option<String>) -> Result<bool, IdentityError> {
    run(&RUNS, PATIENCE, move || password::verify(&given, stored.as_deref())).await
}

/// The PHC string of a new password. The rules (`password::check`) are the caller's to ask.
///
/// # Errors
/// `Wait` when too many others are at it.
pub async fn hash_password(given: String) -> Result<String, IdentityError> {
    Ok(run(&RUNS, PATIENCE, move || password::hash(&given)).await??)
}

async fn run<T: Send + 'static>(
    runs: &'static Semaphore,
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IdentityError> {
    let turn = tokio::time::timeout(patience, runs.acquire()).await.map_err(|_late| IdentityError::Wait(patience))?;
    let turn = turn.map_err(|_closed| IdentityError::Stopped)?;
    let done = tokio::task::spawn_blocking(move || {
        // Held by the work itself: a caller that goes away does not end it.
        let _turn = turn;
        work()
    });
    done.await.map_err(|_ended| IdentityError::Stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_beyond_the_limit_is_told_to_wait() {
        let runs: &'static Semaphore = Box::leak(Box::new(Semaphore::new(1)));
        let (go, held) = std::sync::mpsc::sync_channel::<()>(1);
        let first = tokio::task::LocalSet::new();
        let at_work = first.spawn_local(run(runs, PATIENCE, move || held.recv().is_ok()));
        let second = async {
            while runs.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            let refused = run(runs, Duration::ZERO, || ()).await;
            assert!(matches!(refused, Err(IdentityError::Wait(_))));
            go.send(()).unwrap();
            assert!(at_work.await.unwrap().unwrap());
            assert!(run(runs, PATIENCE, || ()).await.is_ok());
        };
        first.run_until(second).await;
    }
}

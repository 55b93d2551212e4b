//! Two stores on one directory, and proofs made while both write.

use shieldops_model::Clock as _;
use shieldops_store::Job;

use crate::support::{commit, open, world};

const COMMITS: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_commit_beside_each_other_stay_sound_and_are_never_called_tampered() {
    let Some(world) = world().await else { return };
    let other = open(world.dir.path(), &world.clock, &world.database).await.unwrap();
    let scopes = [world.scope(), other.job(world.tenant, Job::Cli).unwrap()];
    let writers = scopes.map(|scope| {
        let clock = world.clock.clone();
        tokio::task::spawn(async move {
            for _ in 0..COMMITS {
                clock.advance(std::time::Duration::from_micros(1));
                commit(&scope, &["some.thing"], clock.now()).await.unwrap();
            }
        })
    });
    while writers.iter().any(|writer| !writer.is_finished()) {
        let report = world.verify(&[]).await;
        assert!(report.ok, "{report:?}");
    }
    for writer in writers {
        writer.await.unwrap();
    }
    other.close().await;
    let report = world.stop().await.verify().await;
    assert!(report.ok, "{report:?}");
    let size = u64::try_from(2 * COMMITS).unwrap();
    assert_eq!(
        (report.logs[0].entries, report.logs[0].checkpoint_size, report.logs[0].checkpoints),
        (size, size, size)
    );
}

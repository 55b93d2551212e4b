//! Our program on a host is killed before each of its changes there, in turn: nothing is reported wrongly, nothing is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, PlanState};
use shieldops_respond::CrashPoints;

use crate::{
    hosts::REVERSIBLE,
    support::{World, person},
};

/// System calls by which files are changed.
const CALLS: &str = "mkdirat,linkat,renameat2,unlinkat,fchown,fchmod,fsync,utimensat,fsetxattr";
/// In the place of our program: the same under a tracer that counts its changes, or kills it before one of them.
const TRACED: &str = r#"cd /run/shieldops-twin && touch real && mount --bind hand real && echo off 0 > cut
cat > traced <<'END'
#!/bin/sh
read call number < /run/shieldops-twin/cut
job=/run/shieldops-twin/job.$$
cat > $job && exec < $job
# What sweeps up afterwards is left alone.
grep -q '"sweep":true' $job && call=off
rm $job
[ "$call" = off ] && exec /run/shieldops-twin/real "$@"
echo >> /run/shieldops-twin/started
inject=
[ "$number" = 0 ] || inject="-e inject=$call:signal=KILL:when=$number"
exec strace -D -q -A -o /run/shieldops-twin/trace -e trace=$call $inject /run/shieldops-twin/real "$@"
END
chmod 755 traced && mount --bind traced hand"#;
/// Waits until the tracers of everything that was started have written down its end.
const ENDED: &str = r"cd /run/shieldops-twin; echo off 0 > cut
for i in $(seq 500); do [ $(grep -c '^+++ ' trace) = $(grep -c '' started) ] && exec cat trace; sleep 0.01; done; exit 1";
/// Everything that could be left, with its content.
const LOOK: &str = "places='/etc /home /var/spool /tmp'
find $places -xdev ! -name .pwd.lock -printf '%p %m %U %G' '(' -type d -printf '\\n' -o -printf ' %s %T@\\n' ')'
find $places -xdev -type f -exec sha256sum '{}' +";
/// The server is lost when its program on the host is.
const LOST: &str = "before_child_ended";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";

/// What there is, and what is done to it.
fn given(capability: &str) -> (String, Value) {
    match capability {
        "linux.block_domain" => ("true".to_owned(), json!({"domain": "evil.example"})),
        "linux.disable_cron_entry" => {
            let entry = "* * * * * root /tmp/x";
            (format!("echo '{entry}' > /etc/cron.d/x"), json!({"path": "/etc/cron.d/x", "entry": entry}))
        }
        "linux.disable_user" => ("useradd -m mallory".to_owned(), json!({"user": "mallory"})),
        "linux.quarantine_file" => ("echo bad > /home/x".to_owned(), json!({"path": "/home/x"})),
        other => {
            assert_eq!(other, "linux.remove_authorized_key", "nothing is known to be done by it");
            let files =
                format!("echo '{KEY}' | tee .ssh/authorized_keys > .ssh/authorized_keys2; chown -R mallory: .ssh");
            let host = format!("useradd -m mallory; cd /home/mallory; mkdir .ssh; {files}");
            (host, json!({"user": "mallory", "key": KEY}))
        }
    }
}

struct Traced {
    world: World,
    name: &'static str,
    params: Value,
    before: BTreeSet<String>,
}

impl Traced {
    /// `None`, loudly, where no twin can run or nothing can be traced.
    async fn new(name: &'static str) -> Option<Self> {
        let world = World::rooted().await?;
        if !world.sh_of("strace -qq true").0 {
            eprintln!("SKIPPED: no strace here");
            return None;
        }
        let (host, params) = given(name);
        world.sh(&host);
        world.sh(TRACED);
        let mut it = Self { world, name, params, before: BTreeSet::new() };
        it.before = it.look();
        Some(it)
    }

    fn arm(&self, call: &str, number: usize) {
        self.world.sh(&format!("cd /run/shieldops-twin; : > trace; : > started; echo {call} {number} > cut"));
    }

    async fn act(&self) -> Action {
        // The gate counts actions in a minute and an hour.
        self.world.clock.advance(Duration::from_secs(3_700));
        self.world.act(self.name, self.params.clone()).await
    }

    /// What is begun by a server that is lost.
    async fn begin(&self) -> Action {
        self.world.clock.advance(Duration::from_secs(3_700));
        let mut plan = self.world.try_plan(self.name, self.params.clone()).await.unwrap();
        for number in 1..=2 {
            if plan.state == PlanState::Proposed {
                plan = self.world.engine.approve(plan.id, &plan.hash, &person(number)).await.unwrap();
            }
        }
        self.world.idle().await;
        self.world.action(&plan.actions[0]).await
    }

    async fn undo(&self, action: &Action) -> Action {
        if let Err(error) = self.world.engine.undo(action.id, &person(2), "a false alarm").await {
            assert!(error.to_string().contains(LOST), "{error}");
        }
        self.world.settled().await;
        self.world.action(action).await
    }

    /// The changes of doing it, or of undoing it: each call, and how often.
    async fn changes(&self, undo: bool) -> BTreeMap<String, usize> {
        if !undo {
            self.arm(CALLS, 0);
        }
        let action = self.act().await;
        if undo {
            self.arm(CALLS, 0);
        } else {
            self.world.sh("echo off 0 > /run/shieldops-twin/cut");
        }
        let undone = self.undo(&action).await;
        assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
        let mut found = BTreeMap::new();
        for call in self.world.sh(ENDED).lines().filter_map(|line| Some(line.split_once('(')?.0)) {
            *found.entry(call.to_owned()).or_default() += 1;
        }
        assert!(found.contains_key("renameat2"), "{found:?}");
        self.is_as_before("with nothing killed");
        found
    }

    fn look(&self) -> BTreeSet<String> {
        self.world.sh(LOOK).lines().map(str::to_owned).collect()
    }

    fn is_as_before(&self, when: &str) {
        let (now, name) = (self.look(), self.name);
        let differs: Vec<_> = self.before.symmetric_difference(&now).collect();
        assert!(differs.is_empty(), "{name} {when}: residue: {differs:?}");
    }

    fn was_killed(&self, when: &str) {
        let trace = self.world.sh(ENDED);
        assert!(trace.contains("+++ killed by SIGKILL +++"), "{} {when}: nothing was killed: {trace}", self.name);
    }

    /// The server is lost with its program on the host, and begins again.
    async fn begin_again(&mut self) {
        self.world.restart(CrashPoints::none());
        self.world.engine.recover().await.unwrap();
        self.world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_is_cut_off_before_any_change_is_told_as_it_is_and_leaves_nothing() {
    for name in REVERSIBLE {
        let Some(it) = Traced::new(name).await else { return };
        for (call, times) in it.changes(false).await {
            for number in 1..=times {
                let when = format!("killed before {call} {number}");
                it.arm(&call, number);
                let action = it.act().await;
                it.was_killed(&when);
                let said = action.detail.clone().unwrap_or_default();
                if action.state != ActionState::Failed || !said.contains("as it was before") {
                    let undone = it.undo(&action).await;
                    assert_eq!(undone.state, ActionState::Undone, "{name} {when}: {said}: {:?}", undone.detail);
                }
                it.is_as_before(&when);
            }
        }
    }
}

/// As with a disk that does not answer: our program is ended when its time is over.
#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_hangs_before_its_change_is_told_as_it_is_and_leaves_nothing() {
    let Some(it) = Traced::new("linux.block_domain").await else { return };
    it.world
        .sh("cd /run/shieldops-twin; sed 's/signal=KILL/delay_enter=30000000/' traced > hangs && cat hangs > traced");
    it.arm("renameat2", 1);
    let action = it.act().await;
    let said = action.detail.clone().unwrap_or_default();
    assert_eq!(action.state, ActionState::Failed, "{said}");
    assert!(said.contains("did not end within") && said.contains("as it was before"), "{said}");
    it.is_as_before("hung before renameat2");
}

/// Between two changes a vault is empty: whoever looked then would take it for what a lost program left.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_looks_at_a_host_between_two_changes_of_an_action() {
    let Some(it) = Traced::new("linux.quarantine_file").await else { return };
    it.world.sh("cd /run/shieldops-twin; sed 's/signal=KILL/delay_enter=4000000/' traced > slow && cat slow > traced; echo bad > /home/y");
    it.arm("linkat", 1);
    let look = async {
        while !it.world.sh_of("test -d /home/.shieldops-vault").0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        it.world.try_plan(it.name, json!({"path": "/home/y"})).await.unwrap()
    };
    let (action, plan) = tokio::join!(it.act(), look);
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert_eq!(plan.actions[0].from.get("leftover"), None, "{}", plan.actions[0].from);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_is_cut_off_before_any_change_is_told_as_it_is_and_can_be_repeated() {
    for name in REVERSIBLE {
        let Some(it) = Traced::new(name).await else { return };
        for (call, times) in it.changes(true).await {
            for number in 1..=times {
                let when = format!("killed before {call} {number}");
                let action = it.act().await;
                it.arm(&call, number);
                let undone = it.undo(&action).await;
                it.was_killed(&when);
                if undone.state != ActionState::Undone {
                    assert_eq!(undone.state, ActionState::UndoFailed, "{name} {when}: {:?}", undone.detail);
                    let undone = it.undo(&action).await;
                    assert_eq!(undone.state, ActionState::Undone, "{name} {when}: {:?}", undone.detail);
                }
                it.is_as_before(&when);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_done_after_the_server_was_lost_before_any_change() {
    for name in REVERSIBLE {
        let Some(mut it) = Traced::new(name).await else { return };
        for (call, times) in it.changes(false).await {
            for number in 1..=times {
                let when = format!("lost before {call} {number}");
                it.world.restart(CrashPoints::give_up_at(LOST));
                it.arm(&call, number);
                let action = it.begin().await;
                it.was_killed(&when);
                it.begin_again().await;
                let action = it.world.action(&action).await;
                let undone = it.undo(&action).await;
                assert_eq!(
                    undone.state,
                    ActionState::Undone,
                    "{name} {when}: {:?}: {:?}",
                    action.detail,
                    undone.detail
                );
                it.is_as_before(&when);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_done_after_the_server_was_lost_before_any_change() {
    for name in REVERSIBLE {
        let Some(mut it) = Traced::new(name).await else { return };
        for (call, times) in it.changes(true).await {
            for number in 1..=times {
                let when = format!("lost before {call} {number}");
                let action = it.act().await;
                it.world.restart(CrashPoints::give_up_at(LOST));
                it.arm(&call, number);
                it.undo(&action).await;
                it.was_killed(&when);
                it.begin_again().await;
                let undone = it.world.action(&action).await;
                assert_eq!(undone.state, ActionState::Undone, "{name} {when}: {:?}", undone.detail);
                it.is_as_before(&when);
            }
        }
    }
}

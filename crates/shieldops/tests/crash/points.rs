//! The process ends at each named point of a run, of its recovery, and of its undo.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use serde_json::{Value, json};
use shieldops_respond::CrashPoints;

use crate::{
    machine::{Machine, PATIENCE, Staffed, within_time},
    tally::Tally,
    world::{Namespace, World},
};

const ADDRESS: &str = "198.51.100.66";
const ABORTED: i32 = 6;
/// A block settles with its apply and arms nothing, nobody halts it, it joins nothing, succeeds and reads nothing to be kept: these are tried
/// inside `respond` and by the proof suite.
const ELSEWHERE: [&str; 22] = [
    "before_settling",
    "after_settling",
    "before_disarmed",
    "after_disarmed",
    "before_paused",
    "after_paused",
    "before_resumed",
    "after_resumed",
    "before_joined",
    "after_joined",
    "before_planned_again",
    "after_planned_again",
    "before_collected",
    "after_collected",
    "before_unverified",
    "after_unverified",
    "before_taking_back",
    "after_taking_back",
    "before_not_taken_back",
    "after_not_taken_back",
    "before_given_up",
    "after_given_up",
];
/// Only an undo comes to these.
const UNDO: [&str; 2] = ["before_undo_planned", "after_undo_planned"];
/// An undo is proved with its outcome.
const RUN: [&str; 2] = ["before_proved", "after_proved"];
/// Only a real host is changed by a child.
const CHILD: [&str; 4] = ["before_child", "after_child", "before_child_ended", "after_child_ended"];
/// At these the effect is there already: recovery must not make it again.
const DONE: [&str; 7] = [
    "after_apply",
    "before_outcome",
    "after_outcome",
    "before_proved",
    "after_proved",
    "before_run_ended",
    "after_run_ended",
];

#[test]
fn a_crash_at_any_point_of_a_run_or_of_its_undo_ends_in_the_truth() {
    let mut tally = Tally::new("named points, simulator");
    let staffed = Staffed::new(&["sim/web"]);
    for name in CrashPoints::NAMES {
        let machine = staffed.machine.copy();
        let world = World::sim(machine.data(), "web");
        let reached = !ELSEWHERE.contains(name) && !CHILD.contains(name);
        Case { machine, world, name, reached, staffed: &staffed, tally: &mut tally }.run();
    }
    assert!(tally.kills >= 20, "only {} kills", tally.kills);
    tally.close();
}

#[test]
fn a_crash_around_the_child_that_changes_a_real_namespace_ends_in_the_truth() {
    let mut tally = Tally::new("named points, namespace");
    let names = [CHILD.as_slice(), &["after_intent", "after_apply"]].concat();
    if Namespace::make("so-probe").is_none() {
        eprintln!("SKIPPED: network namespaces cannot be made here (this needs root, ip and nft)");
        return;
    }
    let staffed = Staffed::new(&[]);
    for (number, name) in names.iter().enumerate() {
        let mut machine = staffed.machine.copy();
        let world = World::Netns(Namespace::make(&format!("so-crash{number}")).unwrap());
        machine.start(&[]).unwrap();
        let (status, body) = machine
            .client
            .post("/api/v1/targets", &staffed.ann, &json!({"kind": "linux_host", "name": world.target()}))
            .unwrap();
        assert_eq!(status, 201, "{body}");
        machine.kill();
        Case { machine, world, name, reached: true, staffed: &staffed, tally: &mut tally }.run();
    }
    tally.close();
}

struct Case<'a> {
    machine: Machine,
    world: World,
    name: &'a str,
    /// Whether the run comes to the point at all.
    reached: bool,
    staffed: &'a Staffed,
    tally: &'a mut Tally,
}

impl Case<'_> {
    fn run(mut self) {
        self.start();
        let plan = self.propose();
        let reached = self.reached;
        self.reached &= !UNDO.contains(&self.name);
        let (plan_id, action_id) = (text(&plan["id"]), text(&plan["actions"][0]["id"]));
        self.machine.client.post(
            &format!("/api/v1/plans/{plan_id}/approve"),
            &self.staffed.bea,
            &json!({"hash": plan["hash"]}),
        );
        self.dies("the run");
        let written = self.world.writing();
        self.recover(|case| case.get(&format!("/api/v1/plans/{plan_id}"))["state"] == "executed");
        self.in_force(&plan_id, &action_id);
        if DONE.contains(&self.name) && self.world.writing() != written {
            self.tally.doubled(format!("{}: what was done was done again", self.name));
        }

        self.machine.kill();
        self.start();
        self.reached = reached && !RUN.contains(&self.name);
        self.ask_for_undo(&action_id);
        self.dies("the undo");
        let written = self.world.writing();
        self.recover(|case| case.get(&format!("/api/v1/actions/{action_id}"))["state"] != "undoing");
        if self.name == "before_undo_planned" {
            // Nothing was written of it: it is as if nobody had asked.
            self.in_force(&plan_id, &action_id);
            self.ask_for_undo(&action_id);
        }
        self.undone(&action_id);
        if DONE.contains(&self.name) && self.world.writing() != written {
            self.tally.doubled(format!("{}: what was undone was undone again", self.name));
        }
        self.machine.kill();
        self.machine.verify();
        self.tally.kills += self.machine.kills;
    }

    /// With the crash point armed.
    fn start(&mut self) {
        self.machine.start(&[("SHIELDOPS_CRASH_AT", self.name)]).unwrap();
    }

    fn propose(&self) -> Value {
        let wanted = json!({"actions": [{
            "capability": "linux.block_ip",
            "target": {"kind": "linux_host", "name": self.world.target()},
            "params": {"address": ADDRESS},
        }]});
        let (status, plan) = self.machine.client.post("/api/v1/plans", &self.staffed.ann, &wanted).unwrap();
        assert_eq!(status, 201, "{plan}");
        plan
    }

    fn ask_for_undo(&self, action: &str) {
        let path = format!("/api/v1/actions/{action}/undo");
        drop(self.machine.client.post(&path, &self.staffed.ann, &json!({"reason": "over"})));
    }

    fn get(&self, path: &str) -> Value {
        self.machine.client.get(path, &self.staffed.ann)
    }

    fn dies(&mut self, at: &str) {
        if self.reached {
            let status = self.machine.ended(PATIENCE).unwrap_or_else(|| panic!("{}: {at} never came to it", self.name));
            assert_eq!(status.signal(), Some(ABORTED), "{}: {status}", self.name);
            self.machine.kills += 1;
        } else {
            assert_eq!(self.machine.ended(Duration::ZERO), None, "{}: {at} came to it: test it as reached", self.name);
            self.machine.kill();
        }
    }

    /// Starts again, at first with the crash point still armed: recovery may end there once more. The next start is a clean one.
    fn recover(&mut self, settled: impl Fn(&Self) -> bool) {
        if self.reached {
            let status = match self.machine.start(&[("SHIELDOPS_CRASH_AT", self.name)]) {
                Err(ended) => Some(ended.status),
                // A recovery that comes to the point does so at once.
                Ok(()) => self.machine.ended(Duration::from_millis(500)),
            };
            match status {
                Some(status) => {
                    assert_eq!(status.signal(), Some(ABORTED), "{}: recovery ended with {status}", self.name);
                    self.machine.kills += 1;
                }
                None => self.machine.kill(),
            }
        }
        self.machine.start(&[]).unwrap();
        if within_time(PATIENCE, || settled(self).then_some(())).is_none() {
            self.tally.lost(format!("{}: recovery left it unfinished", self.name));
        }
    }

    /// Approved, so it must be done: once, verified, and so it is on the target.
    fn in_force(&mut self, plan: &str, action: &str) {
        let name = self.name;
        let known = self.get(&format!("/api/v1/actions/{action}"));
        let blocked = self.world.blocked();
        match blocked.get(ADDRESS) {
            None => self.tally.lost(format!("{name}: approved and not done: {known}")),
            Some(mark) if !mark.ends_with(action) => {
                self.tally.misreported(format!("{name}: marked {mark}, not {action}"));
            }
            Some(_) => {}
        }
        if blocked.len() > 1 {
            self.tally.doubled(format!("{name}: {blocked:?}"));
        }
        if (known["state"] == "verified") != blocked.contains_key(ADDRESS) {
            self.tally.misreported(format!("{name}: it says {} and the target has {blocked:?}", known["state"]));
        }
        self.once(action, "action.verified");
        self.once(plan, "run.ended");
        let actions = self.machine.client.all(&format!("/api/v1/actions?plan_id={plan}"), &self.staffed.ann);
        assert_eq!(actions.len(), 1, "{name}: {actions:?}");
    }

    /// Undone as asked, nothing of it left on the target, and nobody owns it any more.
    fn undone(&mut self, action: &str) {
        let name = self.name;
        let known = self.get(&format!("/api/v1/actions/{action}"));
        if known["state"] != "undone" {
            self.tally
                .misreported(format!("{name}: asked to be undone it says {}: {}", known["state"], known["detail"]));
        }
        if !self.world.is_clean() {
            self.tally.lost(format!("{name}: undone, and left {:?}", self.world.blocked()));
        }
        assert_eq!(known["owners"], json!([]), "{name}");
    }

    fn once(&mut self, subject: &str, kind: &str) {
        let entries =
            self.machine.client.all(&format!("/api/v1/ledger?kind={kind}&subject={subject}"), &self.staffed.ann);
        match entries.len() {
            0 => self.tally.lost(format!("{}: no entry {kind} of {subject}", self.name)),
            1 => {}
            count => self.tally.doubled(format!("{}: {count} entries {kind} of {subject}", self.name)),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

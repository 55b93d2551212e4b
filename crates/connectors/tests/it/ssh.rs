//! Targets over SSH: a real sshd in a network namespace of its own, reached from another. Neither is the host's.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Plan, PlanState, PrivateKey, Ssh, Target};
use shieldops_respond::{CrashPoints, Error};

use crate::{
    sshd::{HERE, Host, OTHER, SSHD, THERE, in_a_namespace as on_a_thread, reaches, sh},
    support::{World, person, target},
};

const BLOCK: &str = "linux.block_ip";
const ISOLATE: &str = "linux.isolate_host";
const NAME: &str = "ssh/web-1";

fn in_a_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    on_a_thread(move || {
        // Every thread and child of it begins where it is.
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test());
    });
}

fn row(host: &Host) -> Target {
    let ssh = Ssh {
        address: THERE.to_owned(),
        port: SSHD,
        user: "root".to_owned(),
        host_key: shieldops_model::ssh::host_key(&host.text("host.pub")).unwrap(),
        key_fingerprint: String::new(),
        private_key: PrivateKey::new(host.text("key")),
    };
    Target { ssh: Some(Box::new(ssh)), ..target(NAME) }
}

fn world(host: &Host) -> World {
    let world = World::new(NAME);
    world.journal.put_target(row(host));
    world
}

async fn plan(world: &World, capability: &str, params: Value) -> Result<Plan, Error> {
    let mut request = world.request(params);
    capability.clone_into(&mut request.actions[0].capability);
    world.engine.propose(request).await
}

async fn approved(world: &World, plan: &Plan) {
    assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
    for number in 0..plan.decision.approvals_needed {
        world.engine.approve(plan.id, &plan.hash, &person(10 + u128::from(number))).await.unwrap();
    }
    if plan.decision.approvals_needed == 0 {
        world.engine.execute(plan.id, &person(1)).await.unwrap();
    }
}

async fn done(world: &World, capability: &str, params: Value) -> Action {
    let plan = plan(world, capability, params).await.unwrap();
    approved(world, &plan).await;
    world.engine.wait(plan.id, Duration::from_mins(1)).await.unwrap().actions.remove(0)
}

#[test]
fn an_address_is_blocked_over_ssh_and_given_back_and_our_own_is_not() {
    in_a_namespace(|| async {
        let host = Host::start();
        let world = world(&host);
        let begun = std::time::Instant::now();
        let action = done(&world, BLOCK, json!({"address": "203.0.113.66"})).await;
        assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
        eprintln!("planned, applied and verified over SSH in {} ms", begun.elapsed().as_millis());
        assert!(host.ruleset().contains("203.0.113.66"), "{}", host.ruleset());
        assert_eq!(action.control_path.as_ref().map(|path| (path.via.as_str(), path.at_risk)), Some(("ssh", false)));
        let undone = world.undo(&action).await.unwrap();
        assert_eq!((undone.state, host.ruleset().as_str()), (ActionState::Undone, ""), "{:?}", undone.detail);

        for params in [json!({"address": HERE}), json!({"address": format!("::ffff:{HERE}")})] {
            let plan = plan(&world, BLOCK, params.clone()).await.unwrap();
            assert!(
                plan.decision.denies.iter().any(|deny| deny.code == "management_path"),
                "{params}: {:?}",
                plan.decision
            );
        }
        let plan = plan(&world, "linux.block_range", json!({"range": "203.0.113.4/30"})).await.unwrap();
        assert!(plan.decision.denies.iter().any(|deny| deny.code == "management_path"), "{:?}", plan.decision);
    });
}

#[test]
fn a_host_that_is_isolated_over_ssh_keeps_that_way_and_no_other() {
    in_a_namespace(|| async {
        let host = Host::start();
        let world = world(&host);
        assert!(reaches(OTHER));
        let action = done(&world, ISOLATE, json!({})).await;
        assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
        let path = action.control_path.as_ref().unwrap();
        assert_eq!((path.via.as_str(), path.at_risk), ("ssh", true));
        assert!(!reaches(OTHER), "everything but the management path is dropped");
        assert!(reaches(SSHD), "the management path is cut");
        assert!(!host.ruleset().contains("armed"), "{}", host.ruleset());
        let undone = world.undo(&action).await.unwrap();
        assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
        assert!(reaches(OTHER));
        assert_eq!(host.ruleset(), "", "residue");
    });
}

#[test]
fn a_server_that_is_lost_before_it_disarms_finishes_when_it_is_back() {
    in_a_namespace(|| async {
        let host = Host::start();
        let mut world = world(&host);
        world.restart(CrashPoints::give_up_at("before_disarmed"));
        let plan = plan(&world, ISOLATE, json!({})).await.unwrap();
        approved(&world, &plan).await;
        world.idle().await;
        assert!(host.ruleset().contains("armed") && host.ruleset().contains("timeout 1m"), "{}", host.ruleset());
        world.restart(CrashPoints::none());
        world.engine.recover().await.unwrap();
        let action = world.engine.wait(plan.id, Duration::from_mins(1)).await.unwrap().actions.remove(0);
        assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
        assert!(!host.ruleset().contains("armed") && !reaches(OTHER));
        assert_eq!(world.undo(&action).await.unwrap().state, ActionState::Undone);
    });
}

#[test]
fn evidence_comes_over_ssh_as_it_was_and_no_link_is_followed() {
    in_a_namespace(|| async {
        let host = Host::start();
        let world = world(&host);
        let at = fs::canonicalize(host.at()).unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        fs::write(at.join("odd 'name; $(id)"), &bytes).unwrap();
        std::os::unix::fs::symlink(at.join("key"), at.join("link")).unwrap();
        let files = ["odd 'name; $(id)", "link"].map(|name| at.join(name).to_string_lossy().into_owned());
        let action = done(&world, "linux.collect_evidence", json!({"files": files})).await;
        assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
        let kept = world.journal.collected();
        let find = |name: &str| kept.iter().find(|(_, item)| item.name == name).map(|(_, item)| item.bytes.clone());
        assert!(find(&files[0]).unwrap() == bytes, "the bytes are others");
        assert_eq!(find(&files[1]), None);
        assert!(String::from_utf8(find("sockets").unwrap()).unwrap().contains(&format!("{THERE}:{SSHD}")));
        assert!(String::from_utf8_lossy(&find("processes").unwrap()).contains("sshd"));
    });
}

#[test]
fn another_host_key_another_user_key_and_a_silent_host_are_clear_refusals() {
    in_a_namespace(|| async {
        let mut host = Host::start();
        let world = world(&host);
        let with = |change: &dyn Fn(&mut Ssh)| {
            let mut row = row(&host);
            change(row.ssh.as_mut().unwrap());
            world.journal.put_target(row);
        };
        let wrong = fs::read_to_string(host.at().join("key.pub")).unwrap();
        with(&|ssh| ssh.host_key = shieldops_model::ssh::host_key(&wrong).unwrap());
        let error = plan(&world, BLOCK, json!({"address": "203.0.113.66"})).await.unwrap_err().to_string();
        assert!(error.contains("another key than the one"), "{error}");
        let stranger = fs::read_to_string(host.at().join("host")).unwrap();
        with(&|ssh| ssh.private_key = PrivateKey::new(stranger.clone()));
        let error = plan(&world, BLOCK, json!({"address": "203.0.113.66"})).await.unwrap_err().to_string();
        assert!(error.contains("Permission denied"), "{error}");
        assert!(!error.contains("PRIVATE KEY"), "{error}");
        with(&|ssh| ssh.private_key = PrivateKey::default());
        let error = plan(&world, BLOCK, json!({"address": "203.0.113.66"})).await.unwrap_err().to_string();
        assert!(error.contains("private key"), "{error}");
        with(&|_| {});
        host.sshd = None;
        let error = plan(&world, BLOCK, json!({"address": "203.0.113.66"})).await.unwrap_err().to_string();
        assert!(error.contains("refused") || error.contains("timed out"), "{error}");
    });
}

#[test]
fn a_target_that_answers_half_or_never_ends_is_not_believed() {
    in_a_namespace(|| async {
        let host = Host::start();
        let world = world(&host);
        // What the target runs instead of nft, ip and ss: it says something and stops, or says it without end.
        let half = "answered half";
        for (body, why) in
            [("echo '{\"nftables\": ['; kill -9 $PPID", half), ("yes", "more than"), ("exec sleep 600", half)]
        {
            let fake = host.at().join("fake");
            fs::write(&fake, format!("#!/bin/sh\n{body}\n")).unwrap();
            sh(&format!("chmod 755 {}", fake.display()));
            let program = host.inside(&["sh", "-c", "command -v ip"]);
            host.inside(&["mount", "--bind", &fake.to_string_lossy(), program.trim()]);
            let error = plan(&world, BLOCK, json!({"address": "203.0.113.66"})).await.unwrap_err().to_string();
            assert!(error.contains(why), "{body}: {error}");
            host.inside(&["umount", program.trim()]);
        }
        assert_eq!(host.ruleset(), "");
    });
}

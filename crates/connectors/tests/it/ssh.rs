//! Targets over SSH: a real sshd in a network namespace of its own, reached from another. Neither is the host's.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Plan, PlanState, PrivateKey, Ssh, Target};
use shieldops_respond::{CrashPoints, Error};

use crate::support::{World, person, target};

const BLOCK: &str = "linux.block_ip";
const ISOLATE: &str = "linux.isolate_host";
const NAME: &str = "ssh/web-1";
/// This server's end of the link, the target's, and the ports that it listens on: managed by the first only.
const HERE: &str = "203.0.113.5";
const THERE: &str = "203.0.113.9";
const SSHD: u16 = 2222;
const OTHER: u16 = 8080;

/// A process that ends with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs a script that says when it is ready, and then stays.
fn stay(wrap: &[&str], script: &str) -> Result<Running, String> {
    let (program, arguments) = wrap.split_first().unwrap();
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", program])
        .args(arguments)
        .args(["sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).map_err(|error| error.to_string())?;
    if line == "ready\n" {
        return Ok(Running(child));
    }
    let said = child.wait_with_output().map_err(|error| error.to_string())?;
    Err(String::from_utf8_lossy(&said.stderr).into_owned())
}

fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

struct Host {
    folder: tempfile::TempDir,
    far: Running,
    /// Dropped first.
    sshd: Option<Running>,
}

impl Host {
    /// A target behind a link of its own, made from a thread that is in a namespace of its own already.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        let far = stay(
            &["unshare", "--net", "--mount"],
            "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && ip link set lo up && echo ready && exec sleep 1000",
        )
        .unwrap();
        let pid = far.0.id();
        sh(&format!(
            "ip link set lo up && ip link add here type veth peer name there netns {pid} && \
             ip addr add {HERE}/24 dev here && ip link set here up && \
             nsenter -t {pid} -n sh -c 'ip addr add {THERE}/24 dev there && ip link set there up' && \
             chmod 700 {at} && cd {at} && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key && \
             cp key.pub authorized && \
             printf 'ListenAddress {THERE}:{SSHD}\\nListenAddress {THERE}:{OTHER}\\nHostKey {at}/host\\nAuthorizedKeysFile {at}/authorized\\nStrictModes no\\n\
             PermitRootLogin prohibit-password\\nUsePAM no\\nPidFile none\\nMaxStartups 100\\n' > config"
        ));
        let mut host = Self { folder, far, sshd: None };
        host.listen();
        host
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn inside(&self, program: &[&str]) -> String {
        let output = Command::new("nsenter")
            .args(["-t", &self.far.0.id().to_string(), "-n", "-m"])
            .args(program)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts sshd, which also listens where nobody manages the host.
    fn listen(&mut self) {
        let pid = self.far.0.id().to_string();
        let config = self.at().join("config").display().to_string();
        let script =
            format!("PATH=$PATH:/usr/sbin; echo ready; exec $(command -v sshd) -D -e -f {config} 2>{config}.log");
        self.sshd = Some(stay(&["nsenter", "-t", &pid, "-n", "-m"], &script).unwrap());
        let begun = std::time::Instant::now();
        while !(reaches(SSHD) && reaches(OTHER)) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{}",
                fs::read_to_string(format!("{config}.log")).unwrap()
            );
        }
    }

    fn ruleset(&self) -> String {
        self.inside(&["nft", "list", "ruleset"])
    }

    fn target(&self) -> Target {
        let read = |name: &str| fs::read_to_string(self.at().join(name)).unwrap();
        let ssh = Ssh {
            address: THERE.to_owned(),
            port: SSHD,
            user: "root".to_owned(),
            host_key: shieldops_model::ssh::host_key(&read("host.pub")).unwrap(),
            key_fingerprint: String::new(),
            private_key: PrivateKey::new(read("key")),
        };
        Target { ssh: Some(Box::new(ssh)), ..target(NAME) }
    }
}

/// A new connection from this server's side of the link.
fn reaches(port: u16) -> bool {
    let to = SocketAddr::new(THERE.parse().unwrap(), port);
    TcpStream::connect_timeout(&to, Duration::from_millis(300)).is_ok()
}

/// Runs a test on a thread that is in a network namespace of its own; says loudly where that cannot be.
fn in_a_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    for program in ["sshd", "ssh", "ssh-keygen", "nft", "ip"] {
        let found =
            Command::new("sh").args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin command -v {program}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: {program} is not installed here");
            return;
        }
    }
    let near = match stay(&["unshare", "--net"], "echo ready && exec sleep 1000") {
        Ok(near) => near,
        Err(why) => {
            eprintln!("SKIPPED: a network namespace that sshd can run in needs root: {why}");
            return;
        }
    };
    let net = fs::File::open(PathBuf::from(format!("/proc/{}/ns/net", near.0.id()))).unwrap();
    let run = move || {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&net), kind).unwrap();
        // Every thread and child of it begins where it is.
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test());
    };
    let done = std::thread::Builder::new().spawn(run).unwrap().join();
    drop(near);
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

fn world(host: &Host) -> World {
    let world = World::new(NAME);
    world.journal.put_target(host.target());
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
            let mut row = host.target();
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

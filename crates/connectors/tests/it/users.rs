//! Users, their keys, sessions and schedules on a rooted twin: what counts is what a real sshd and a real resolver say.

use serde_json::{Value, json};
use shieldops_model::{ActionState, Id, PrivateKey, Ssh, Target};

use crate::support::{World, request_on, target};

const DISABLE: &str = "linux.disable_user";
const KEY: &str = "linux.remove_authorized_key";
const SESSIONS: &str = "linux.end_sessions";
const CRON: &str = "linux.disable_cron_entry";

/// A user `mallory` with a key, and an sshd that asks PAM. `false`, loudly, where there is no sshd.
fn with_sshd(world: &World) -> bool {
    if !world.sh_of("command -v sshd && command -v ssh && command -v ssh-keygen && command -v useradd").0 {
        eprintln!("SKIPPED: no sshd, ssh or useradd here");
        return false;
    }
    world.sh(
        "set -e; useradd -m -s /bin/sh mallory; echo 'mallory:some-password' | chpasswd; mkdir -p /home/mallory/.ssh /keys
        ssh-keygen -q -t ed25519 -N '' -f /keys/one; ssh-keygen -q -t ed25519 -N '' -f /keys/two
        cp /keys/one.pub /home/mallory/.ssh/authorized_keys; cat /keys/two.pub >> /home/mallory/.ssh/authorized_keys
        chmod 700 /home/mallory/.ssh; chmod 600 /home/mallory/.ssh/authorized_keys; chown -R mallory: /home/mallory
        rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
        printf 'ListenAddress 127.0.0.1:2222\nHostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n' > /etc/ssh/sshd_config
        mkdir -p /run/sshd; chmod 755 /run/sshd; $(command -v sshd)",
    );
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !logs_in(world, "one") && std::time::Instant::now() < deadline {}
    assert!(logs_in(world, "one"), "{}", world.sh_of(&ssh("one", "true")).1);
    true
}

fn ssh(key: &str, command: &str) -> String {
    format!(
        "ssh -n -i /keys/{key} -p 2222 -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null mallory@127.0.0.1 {command}"
    )
}

fn logs_in(world: &World, key: &str) -> bool {
    world.sh_of(&ssh(key, "true")).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_let_in_by_no_key_and_is_let_in_again_after_undo() {
    let Some(world) = World::rooted().await else { return };
    if !with_sshd(&world) {
        return;
    }
    let line = world.sh("grep ^mallory: /etc/shadow");
    // A lock alone is not enough: that is why the account expires too.
    world.sh("usermod -L mallory");
    assert!(logs_in(&world, "one"), "sshd asks PAM, and PAM lets keys of a locked user in");
    world.sh("usermod -U mallory");
    let action = world.act(DISABLE, json!({"user": "mallory"})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(!logs_in(&world, "one"));
    let kept = serde_json::to_string(&action).unwrap();
    let hash = line.split(':').nth(1).unwrap();
    assert!(hash.len() > 10 && !kept.contains(hash), "the password's hash is in what is kept: {kept}");
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert!(logs_in(&world, "one"));
    assert_eq!(world.sh("grep ^mallory: /etc/shadow"), line);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_key_lets_nobody_in_and_the_other_one_still_does() {
    let Some(world) = World::rooted().await else { return };
    if !with_sshd(&world) {
        return;
    }
    let file =
        world.sh("cat /home/mallory/.ssh/authorized_keys; stat -c '%U %a %Y' /home/mallory/.ssh/authorized_keys");
    let key = world.sh("cat /keys/one.pub");
    let action = world.act(KEY, json!({"user": "mallory", "key": key})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert_eq!((logs_in(&world, "one"), logs_in(&world, "two")), (false, true));
    // From when it is our way to any host, it is taken away nowhere.
    let fingerprint = action.params["key"].as_str().unwrap().to_owned();
    let ssh = Ssh {
        address: "192.0.2.1".to_owned(),
        port: 22,
        user: "root".to_owned(),
        host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000".to_owned(),
        key_fingerprint: fingerprint,
        private_key: PrivateKey::new("not one".to_owned()),
    };
    world.journal.put_target(Target { id: Id::from_bits(78), ssh: Some(Box::new(ssh)), ..target("ssh/edge") });
    world.engine.propose(request_on("ssh/edge", json!({"address": "203.0.113.9"}))).await.unwrap_err();
    assert!(world.denied(KEY, action.params.clone()).await.contains(&"own_key".to_owned()));
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert!(logs_in(&world, "one"));
    let whole = json!({"path": "/home/mallory/.ssh/authorized_keys"});
    assert!(world.denied("linux.quarantine_file", whole).await.contains(&"own_key".to_owned()));
    let after =
        world.sh("cat /home/mallory/.ssh/authorized_keys; stat -c '%U %a %Y' /home/mallory/.ssh/authorized_keys");
    assert_eq!(after, file);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_comment_option_or_spelling_keeps_a_removed_key_in_force() {
    let Some(world) = World::rooted().await else { return };
    if !with_sshd(&world) {
        return;
    }
    let file = "/home/mallory/.ssh/authorized_keys";
    let key = world.sh("cat /keys/one.pub");
    for line in [
        "printf '%s caf\\351\\n' \"$k\"",
        "printf '%s %040000d\\n' \"$k\" 0",
        "printf '%s\\000\\377\\n' \"$k\"",
        "echo \"ED25519 ${k#* }\"",
        "printf 'environment=\"A=caf\\351\" %s\\n' \"$k\"",
    ] {
        world.sh(&format!(
            "k=$(cut -d' ' -f1,2 /keys/one.pub); {line} > {file}; chown mallory: {file}; chmod 600 {file}"
        ));
        if !logs_in(&world, "one") {
            eprintln!("SKIPPED: this sshd does not take {line}");
            continue;
        }
        let before = world.sh(&format!("sha256sum {file}"));
        let action = world.act(KEY, json!({"user": "mallory", "key": key})).await;
        assert_eq!((action.state, action.changed), (ActionState::Verified, true), "{line}: {:?}", action.detail);
        assert!(!logs_in(&world, "one"), "{line}");
        let undone = world.undo(&action).await.unwrap();
        assert_eq!(undone.state, ActionState::Undone, "{line}: {:?}", undone.detail);
        assert_eq!(world.sh(&format!("sha256sum {file}")), before, "{line}");
        world.clock.advance(std::time::Duration::from_secs(3_700));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_user_s_folder_is_never_followed() {
    let Some(world) = World::rooted().await else { return };
    world.sh("set -e; useradd -m mallory; mkdir /home/mallory/.ssh; chown mallory: /home/mallory/.ssh; ln -s /etc/shadow /home/mallory/.ssh/authorized_keys");
    let key = "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDTJzFEoR6Fz0UhS3A";
    let error = world.try_plan(KEY, json!({"user": "mallory", "key": key})).await.unwrap_err();
    assert!(error.to_string().contains("no regular file") || error.to_string().contains("symbolic link"), "{error}");
    // What only root may read, the user may not have read for it.
    world.sh("set -e; cd /home/mallory; rm .ssh/authorized_keys; cp /etc/shadow .ssh/authorized_keys; chown root:root .ssh/authorized_keys; chmod 600 .ssh/authorized_keys");
    let error = world.try_plan(KEY, json!({"user": "mallory", "key": key})).await.unwrap_err();
    assert!(error.to_string().contains("ermission denied"), "{error}");
}

/// Names that only we give, made beforehand by whoever owns the folder.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_user_puts_beside_the_file_keeps_a_key_in_force() {
    let Some(world) = World::rooted().await else { return };
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";
    world.sh(&format!(
        "set -e; useradd -m mallory; mkdir /home/mallory/.ssh; cd /home/mallory/.ssh; echo '{key}' > authorized_keys
        mkdir .authorized_keys.shieldops-new .authorized_keys.0123456789abcdef.shieldops-new
        ln -s /etc/shadow .authorized_keys.0000000000000000.shieldops-new; echo x > .authorized_keys.1111111111111111.shieldops-new
        chown -hR mallory: .; chattr +i .authorized_keys.1111111111111111.shieldops-new || true"
    ));
    let action = world.act(KEY, json!({"user": "mallory", "key": key})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(world.sh("cat /home/mallory/.ssh/authorized_keys").starts_with("# shieldops:"));
    assert!(
        world.sh_of("test -s /etc/shadow -a -L /home/mallory/.ssh/.authorized_keys.0000000000000000.shieldops-new").0
    );
    world.sh("chattr -i /home/mallory/.ssh/.authorized_keys.1111111111111111.shieldops-new || true");
    assert_eq!(world.undo(&action).await.unwrap().state, ActionState::Undone);
    assert!(!world.sh_of("ls -d /home/mallory/.ssh/.authorized_keys.1*").0, "what a lost program may have left goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_all_its_processes_and_others_go_on() {
    let Some(world) = World::rooted().await else { return };
    if !world.sh_of("test -e /proc/self/sessionid").0 {
        eprintln!("SKIPPED: this kernel keeps no audit session ids");
        return;
    }
    world.sh("useradd -m -u 4321 mallory");
    let login = "(echo 4321 > /proc/self/loginuid; setsid sleep 600 & setsid setpriv --reuid 4321 --clear-groups sh -c 'sleep 601 & sleep 602' & cat /proc/self/sessionid) </dev/null 2>/dev/null | head -1; true";
    let login = login.replace(" & ", " >/dev/null & ");
    let (one, two): (u32, u32) = (world.sh(&login).parse().unwrap(), world.sh(&login).parse().unwrap());
    assert_ne!(one, two);
    let counted = |session: u32| {
        world.sh(&format!("for p in /proc/[0-9]*; do grep -qx {session} $p/sessionid 2>/dev/null && grep -q '^State:.[^ZX]' $p/status 2>/dev/null && echo $p; done | wc -l")).parse::<u32>().unwrap()
    };
    // The last of them are still being started when the session is known.
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while (counted(one) < 3 || counted(two) < 3) && std::time::Instant::now() < deadline {}
    assert!(counted(one) >= 3 && counted(two) >= 3, "{} {}", counted(one), counted(two));
    let unnamed = world.try_plan(SESSIONS, json!({"user": "mallory"})).await.unwrap_err().to_string();
    assert!(unnamed.contains(&format!("{one} (")) && unnamed.contains(&format!("{two} (")), "{unnamed}");
    let action = world.act(SESSIONS, json!({"user": "mallory", "session": one})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert_eq!(counted(one), 0);
    assert!(counted(two) >= 3, "the other session goes on");
    let after = world.action(&action).await;
    assert!(after.proofs.last().unwrap().detail.contains(&format!("session {two}")), "{:?}", after.proofs);
    assert!(world.undo(&action).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_takes_a_protected_name_protects_no_session() {
    let Some(world) = World::rooted().await else { return };
    if !world.sh_of("test -e /proc/self/sessionid").0 {
        eprintln!("SKIPPED: this kernel keeps no audit session ids");
        return;
    }
    world.sh("useradd -m -u 4321 mallory; cp /bin/sleep /usr/sbin/mongod");
    let login = "(echo 4321 > /proc/self/loginuid; setsid sh -c 'printf auditd > /proc/$$/comm; while :; do sleep 600; done' >/dev/null & setsid /usr/sbin/mongod 601 >/dev/null & cat /proc/self/sessionid) </dev/null 2>/dev/null | head -1; true";
    let session: u32 = world.sh(login).parse().unwrap();
    // Until then they are other programs: `setsid`, and a shell that is still to take its name.
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !world.sh_of("pgrep -x auditd && pgrep -x mongod").0 && std::time::Instant::now() < deadline {}
    let action = world.act(SESSIONS, json!({"user": "mallory", "session": session})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    let lives = "for p in $(pgrep -x auditd); do grep -q '^State:.[^ZX]' /proc/$p/status && exit 0; done; exit 1";
    assert!(!world.sh_of(lives).0, "the one that only says so ends");
    assert!(world.sh_of("pgrep -x mongod").0, "the one that runs root's program goes on");
    world.sh("pkill -x mongod");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_root_and_users_of_a_directory_are_refused() {
    let Some(world) = World::rooted().await else { return };
    world.sh("set -e; sed -i 's/^sudo:.*/sudo:x:27:/' /etc/group; grep -q ^sudo: /etc/group || echo sudo:x:27: >> /etc/group; mkdir -p /etc/sudoers.d; rm -f /etc/sudoers /etc/sudoers.d/*; useradd -m ada; useradd -m bea; usermod -aG sudo ada; usermod -aG sudo bea; useradd -m carl");
    assert!(world.denied(DISABLE, json!({"user": "root"})).await.contains(&"root_identity".to_owned()));
    assert!(world.denied(DISABLE, json!({"user": "ada"})).await.is_empty());
    world.act(DISABLE, json!({"user": "bea"})).await;
    world.clock.advance(std::time::Duration::from_secs(3_700));
    assert_eq!(world.denied(DISABLE, json!({"user": "ada"})).await, ["last_administrator"]);
    world.sh("echo 'carl ALL=(ALL) ALL' > /etc/sudoers.d/carl");
    assert!(world.denied(DISABLE, json!({"user": "ada"})).await.is_empty(), "carl may become root too");
    let error = world.try_plan(DISABLE, json!({"user": "nobody-here"})).await.unwrap_err();
    assert!(error.to_string().contains("not in /etc/passwd"), "{error}");
    world.sh("echo 'dora:x:5000:5000::/home/dora:/bin/sh' >> /etc/passwd");
    let error = world.try_plan(DISABLE, json!({"user": "dora"})).await.unwrap_err();
    assert!(error.to_string().contains("no line in /etc/shadow"), "{error}");
}

/// Administrators ada and bea, each with a key of this text and without a password; root has neither.
fn two_administrators(world: &World) -> [String; 2] {
    let keys = [
        "AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n",
        "AAAAC3NzaC1lZDI1NTE5AAAAIBVuYm9ybiBrZXkgb2YgYSBzaW11bGF0ZWQgaG9zdCEh",
    ];
    let [ada, bea] = keys.map(|blob| format!("ssh-ed25519 {blob}"));
    world.sh(&format!(
        "set -e; sed -i 's/^sudo:.*/sudo:x:27:/' /etc/group; grep -q ^sudo: /etc/group || echo sudo:x:27: >> /etc/group
        for group in admin wheel; do sed -i \"/^$group:/d\" /etc/group; done
        mkdir -p /etc/sudoers.d; rm -f /etc/sudoers /etc/sudoers.d/*; useradd -m ada; useradd -m bea; useradd -m carl
        usermod -aG sudo ada; usermod -aG sudo bea; usermod -p '*' root; rm -rf /root/.ssh; rm -f /etc/ssh/ssh_host_*
        if command -v ssh-keygen; then ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; fi
        mkdir -p /run/sshd; printf 'PasswordAuthentication no\nKbdInteractiveAuthentication no\n' > /etc/ssh/sshd_config
        put() {{ mkdir -p /home/$1/.ssh; echo \"$2\" > /home/$1/.ssh/authorized_keys; chown -R $1: /home/$1; }}
        put ada '{ada}'; put bea '{bea}'; put carl '{ada}'"
    ));
    [ada, bea]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_key_of_an_administrator_is_refused_and_others_are_not() {
    let Some(world) = World::rooted().await else { return };
    let [ada, bea] = two_administrators(&world);
    let of = |user: &str, key: &str| json!({"user": user, "key": key});
    assert!(world.denied(KEY, of("ada", &ada)).await.is_empty(), "bea has a key");
    world.act(KEY, of("bea", &bea)).await;
    world.clock.advance(std::time::Duration::from_secs(3_700));
    assert_eq!(world.denied(KEY, of("ada", &ada)).await, ["last_management_key"]);
    assert!(world.denied(KEY, of("carl", &ada)).await.is_empty(), "carl is no administrator");
    assert!(world.denied(KEY, of("ada", &bea)).await.is_empty(), "it is no key of hers");
    // Another key of hers, or one of root's; not one that only runs a command.
    let file = "/home/ada/.ssh/authorized_keys";
    world.sh(&format!("echo 'command=\"true\" {bea}' >> {file}"));
    assert_eq!(world.denied(KEY, of("ada", &ada)).await, ["last_management_key"]);
    world.sh(&format!("echo '{bea}' >> {file}"));
    assert!(world.denied(KEY, of("ada", &ada)).await.is_empty());
    world.sh(&format!("sed -i '2,$d' {file}; mkdir -p /root/.ssh; echo '{bea}' > /root/.ssh/authorized_keys"));
    assert!(world.denied(KEY, of("ada", &ada)).await.is_empty());
    world.sh("rm -r /root/.ssh; usermod -e 1 ada");
    assert!(world.denied(KEY, of("ada", &ada)).await.is_empty(), "she gets in by none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_the_last_key_of_an_administrator_is_never_moved_and_others_are() {
    let Some(world) = World::rooted().await else { return };
    let [_, bea] = two_administrators(&world);
    let [file, of_carl, of_root] =
        ["/home/ada", "/home/carl", "/root"].map(|home| format!("{home}/.ssh/authorized_keys"));
    let denied = async |path: &str| world.denied("linux.quarantine_file", json!({"path": path})).await;
    assert!(denied(&file).await.is_empty(), "bea has a key");
    world.sh("rm /home/bea/.ssh/authorized_keys");
    assert_eq!(denied(&file).await, ["last_management_key"]);
    assert!(denied(&of_carl).await.is_empty(), "carl is no administrator");
    world.sh(&format!("cp {file} /home/ada/kept"));
    assert!(denied("/home/ada/kept").await.is_empty(), "sshd reads no keys from it");
    // What is too long to be read may hold the key.
    world.sh(&format!("head -c 5000000 /dev/zero | tr '\\0' '#' >> {file}"));
    assert_eq!(denied(&file).await, ["last_management_key"]);
    world.sh(&format!("mkdir -p /root/.ssh; echo '{bea}' > {of_root}"));
    assert!(denied(&file).await.is_empty(), "root has a key");
    let key = "/etc/ssh/ssh_host_ed25519_key";
    world.sh(&format!("echo x >> {key}"));
    assert_eq!(denied(key).await, ["essential_file"], "sshd does not start without");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_a_way_in_where_sshd_takes_it_and_what_cannot_be_read_is_none() {
    let Some(world) = World::rooted().await else { return };
    let [ada, bea] = two_administrators(&world);
    let key = json!({"user": "ada", "key": ada});
    world.sh("ln -sf /etc/hostname /home/bea/.ssh/authorized_keys");
    let plan = world.try_plan(KEY, key.clone()).await.unwrap();
    let [deny] = &plan.decision.denies[..] else { panic!("{:?}", plan.decision.denies) };
    assert_eq!(deny.code, "last_management_key");
    assert!(deny.detail.contains("bea: "), "{}", deny.detail);
    world.sh("usermod -p '$y$j9T$abcdefghij' bea");
    assert_eq!(world.denied(KEY, key.clone()).await, ["last_management_key"], "sshd takes no passwords");
    if !world.sh_of("command -v sshd").0 {
        eprintln!("SKIPPED: no sshd here");
        return;
    }
    world.sh("echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config");
    assert!(world.denied(KEY, key.clone()).await.is_empty());
    world.sh("usermod -L bea");
    assert_eq!(world.denied(KEY, key.clone()).await, ["last_management_key"]);
    // A key of root's counts where sshd lets root in by it.
    world.sh(&format!("mkdir -p /root/.ssh; echo '{bea}' > /root/.ssh/authorized_keys; echo 'PermitRootLogin no' > /etc/ssh/sshd_config"));
    assert_eq!(world.denied(KEY, key.clone()).await, ["last_management_key"]);
    world.sh("echo 'PermitRootLogin prohibit-password' > /etc/ssh/sshd_config");
    assert!(world.denied(KEY, key).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_one_plan_leave_the_last_one() {
    let Some(world) = World::rooted().await else { return };
    let [ada, bea] = two_administrators(&world);
    let mut request = request_on("twin/test", json!({"user": "ada", "key": ada}));
    request.actions[0].capability = KEY.to_owned();
    request.actions.push(request.actions[0].clone());
    request.actions[1].params = json!({"user": "bea", "key": bea});
    let plan = world.engine.propose(request).await.unwrap();
    let first = world.approved(&plan).await;
    let after = world.engine.wait(plan.id, std::time::Duration::from_mins(2)).await.unwrap();
    assert_eq!((first.state, after.actions[1].state), (ActionState::Verified, ActionState::Aborted));
    assert!(after.actions[1].detail.as_ref().unwrap().contains("last_management_key"), "{:?}", after.actions[1].detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_set_meanwhile_survives_the_undo() {
    let Some(world) = World::rooted().await else { return };
    world.sh("useradd -m mallory; echo mallory:first | chpasswd");
    let action = world.act(DISABLE, json!({"user": "mallory"})).await;
    world.sh("usermod -p '!new-hash' mallory");
    let undone = world.undo(&action).await.unwrap();
    // The line changed: a person decides, and what is undone then is the lock and the day, not the password.
    assert_ne!(undone.state, ActionState::Undone);
    assert!(world.sh("getent shadow mallory").contains(":!new-hash:"), "nothing is done without a decision");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_entry_is_a_comment_and_the_folder_s_time_moves() {
    let Some(world) = World::rooted().await else { return };
    world.sh(
        "printf 'PATH=/bin\n*/5 * * * * root /tmp/dropper $(x)\n' > /etc/cron.d/job; touch -d @1600000000 /etc/cron.d",
    );
    let params = json!({"path": "/etc/cron.d/job", "entry": "*/5 * * * * root /tmp/dropper $(x)"});
    let action = world.act(CRON, params).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(!world.sh_of("grep -v '^#' /etc/cron.d/job | grep dropper").0);
    assert_ne!(world.sh("stat -c %Y /etc/cron.d"), "1600000000", "cron would not read it again");
    let later = "printf 'added = later\n' >> /etc/cron.d/job";
    world.sh(later);
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert_eq!(world.sh("cat /etc/cron.d/job"), "PATH=/bin\n*/5 * * * * root /tmp/dropper $(x)\nadded = later");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_shell_paths_or_too_long_are_refused() {
    let world = World::new("sim/test");
    let long = "x".repeat(100_000);
    let bad: [(&str, Value); 9] = [
        (DISABLE, json!({"user": "$(reboot)"})),
        (DISABLE, json!({"user": "-rf"})),
        (DISABLE, json!({"user": "a:b"})),
        (KEY, json!({"user": "../alice", "key": "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDTJzFEoR6Fz0UhS3A"})),
        (KEY, json!({"user": "alice", "key": long})),
        (CRON, json!({"path": "/etc/cron.d/../shadow", "entry": "* * * * * x"})),
        (CRON, json!({"path": "/etc/crontab", "entry": "* * * * * x\n* * * * * y"})),
        (SESSIONS, json!({"user": "alice; id", "session": 7})),
        (DISABLE, json!({"user": "alice", "expires_in_s": 0})),
    ];
    for (capability, params) in bad {
        let shown: String = params.to_string().chars().take(80).collect();
        assert!(world.try_plan(capability, params).await.is_err(), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_host_has_users_keys_sessions_and_schedules_too() {
    let world = World::new("sim/test");
    let unnamed = world.try_plan(SESSIONS, json!({"user": "alice"})).await.unwrap_err().to_string();
    assert!(unnamed.contains("6 (2 processes") && unnamed.contains("7 (1 processes"), "{unnamed}");
    for (capability, params) in [
        (SESSIONS, json!({"user": "alice", "session": 6})),
        (DISABLE, json!({"user": "alice"})),
        (CRON, json!({"path": "/var/spool/cron/crontabs/alice", "entry": "*/5 * * * * /tmp/dropper"})),
    ] {
        let action = world.act(capability, params).await;
        assert_eq!((action.state, action.changed), (ActionState::Verified, true), "{:?}", action.detail);
        world.clock.advance(std::time::Duration::from_secs(3_700));
    }
    let host = world.simulated();
    assert!(host["files"]["/etc/shadow"]["text"].as_str().unwrap().contains("alice:!$y$simulated:19700:0:99999:7::1:"));
    assert!(host["processes"].get("601").is_none() && host["processes"].get("700").is_some());
}

//! The Linux audit log: records of one serial, decoded and merged into one event.

pub mod merge;
mod record;
mod syscalls;

use std::borrow::Cow;

use shieldops_model::Timestamp;

pub use merge::{AuditMerger, before_last_serial};
pub use record::{Header, Record, header};

use super::{
    class::{Class, Kind, PREAUTH},
    flat::{Field, Flat},
};

/// The time of an event: that of its first record.
pub fn time(text: &str) -> Option<Timestamp> {
    text.lines().find_map(header).and_then(|header| super::time::epoch(header.time))
}

/// Merges records into the event's fields. Records may be of different serials only by their sender's mistake.
pub fn read<'a>(records: &[Record<'a>], flat: &mut Flat<'a>) -> Option<Kind> {
    let first = records.first()?;
    flat.put("type", Field::List(records.iter().map(|record| Cow::Borrowed(record.header.kind)).collect()));
    flat.put("serial", Field::scalar(first.header.serial));
    if let Some(node) = records.iter().find_map(|record| record.header.node) {
        flat.put_text("node", node);
    }
    let exec = records.iter().find(|record| record.header.kind == "EXECVE");
    if let Some(exec) = exec {
        put_arguments(exec, flat);
    }
    put_paths(records, flat);
    for record in records.iter().filter(|record| !matches!(record.header.kind, "EXECVE" | "PATH")) {
        put_record(record, flat);
    }
    put_syscall_name(flat);
    if exec.is_some() {
        put_process(flat);
    }
    Some(kind(records, flat))
}

/// `argc`, `a0`... decoded, and the command line they make.
fn put_arguments<'a>(exec: &Record<'a>, flat: &mut Flat<'a>) {
    let arguments = exec.arguments();
    let line: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let line = line.join(" ");
    if let Some(count) = exec.get("argc") {
        flat.put("argc", Field::scalar(count));
    }
    for (at, argument) in arguments.into_iter().enumerate() {
        flat.put(format!("a{at}"), Field::Text(argument));
    }
    flat.put_text("CommandLine", line);
}

fn put_paths<'a>(records: &[Record<'a>], flat: &mut Flat<'a>) {
    let paths = || records.iter().filter(|record| record.header.kind == "PATH");
    let names: Vec<Cow<'a, str>> = paths().filter_map(|path| path.text("name")).collect();
    if !names.is_empty() {
        flat.put("name", Field::List(names));
    }
    for (name, key) in [("nametype", "nametype"), ("mode", "mode"), ("ouid", "ouid")] {
        let values: Vec<Cow<'a, str>> = paths().filter_map(|path| path.get(key)).map(Cow::Borrowed).collect();
        if !values.is_empty() {
            flat.put(name, Field::List(values));
        }
    }
}

/// Every field of one record under its own name; numbers as numbers, except arguments, which stay text.
fn put_record<'a>(record: &Record<'a>, flat: &mut Flat<'a>) {
    for (name, _) in record.fields() {
        let Some(value) = record.text(name) else { continue };
        if name == "saddr" {
            put_socket(&value, flat);
        }
        let number = matches!(
            name,
            "pid"
                | "ppid"
                | "uid"
                | "auid"
                | "euid"
                | "suid"
                | "fsuid"
                | "gid"
                | "egid"
                | "sgid"
                | "fsgid"
                | "ses"
                | "items"
                | "exit"
        );
        flat.put(name, if number { Field::scalar(value) } else { Field::Text(value) });
    }
}

/// The address of a `connect` or `bind`, from the raw socket address.
fn put_socket(hex: &str, flat: &mut Flat<'_>) {
    if let Some((address, port)) = record::socket_address(hex) {
        flat.put_text("dst_ip", address);
        flat.put("dst_port", Field::Int(i64::from(port)));
    }
}

/// The name of the system call, as enriched logs give it under `SYSCALL`.
fn put_syscall_name(flat: &mut Flat<'_>) {
    if flat.has("SYSCALL") {
        return;
    }
    let name = match (flat.text("arch"), flat.text("syscall")) {
        (Some(arch), Some(number)) => syscalls::name(&arch, &number),
        _ => None,
    };
    if let Some(name) = name {
        flat.put_text("SYSCALL", name);
    }
}

/// The names of Sigma's `process_creation`.
fn put_process(flat: &mut Flat<'_>) {
    let pairs = [("exe", "Image"), ("pid", "ProcessId"), ("ppid", "ParentProcessId"), ("cwd", "CurrentDirectory")];
    for (from, to) in pairs {
        if let Some(value) = flat.get(from).cloned() {
            flat.put(to, value);
        }
    }
    let user = ["AUID", "auid", "UID", "uid"].iter().filter_map(|name| flat.text(name)).find(|user| !unset(user));
    if let Some(user) = user.map(Cow::into_owned) {
        flat.put_text("User", user);
    }
}

/// An audit uid that was never set.
pub fn unset(user: &str) -> bool {
    matches!(user, "4294967295" | "-1" | "unset" | "")
}

/// Whether the event wrote a file: a PATH that was created, or an open for writing.
pub fn writes_file(flat: &Flat<'_>) -> bool {
    let created = match flat.get("nametype") {
        Some(Field::List(kinds)) => kinds.iter().any(|kind| kind == "CREATE"),
        _ => flat.text("nametype").is_some_and(|kind| kind == "CREATE"),
    };
    created || (flat.has("nametype") && syscalls::opens_for_writing(flat))
}

fn kind(records: &[Record<'_>], flat: &Flat<'_>) -> Kind {
    let has = |kind: &str| records.iter().any(|record| record.header.kind == kind);
    if has("EXECVE") {
        return (Class::Process, "Launch");
    }
    if has("SOCKADDR") && flat.has("dst_ip") {
        return (Class::Network, "Open");
    }
    if has("PATH") {
        return (Class::FileSystem, if writes_file(flat) { "Create" } else { "Open" });
    }
    // A failed logon has one USER_AUTH and any number of USER_LOGIN; one that succeeds has several USER_AUTH and one USER_LOGIN.
    let failed = flat.text("res").is_some_and(|result| result.starts_with("fail"));
    match records.first().map_or("", |record| record.header.kind) {
        "USER_AUTH" if failed => (Class::Authentication, "Logon"),
        "USER_LOGIN" if !failed => (Class::Authentication, "Logon"),
        "USER_AUTH" | "USER_LOGIN" | "USER_ERR" => (Class::Authentication, PREAUTH),
        "USER_LOGOUT" | "USER_END" => (Class::Authentication, "Logoff"),
        "LOGIN" | "USER_START" | "CRED_ACQ" | "CRED_DISP" | "CRED_REFR" | "USER_ACCT" => {
            (Class::AuthorizeSession, "Session")
        }
        "ADD_USER" => (Class::AccountChange, "Create"),
        "DEL_USER" => (Class::AccountChange, "Delete"),
        "USER_CHAUTHTOK" | "USER_MGMT" | "ACCT_LOCK" | "ACCT_UNLOCK" => (Class::AccountChange, "Update"),
        "ADD_GROUP" | "DEL_GROUP" | "GRP_MGMT" | "GRP_CHAUTHTOK" => (Class::GroupManagement, "Update"),
        "USER_CMD" => (Class::Process, "Launch"),
        "CONFIG_CHANGE" | "DAEMON_START" | "DAEMON_END" => (Class::EventLog, "Update"),
        _ => (Class::Base, "Other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let records: Vec<_> = text.lines().filter_map(Record::parse).collect();
        let mut flat = Flat::new();
        let kind = read(&records, &mut flat);
        format!("{} {}", kind.map_or("-", |(class, _)| class.name()), flat.render())
    }

    #[test]
    fn an_execve_of_five_records_is_one_process_event() {
        let text = "type=SYSCALL msg=audit(1763726400.123:4711): arch=c000003e syscall=59 success=yes exit=0 a0=55d a1=55e a2=55f a3=8 items=2 ppid=900 pid=901 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm=\"sh\" exe=\"/usr/bin/dash\" subj=unconfined key=\"exec\"\u{1d}ARCH=x86_64 SYSCALL=execve AUID=\"bob\" UID=\"root\"
type=EXECVE msg=audit(1763726400.123:4711): argc=3 a0=\"sh\" a1=\"-c\" a2=6563686F20227822
type=CWD msg=audit(1763726400.123:4711): cwd=\"/tmp\"
type=PATH msg=audit(1763726400.123:4711): item=0 name=\"/bin/sh\" inode=1 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0
type=PROCTITLE msg=audit(1763726400.123:4711): proctitle=7368002D63006563686F20227822";
        assert_eq!(
            check(text),
            r#"Process Activity {"type":["SYSCALL","EXECVE","CWD","PATH","PROCTITLE"],"serial":4711,"argc":3,"a0":"sh","a1":"-c","a2":"echo \"x\"","CommandLine":"sh -c echo \"x\"","name":["/bin/sh"],"nametype":["NORMAL"],"mode":["0100755"],"ouid":["0"],"arch":"c000003e","syscall":"59","success":"yes","exit":0,"a3":"8","items":2,"ppid":900,"pid":901,"auid":1000,"uid":0,"gid":0,"euid":0,"suid":0,"fsuid":0,"egid":0,"sgid":0,"fsgid":0,"tty":"pts0","ses":3,"comm":"sh","exe":"/usr/bin/dash","subj":"unconfined","key":"exec","ARCH":"x86_64","SYSCALL":"execve","AUID":"bob","UID":"root","cwd":"/tmp","proctitle":"sh -c echo \"x\"","Image":"/usr/bin/dash","ProcessId":901,"ParentProcessId":900,"CurrentDirectory":"/tmp","User":"bob"}"#
        );
    }

    #[test]
    fn user_records_open_their_inner_message() {
        let text = "type=USER_AUTH msg=audit(1763726400.5:12): pid=77 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:authentication grantors=? acct=\"bob\" exe=\"/usr/sbin/sshd\" hostname=203.0.113.9 addr=203.0.113.9 terminal=ssh res=failed'\u{1d}UID=\"root\" AUID=\"unset\"";
        assert_eq!(
            check(text),
            r#"Authentication {"type":["USER_AUTH"],"serial":12,"pid":77,"uid":0,"auid":4294967295,"ses":4294967295,"op":"PAM:authentication","grantors":"?","acct":"bob","exe":"/usr/sbin/sshd","hostname":"203.0.113.9","addr":"203.0.113.9","terminal":"ssh","res":"failed","UID":"root","AUID":"unset"}"#
        );
    }

    #[test]
    fn a_connect_names_its_destination() {
        let text = "type=SYSCALL msg=audit(1.0:5): arch=c000003e syscall=42 success=yes exit=0 a0=3 pid=9 comm=\"curl\" exe=\"/usr/bin/curl\" key=(null)
type=SOCKADDR msg=audit(1.0:5): saddr=02000050CB7100090000000000000000";
        let shown = check(text);
        assert!(shown.contains(r#""dst_ip":"203.113.0.9","dst_port":80"#), "{shown}");
        assert!(shown.contains(r#""SYSCALL":"connect""#), "{shown}");
    }

    #[test]
    fn a_created_file_is_a_file_event() {
        let text = "type=SYSCALL msg=audit(1.0:6): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7f a2=241 a3=1b6 items=2 pid=9 comm=\"sh\" exe=\"/usr/bin/dash\" key=\"cron\"
type=PATH msg=audit(1.0:6): item=1 name=\"/etc/cron.d/x\" nametype=CREATE";
        let records: Vec<_> = text.lines().filter_map(Record::parse).collect();
        let mut flat = Flat::new();
        assert_eq!(read(&records, &mut flat).unwrap().0, Class::FileSystem);
        assert!(writes_file(&flat));
    }
}

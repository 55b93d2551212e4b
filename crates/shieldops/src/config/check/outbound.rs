//! What leaves the house: the mail server, and where webhooks may go.

use std::net::IpAddr;

use ipnet::IpNet;
use shieldops_deliver::{Mailer, Security, SmtpSettings};

use super::Checker;
use crate::config::{raw, settings};

impl Checker<'_> {
    pub(super) fn smtp(&mut self, raw: &raw::Smtp) -> Option<settings::Smtp> {
        let Some(host) = raw.host.as_deref().filter(|host| !host.is_empty()) else {
            if *raw != raw::Smtp::default() {
                let fix = "name the mail server, or remove the rest of `smtp`";
                self.wrong("smtp.host", "absent", "the other settings need it", fix);
            }
            return None;
        };
        let security = match raw.tls.as_str() {
            "starttls" => Some(Security::StartTls),
            "tls" => Some(Security::Tls),
            "none" => Some(Security::Plain),
            other => {
                self.wrong(
                    "smtp.tls",
                    other,
                    "no such way",
                    "write starttls, tls, or none for a server on this machine",
                );
                None
            }
        };
        self.range("smtp.port", raw.port.into(), 1, 65_535);
        let login = self.login(raw);
        for (key, file) in [("smtp.password_file", &raw.password_file), ("smtp.ca_file", &raw.ca_file)] {
            if let Some(file) = file {
                self.readable(key, file);
            }
        }
        let Some(from) = raw.from.clone() else {
            self.wrong(
                "smtp.from",
                "absent",
                "letters need a sender",
                "write an address, such as shieldops@example.org",
            );
            return None;
        };
        let (host, port) = (host.to_owned(), u16::try_from(raw.port).ok()?);
        self.try_mailer(&host, port, security?, &from);
        Some(settings::Smtp { host, port, security: security?, login, from, ca_file: raw.ca_file.clone() })
    }

    /// What only the sender of letters knows to be wrong, without its secrets.
    fn try_mailer(&mut self, host: &str, port: u16, security: Security, from: &str) {
        let (host, from) = (host.to_owned(), from.to_owned());
        let tried = Mailer::new(&SmtpSettings { host, port, security, login: None, from, roots: Vec::new() });
        if let Err(why) = tried {
            let (member, what) = why.split_once(": ").unwrap_or(("host", &why));
            self.wrong(&format!("smtp.{member}"), "set", what, "see docs/reference/configuration.md");
        }
    }

    fn login(&mut self, raw: &raw::Smtp) -> Option<(String, std::path::PathBuf)> {
        match (&raw.user, &raw.password_file) {
            (Some(user), Some(file)) => Some((user.clone(), file.clone())),
            (None, None) => None,
            (Some(_), None) => {
                self.wrong("smtp.password_file", "absent", "smtp.user needs a password", "name the file that holds it");
                None
            }
            (None, Some(_)) => {
                self.wrong(
                    "smtp.user",
                    "absent",
                    "smtp.password_file is for a user",
                    "name the user, or remove the file",
                );
                None
            }
        }
    }

    pub(super) fn egress(&mut self, raw: &raw::Egress) -> settings::Egress {
        if let Some(file) = &raw.ca_file {
            self.readable("egress.ca_file", file);
        }
        let mut allow = Vec::new();
        for text in &raw.allow {
            let network =
                text.parse::<IpNet>().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.to_canonical().into()));
            match network {
                Some(network) if network.prefix_len() == 0 => {
                    let fix = "name the networks of the receivers: this would open every inner service";
                    self.wrong("egress.allow", text, "every address", fix);
                }
                Some(network) => allow.push(network.trunc()),
                None => self.wrong("egress.allow", text, "no address and no range", "write 10.1.2.3 or 10.1.0.0/16"),
            }
        }
        settings::Egress { allow, ca_file: raw.ca_file.clone() }
    }
}

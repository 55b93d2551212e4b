//! E-mail over SMTP. The text is composed by `lettre`, which encodes every header; TLS is asked for, never offered: without it
//! nothing is sent, but to this machine itself.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use shieldops_model::{LetterId, Timestamp};

use crate::{Failure, Secret, Text, tls};

/// Of each command.
const COMMAND: Duration = Duration::from_secs(15);
/// Of a whole letter.
const WHOLE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Plain at first, TLS before anything is said; refused where the server has none.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Only to this machine.
    Plain,
}

#[derive(Debug, Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<(String, Secret)>,
    /// `alerts@example.org` or `ShieldOps <alerts@example.org>`.
    pub from: String,
    /// Certificates in PEM that are trusted beside the public ones.
    pub roots: Vec<u8>,
}

/// Sends letters to a mail server, one connection each.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Whether a login is an address that mail can be sent to.
pub fn is_address(login: &str) -> bool {
    login.len() <= 254 && login.parse::<Address>().is_ok_and(|address| !address.domain().is_empty())
}

impl Mailer {
    /// # Errors
    /// What is wrong with the settings, and what to write.
    pub fn new(settings: &SmtpSettings) -> Result<Self, String> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|error| format!("from: `{}` is no address of e-mail ({error})", settings.from))?;
        let host = match settings.security {
            Security::Plain => loopback(&settings.host)
                .ok_or_else(|| format!("tls: `none` is only for this machine, not for {}", settings.host))?,
            _ => settings.host.clone(),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port)
            .timeout(Some(COMMAND))
            .tls(secured(settings)?)
            .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if let Some((user, password)) = &settings.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends one letter; `Ok` when the server took it upon itself.
    pub async fn send(&self, to: &str, id: LetterId, at: Timestamp, text: &Text) -> Result<(), Failure> {
        let message = self.compose(to, id, at, text)?;
        match tokio::time::timeout(WHOLE, self.transport.send(message)).await {
            Ok(Ok(_answer)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() && !is_login(&error) => Err(Failure::never(said(&error))),
            Ok(Err(error)) => Err(Failure::later(said(&error))),
            Err(_late) => Err(Failure::later(format!("no answer within {} s", WHOLE.as_secs()))),
        }
    }

    fn compose(&self, to: &str, id: LetterId, at: Timestamp, text: &Text) -> Result<Message, Failure> {
        let to: Address = to.parse().map_err(|error| Failure::never(format!("no address of e-mail: {error}")))?;
        let mark = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let micros = u64::try_from(at.as_micros()).unwrap_or(0);
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .subject(text.subject.as_str())
            // RFC 3834: no vacation notice answers it.
            .raw_header(mark("Auto-Submitted", "auto-generated"))
            .multipart(MultiPart::alternative_plain_html(text.plain.clone(), text.html.clone()))
            .map_err(Failure::never)
    }
}

/// A login that is refused is the installation's fault, not the letter's: it goes once that is put right.
fn is_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// What went wrong, with its cause.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

/// This machine's own address, for a host that names it.
fn loopback(host: &str) -> Option<String> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some("127.0.0.1".to_owned());
    }
    host.parse::<IpAddr>().ok().filter(IpAddr::is_loopback).map(|address| address.to_string())
}

fn secured(settings: &SmtpSettings) -> Result<Tls, String> {
    if settings.security == Security::Plain {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(settings.host.clone()).certificate_store(CertificateStore::WebpkiRoots);
    if !settings.roots.is_empty() {
        for certificate in tls::certificates(&settings.roots).map_err(|why| format!("ca_file: {why}"))? {
            let certificate = Certificate::from_der(certificate.to_vec());
            parameters = parameters.add_root_certificate(certificate.map_err(|error| format!("ca_file: {error}"))?);
        }
    }
    let parameters = parameters.build_rustls().map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(match settings.security {
        Security::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

#[cfg(test)]
mod tests {
    use shieldops_model::{Audience, Notice, NoticeKind, id};

    use super::*;
    use crate::Letter;

    fn settings(host: &str, security: Security) -> SmtpSettings {
        let from = "ShieldOps <alerts@shield.example>".to_owned();
        SmtpSettings { host: host.to_owned(), port: 25, security, login: None, from, roots: Vec::new() }
    }

    #[tokio::test]
    async fn plain_text_is_only_for_this_machine() {
        assert!(
            Mailer::new(&settings("mail.example.org", Security::Plain)).unwrap_err().contains("only for this machine")
        );
        for host in ["127.0.0.1", "::1", "localhost"] {
            assert!(Mailer::new(&settings(host, Security::Plain)).is_ok(), "{host}");
        }
        assert!(Mailer::new(&settings("mail.example.org", Security::StartTls)).is_ok());
        let from = SmtpSettings { from: "nobody".to_owned(), ..settings("127.0.0.1", Security::Plain) };
        assert!(Mailer::new(&from).unwrap_err().contains("nobody"));
        let roots = SmtpSettings { roots: b"no pem".to_vec(), ..settings("mail.example.org", Security::Tls) };
        assert!(Mailer::new(&roots).unwrap_err().starts_with("ca_file"));
    }

    #[tokio::test]
    async fn no_header_can_be_added_by_what_others_wrote() {
        let mailer = Mailer::new(&settings("127.0.0.1", Security::Plain)).unwrap();
        let at = Timestamp::from_secs(1_790_000_000);
        let notice = Notice::new(NoticeKind::ApprovalRequest, Audience::Approvers)
            .with("Plan", "x\r\nBcc: all@example.org\r\nX-Evil: é \u{2028}Reply-To: e@evil.example");
        let id = id::mint(at, &mut rand::rng());
        let letter = Letter { id, notice: &notice, at, tenant: "acme", site: "https://shield.example" };
        // A subject that was not cleaned must not matter either.
        let text = Text { subject: "a\r\nBcc: all@example.org".to_owned(), ..letter.text() };
        for text in [letter.text(), text] {
            let message =
                String::from_utf8(mailer.compose("ann@example.org", id, at, &text).unwrap().formatted()).unwrap();
            let head = message.split("\r\n\r\n").next().unwrap();
            let names: Vec<_> = head
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            let allowed =
                ["From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];
            assert!(names.iter().all(|name| allowed.contains(name)), "{head}");
            assert!(head.contains(&format!("Message-ID: <{id}@shield.example>")), "{head}");
        }
        for to in ["ann@example.org\r\nBcc: all@example.org", "ann@example.org>,<all@example.org", "ann", "@x"] {
            assert!(mailer.compose(to, id, at, &letter.text()).is_err() && !is_address(to), "{to}");
        }
    }
}

//! What letters are sent by: the mail server and the guard of where webhooks may go, as the configuration names them.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use shieldops_deliver::{Egress, Mailer, Secret, SmtpSettings};

use crate::{
    config::Settings,
    tls::{self, Mode},
};

/// Bytes of a file of certificates or of a password; a longer one is a mistake.
const FILE_BYTES: u64 = 1024 * 1024;

pub(crate) struct Outbound {
    /// Absent: nobody is told by e-mail.
    pub(crate) mailer: Option<Mailer>,
    pub(crate) egress: Egress,
    /// Where links lead, without a slash at its end.
    pub(crate) site: String,
}

impl Outbound {
    pub(crate) fn open(settings: &Settings, at: SocketAddr) -> anyhow::Result<Self> {
        let egress = Egress::new(settings.egress.allow.clone(), &file(settings.egress.ca_file.as_ref())?);
        let egress = egress.map_err(|why| anyhow::anyhow!("egress.ca_file {why}"))?;
        let scheme = match tls::mode(settings) {
            Mode::Plain => "http",
            Mode::Tls => "https",
        };
        let host = if at.ip().is_unspecified() { format!("localhost:{}", at.port()) } else { at.to_string() };
        let site = settings.public_url.clone().unwrap_or_else(|| format!("{scheme}://{host}"));
        Ok(Self { mailer: mailer(settings)?, egress, site })
    }
}

fn mailer(settings: &Settings) -> anyhow::Result<Option<Mailer>> {
    let Some(smtp) = &settings.smtp else { return Ok(None) };
    let login = match &smtp.login {
        Some((user, path)) => {
            let text = String::from_utf8(file(Some(path))?).context("smtp.password_file holds no text")?;
            Some((user.clone(), Secret::new(text.lines().next().unwrap_or_default())))
        }
        None => None,
    };
    let made = Mailer::new(&SmtpSettings {
        host: smtp.host.clone(),
        port: smtp.port,
        security: smtp.security,
        login,
        from: smtp.from.clone(),
        roots: file(smtp.ca_file.as_ref())?,
    });
    Ok(Some(made.map_err(|why| anyhow::anyhow!("smtp.{why}"))?))
}

/// A file as a whole; nothing where none is named.
fn file(path: Option<&PathBuf>) -> anyhow::Result<Vec<u8>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let cannot = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(cannot)?.len();
    anyhow::ensure!(size <= FILE_BYTES, "{}: {size} bytes are over the limit of {FILE_BYTES}", path.display());
    std::fs::read(path).with_context(cannot)
}

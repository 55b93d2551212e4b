//! TLS of the service: when it is used, and with which certificate.

use std::{
    fs, io,
    io::Write as _,
    net::IpAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use shieldops_model::{Clock as _, SystemClock};

use crate::config::Settings;

/// Years for which a certificate of our own is good; whoever wants shorter ones brings files.
const YEARS: i16 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Tls,
}

pub(crate) fn mode(settings: &Settings) -> Mode {
    decide(settings.listen.ip(), settings.behind_proxy)
}

/// Loopback is plain, and so is everything behind a proxy that ends TLS.
fn decide(listen: IpAddr, behind_proxy: bool) -> Mode {
    let loopback = match listen {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
    };
    if loopback || behind_proxy { Mode::Plain } else { Mode::Tls }
}

/// The certificate of the settings, or one of our own that is made on first need and kept.
pub(crate) fn server_config(settings: &Settings) -> anyhow::Result<Arc<ServerConfig>> {
    let (cert, key) = if let Some(files) = &settings.tls {
        (files.cert.clone(), files.key.clone())
    } else {
        let dir = settings.data_dir.join("tls");
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        if !cert.exists() || !key.exists() {
            make(&dir, &cert, &key, settings.listen.ip())?;
            tracing::warn!(path = %cert.display(), "made a self-signed certificate: give it to clients (--ca-file), or set tls.cert_file and tls.key_file");
        }
        (cert, key)
    };
    load(&cert, &key)
}

fn load(cert: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("{}: cannot read the certificate; want PEM", cert.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{}: no certificate in it; want PEM that begins with -----BEGIN CERTIFICATE-----",
        cert.display()
    );
    let secret = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{}: cannot read the private key; want PEM without a passphrase", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("{} and {} do not belong together", cert.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Makes a key and a certificate for this machine's names.
fn make(dir: &Path, cert: &Path, key: &Path, listen: IpAddr) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(names(listen))?;
    params.distinguished_name.push(DnType::CommonName, "ShieldOps");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let year = year();
    params.not_before = rcgen::date_time_ymd(i32::from(year.saturating_sub(1)), 1, 1);
    params.not_after = rcgen::date_time_ymd(i32::from(year.saturating_add(YEARS)), 1, 1);
    let certificate = params.self_signed(&pair)?;
    write(key, &pair.serialize_pem(), 0o600)?;
    write(cert, &certificate.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let put = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}

fn names(listen: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fits = |name: &str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.')
    };
    names.extend(Some(host.trim().to_owned()).filter(|name| fits(name)));
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    names
}

fn year() -> i16 {
    let micros = SystemClock.now().as_micros();
    jiff::Timestamp::from_microsecond(micros).map_or(2026, |now| now.to_zoned(jiff::tz::TimeZone::UTC).year())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn decided(address: &str, behind_proxy: bool) -> Mode {
        decide(address.parse().unwrap(), behind_proxy)
    }

    #[test]
    fn loopback_is_plain_and_every_other_address_is_tls() {
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(decided(address, false), Mode::Plain, "{address}");
        }
        for address in ["0.0.0.0", "::", "192.0.2.7", "10.0.0.1", "fe80::1", "::ffff:192.0.2.7"] {
            assert_eq!(decided(address, false), Mode::Tls, "{address}");
        }
    }

    #[test]
    fn a_proxy_ends_tls_on_every_address() {
        assert_eq!(decided("0.0.0.0", true), Mode::Plain);
        assert_eq!(decided("2001:db8::1", true), Mode::Plain);
    }

    #[test]
    fn the_first_run_makes_a_certificate_whose_key_only_the_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let tls = dir.path().join("tls");
        let (cert, key) = (tls.join("cert.pem"), tls.join("key.pem"));
        make(&tls, &cert, &key, "192.0.2.7".parse().unwrap()).unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(load(&cert, &key).is_ok());
    }

    #[test]
    fn files_that_do_not_belong_together_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        for name in ["a", "b"] {
            make(dir.path(), &place(&format!("{name}.cert")), &place(&format!("{name}.key")), "::".parse().unwrap())
                .unwrap();
        }
        let error = load(&place("a.cert"), &place("b.key")).unwrap_err().to_string();
        assert!(error.contains("a.cert") && error.contains("b.key"), "{error}");
    }
}

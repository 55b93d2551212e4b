//! The signed webhook: a JSON body, its digest, and a signature over method, address, digest and type, by a secret that the
//! tenant shares with the receiver.
//!
//! Source: RFC 9421 (HTTP message signatures, `hmac-sha256`) and RFC 9530 (Content-Digest).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{CONTENT_TYPE, HeaderName, USER_AGENT};
use sha2::{Digest as _, Sha256};
use shieldops_model::Timestamp;

use crate::{
    Failure, Letter, Secret,
    egress::{Destination, Egress},
    http,
};

const TYPE: &str = "application/json";
/// What is signed, in this order.
const COVERED: &str = r#"("@method" "@target-uri" "content-digest" "content-type")"#;

/// Fields of a request that prove who sent it and that nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub content_digest: String,
    pub signature_input: String,
    pub signature: String,
}

/// Signs a POST. The nonce is the letter's id: the same in every copy, so a receiver can tell one.
pub fn sign(url: &str, body: &[u8], secret: &Secret, (key_id, nonce): (&str, &str), now: Timestamp) -> Signed {
    let content_digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
    // In this order: a well-known verifier writes them so, whatever order they came in.
    let params = format!(r#"{COVERED};created={};nonce="{nonce}";alg="hmac-sha256";keyid="{key_id}""#, now.as_secs());
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": {url}\n\"content-digest\": {content_digest}\n\"content-type\": {TYPE}\n\
         \"@signature-params\": {params}"
    );
    Signed {
        content_digest,
        signature_input: format!("shieldops={params}"),
        signature: format!("shieldops=:{}:", STANDARD.encode(mac(secret.expose().as_bytes(), base.as_bytes()))),
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // Any length of key is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Sends a letter; `Ok` when the receiver answered 2xx.
pub async fn send(
    egress: &Egress,
    to: &Destination,
    secret: &Secret,
    letter: &Letter<'_>,
    now: Timestamp,
) -> Result<(), Failure> {
    let body = serde_json::to_vec(&letter.json()).map_err(Failure::never)?;
    let (id, key_id) = (letter.id.to_string(), format!("shieldops/{}", letter.tenant));
    let signed = sign(to.url(), &body, secret, (&key_id, &id), now);
    let field = HeaderName::from_static;
    let fields = [
        (CONTENT_TYPE, TYPE.to_owned()),
        (USER_AGENT, "ShieldOps".to_owned()),
        (field("content-digest"), signed.content_digest),
        (field("signature-input"), signed.signature_input),
        (field("signature"), signed.signature),
    ];
    http::post(egress, to, &fields, body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9421, section B.2.5, with its key of section B.1.5.
    #[test]
    fn the_mac_is_that_of_the_standard_s_example() {
        let key = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
        let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n\
            \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
        let wanted = "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=";
        assert_eq!(STANDARD.encode(mac(&STANDARD.decode(key).unwrap(), base.as_bytes())), wanted);
    }

    #[test]
    fn what_is_signed_changes_with_everything_that_counts() {
        let now = Timestamp::from_secs(1_790_000_000);
        let sign = |url, body: &[u8], secret: &str| sign(url, body, &Secret::new(secret), ("k", "ltr_1"), now);
        let one = sign("https://a.example/x", b"{}", "s");
        for other in [
            sign("https://a.example/y", b"{}", "s"),
            sign("https://a.example/x", b"{ }", "s"),
            sign("https://a.example/x", b"{}", "t"),
        ] {
            assert_ne!(one.signature, other.signature);
        }
    }
}

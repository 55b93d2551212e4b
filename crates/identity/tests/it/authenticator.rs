//! A passkey device in software: makes ES256 credentials without attestation, and signs challenges with them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// User present and user verified.
const VERIFIED: u8 = 0x05;
const ATTESTED: u8 = 0x40;

pub(crate) struct Device {
    pair: EcdsaKeyPair,
    id: Vec<u8>,
    /// The handle of the person, as the registration gave it.
    user: String,
    pub(crate) counter: u32,
    origin: String,
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn client_data(kind: &str, options: &Value, origin: &str) -> Vec<u8> {
    let challenge = options.pointer("/publicKey/challenge").and_then(Value::as_str).unwrap();
    json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false}).to_string().into_bytes()
}

fn authenticator_data(party: &str, flags: u8, counter: u32) -> Vec<u8> {
    let mut data = Sha256::digest(party.as_bytes()).to_vec();
    data.push(flags);
    data.extend_from_slice(&counter.to_be_bytes());
    data
}

impl Device {
    /// Answers a registration, as `navigator.credentials.create` would.
    pub(crate) fn register(options: &Value, origin: &str) -> (Self, Value) {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &rng).unwrap();
        let id: [u8; 32] = rand::random();
        let user = options.pointer("/publicKey/user/id").and_then(Value::as_str).unwrap().to_owned();
        let device = Self { pair, id: id.to_vec(), user, counter: 0, origin: origin.to_owned() };
        let party = options.pointer("/publicKey/rp/id").and_then(Value::as_str).unwrap();
        let mut data = authenticator_data(party, VERIFIED | ATTESTED, 0);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&[0, 32]);
        data.extend_from_slice(&device.id);
        data.extend_from_slice(&device.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": bytes}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend_from_slice(&data);
        let response = json!({
            "attestationObject": text(&object),
            "clientDataJSON": text(&client_data("webauthn.create", options, origin)),
        });
        let answer = device.answer(response);
        (device, answer)
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y}
    fn cose_key(&self) -> Vec<u8> {
        // 4, x, y: a point that is not compressed.
        let (_, point) = self.pair.public_key().as_ref().split_at(1);
        let (x, y) = point.split_at(32);
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", x, b"\x22\x58\x20", y].concat()
    }

    fn answer(&self, response: Value) -> Value {
        json!({"id": text(&self.id), "rawId": text(&self.id), "type": "public-key", "response": response, "extensions": {}})
    }

    /// Answers a sign-in, as `navigator.credentials.get` would.
    pub(crate) fn sign(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let party = options.pointer("/publicKey/rpId").and_then(Value::as_str).unwrap();
        let data = authenticator_data(party, VERIFIED, self.counter);
        let client = client_data("webauthn.get", options, &self.origin);
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        self.answer(json!({
            "authenticatorData": text(&data),
            "clientDataJSON": text(&client),
            "signature": text(signature.as_ref()),
            "userHandle": self.user,
        }))
    }

    /// The same device as if another page had asked.
    pub(crate) fn at(self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self }
    }

    /// The same key in the name of somebody else.
    pub(crate) fn claiming(self, user: &[u8]) -> Self {
        Self { user: text(user), ..self }
    }
}

//! A permit cannot be read from text.
use shieldops_policy::Permit;

fn main() {
    let _permit: Permit = serde_json::from_str("{}").unwrap();
}

//! A permit cannot be written to text.
use shieldops_policy::Permit;

fn main() {
    let write = |permit: Permit| serde_json::to_string(&permit);
    let _ = write;
}

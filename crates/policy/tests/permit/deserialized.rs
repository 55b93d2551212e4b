use shieldops_policy::Permit;

fn main() {
    let _permit: Permit = serde_json::from_str("{}").unwrap();
}

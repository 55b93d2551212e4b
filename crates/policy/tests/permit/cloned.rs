//! A permit cannot be copied.
use shieldops_policy::Permit;

fn main() {
    let twice = |permit: Permit| (permit.clone(), permit);
    let _ = twice;
}

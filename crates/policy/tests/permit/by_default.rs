//! There is no default permit.
use shieldops_policy::Permit;

fn main() {
    let _permit = Permit::default();
}

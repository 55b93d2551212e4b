//! A permit is moved into what it allows, and so used once.
use shieldops_policy::Permit;

fn apply(_: Permit) {}

fn main() {
    let twice = |permit: Permit| {
        apply(permit);
        apply(permit);
    };
    let _ = twice;
}

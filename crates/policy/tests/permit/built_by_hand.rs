//! A permit cannot be written down field by field.
use shieldops_model::Id;
use shieldops_policy::Permit;

fn main() {
    let _permit = Permit {
        action: Id::from_bits(1),
        plan_hash: String::new(),
        target: Id::from_bits(2),
        from_hash: String::new(),
        nonce: [0; 16],
    };
}

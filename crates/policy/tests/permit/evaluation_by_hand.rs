//! A decision cannot be made up and bound to an input.
use shieldops_policy::{Evaluation, Input};

fn forge(input: Input, decision: shieldops_model::Decision) -> Evaluation {
    Evaluation { input, decision }
}

fn main() {
    let _ = forge;
}

//! What policy decided cannot be changed afterwards.
use shieldops_policy::Evaluation;

fn main() {
    let force = |mut evaluation: Evaluation| evaluation.decision().allow = true;
    let _ = force;
}

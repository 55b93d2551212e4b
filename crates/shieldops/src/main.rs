//! The ShieldOps binary: configuration, wiring and the command line.
fn main() {}

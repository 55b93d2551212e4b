//! The rules that come with the binary, each with its samples.

use shieldops_pipeline::BuiltIn;

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

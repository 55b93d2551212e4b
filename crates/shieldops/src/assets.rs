//! The dashboard's built files; none when the dashboard was not built before the binary.

use shieldops_api::assets::Asset;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

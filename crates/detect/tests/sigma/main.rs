//! What a user of the engine may rely on, from rule text and events to matches.

mod conformance;

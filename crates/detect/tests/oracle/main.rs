//! The engine against an evaluator that is slow and obvious: on recorded attacks, on streams, and on generated pairs of rule
//! and event.

mod corpus;
mod data;
mod make;
mod pairs;
mod slow;

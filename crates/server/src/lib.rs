//! Skeleton.

pub mod config;
pub mod secrets;

//! Skeleton.

pub mod config;
pub mod demo;
pub mod secrets;

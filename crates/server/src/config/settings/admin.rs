//! The listener for metrics and administration.

use super::Setting;

pub(super) const TABLE: &[Setting] = &[];

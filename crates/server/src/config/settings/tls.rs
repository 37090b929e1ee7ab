//! TLS.

use super::Setting;

pub(super) const TABLE: &[Setting] = &[];

//! Who may connect from where: origins, proxies, rates of connections.

use super::Setting;

pub(super) const TABLE: &[Setting] = &[];

//! Compression of WebSocket messages.

use super::{MIB, Setting};
use crate::config::kinds::{Bytes, Count, Flag, Kind};

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "compression.enabled",
        compression.enabled,
        Flag,
        "whether clients that offer permessage-deflate get it"
    ),
    setting!(
        "compression.threshold_bytes",
        compression.threshold_bytes,
        Bytes::new(0, MIB),
        "messages shorter than this are not compressed"
    ),
    setting!(
        "compression.level",
        compression.level,
        Count::<u8>::new(1, 9),
        "from 1, which costs least, to 9, which makes smallest"
    ),
];

//! nginx with nchan: the room is in the path, messages travel bare.

use fanfare_wire::OpCode;

use super::{Adapter, Hearing, Role, Who};
use crate::frame;

/// Subscribes by connecting to `/sub/<room>`, publishes by a WebSocket to `/pub/<room>`.
pub(crate) struct Nchan;

impl Adapter for Nchan {
    fn target(&self, who: &Who<'_>) -> (String, Option<&'static str>) {
        match who.role {
            Role::Subscriber => (format!("/sub/{}", who.room), None),
            Role::Publisher => (format!("/pub/{}", who.room), None),
        }
    }

    fn binds_publisher_to_room(&self) -> bool {
        true
    }

    fn opened(&self, _who: &Who<'_>, hearing: &mut Hearing<'_>) {
        hearing.ready();
    }

    fn heard(&self, who: &Who<'_>, message: &[u8], hearing: &mut Hearing<'_>) {
        // A publisher is told after each message how many subscribers the channel has.
        if who.role == Role::Subscriber {
            hearing.delivered(message);
        }
    }

    fn publish(&self, _room: &str, data: &[u8], out: &mut Vec<u8>) {
        frame::push(out, OpCode::Text, data);
    }
}

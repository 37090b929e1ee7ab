//! nginx with nchan: the room is in the path, messages travel bare.

use super::{Adapter, Hearing, Role, Who};

/// Subscribes by a WebSocket to `/sub/<room>`, publishes by pipelined `POST /pub/<room>`.
///
/// nchan also takes publications from a WebSocket, but leaves frames that came together lying until
/// further ones arrive, so that the last ones of a burst are never delivered.
pub(crate) struct Nchan;

impl Adapter for Nchan {
    fn path(&self, who: &Who<'_>) -> Option<String> {
        match who.role {
            Role::Subscriber => Some(format!("/sub/{}", who.room)),
            Role::Publisher => None,
        }
    }

    fn opened(&self, _who: &Who<'_>, hearing: &mut Hearing<'_>) {
        hearing.ready();
    }

    fn heard(&self, who: &Who<'_>, message: &[u8], hearing: &mut Hearing<'_>) {
        match who.role {
            Role::Subscriber => hearing.delivered(message),
            // 201 and 202 say with and without subscribers; whatever is no answer's beginning is a body.
            Role::Publisher => {
                if message.starts_with(b"HTTP/1.1 ") && !message.starts_with(b"HTTP/1.1 20") {
                    hearing.refused(message);
                }
            }
        }
    }

    fn publish(&self, room: &str, data: &[u8], out: &mut Vec<u8>) {
        let length = data.len();
        let head = format!("POST /pub/{room} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(data);
    }
}

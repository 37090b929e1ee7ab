//! Socket.IO 4 (`benches/peers/socketio-hub.mjs`): Engine.IO 4 over WebSocket only.

use fanfare_wire::OpCode;

use super::{Adapter, Hearing, Role, Who, push_json_publish};

/// Subscribes by an event with acknowledgement, publishes by an event, counts `message` events.
pub(crate) struct SocketIo;

impl Adapter for SocketIo {
    fn path(&self, _who: &Who<'_>) -> Option<String> {
        Some("/socket.io/?EIO=4&transport=websocket".to_owned())
    }

    fn opened(&self, _who: &Who<'_>, _hearing: &mut Hearing<'_>) {
        // Engine.IO's server speaks first.
    }

    fn heard(&self, who: &Who<'_>, message: &[u8], hearing: &mut Hearing<'_>) {
        match message {
            [b'4', b'2', ..] => hearing.delivered(message),
            b"2" => hearing.reply(OpCode::Text, b"3"),
            [b'0', ..] => hearing.reply(OpCode::Text, b"40"),
            [b'4', b'0', ..] => match who.role {
                Role::Publisher => hearing.ready(),
                Role::Subscriber => {
                    let subscribe = format!(r#"420["subscribe","{}"]"#, who.room);
                    hearing.reply(OpCode::Text, subscribe.as_bytes());
                }
            },
            [b'4', b'3', ..] => hearing.ready(),
            b"6" => {}
            other => hearing.refused(other),
        }
    }

    fn publish(&self, room: &str, data: &[u8], out: &mut Vec<u8>) {
        push_json_publish(r#"42["publish",""#, room, r#"",""#, data, r#""]"#, out);
    }
}

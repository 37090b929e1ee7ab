//! permessage-deflate: what is agreed on, what goes compressed, and what comes.

use fanfare_server::config::CompressionConfig;
use fanfare_server::{Builder, Fanfare};
use fanfare_wire::deflate::{Deflater, Inflater};
use fanfare_wire::{Decoder, Limits, Message, Role};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::support::frames::{BINARY, FIN, RSV, TEXT, frame, text};
use super::support::node::{TestNode, builder};
use super::support::raw::{HEAD, Raw};
use super::support::{Outcome, within};

const IMPOSED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, fragments_max: 1 };

fn compressing(threshold_bytes: usize) -> Builder {
    builder().compression(CompressionConfig {
        enabled: true,
        threshold_bytes,
        ..CompressionConfig::default()
    })
}

/// A handshake that says this besides.
fn head(more: &str) -> String {
    HEAD.replacen("\r\n\r\n", &format!("\r\n{more}\r\n\r\n"), 1)
}

/// A client that reads compressed messages.
struct Client {
    raw: Raw,
    bytes: Vec<u8>,
    /// What the server has answered to the offer.
    agreed: Option<String>,
}

/// A message of the server: the frame that it came in, and what it says.
#[derive(Debug, PartialEq)]
struct Heard {
    frame: Vec<u8>,
    text: String,
}

impl Heard {
    fn is_compressed(&self) -> bool {
        self.frame[0] == FIN | RSV[0] | TEXT
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Client {
    async fn open(node: &TestNode, more: &str) -> Self {
        let mut raw = Raw::connect(node.address).await.unwrap();
        raw.send(head(more).as_bytes()).await.unwrap();
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.status, 101, "{answer:?}");
        let line = |line: &str| line.strip_prefix("sec-websocket-extensions: ").map(str::to_owned);
        let agreed = answer.head.lines().find_map(line);
        Self { raw, bytes: Vec::new(), agreed }
    }

    async fn offering(node: &TestNode) -> Self {
        Self::open(node, "Sec-WebSocket-Extensions: permessage-deflate").await
    }

    async fn say(&mut self, message: &Value) {
        self.raw.send(&text(message.to_string())).await.unwrap();
    }

    /// The next message.
    async fn hear(&mut self) -> Outcome<Heard> {
        loop {
            let mut bytes = self.bytes.clone();
            let mut decoder = Decoder::with_deflate(Role::Client);
            let decoded = decoder.decode(&mut bytes, &LIMITS).map_err(|violation| violation.to_string())?;
            let consumed = decoded.consumed;
            let mut inflater = Inflater::default();
            let message = match decoded.message {
                Some(Message::Deflated(deflated)) => {
                    inflater.inflate(deflated, LIMITS.message_bytes_max).ok()
                }
                other => other,
            };
            match message {
                Some(Message::Text(text)) => {
                    let text = text.to_owned();
                    return Ok(Heard { frame: self.bytes.drain(..consumed).collect(), text });
                }
                Some(other) => return Err(format!("{other:?}")),
                None => {
                    let read = self.raw.stream_mut().read_buf(&mut self.bytes);
                    if within("the server to say something", read).await?.map_err(|e| e.to_string())? == 0 {
                        return Err("the end".to_owned());
                    }
                }
            }
        }
    }

    async fn subscribe(&mut self, channel: &str) {
        self.say(&json!({"type": "subscribe", "id": 1, "channel": channel})).await;
        assert_eq!(self.hear().await.unwrap().json()["type"], "subscribed");
    }
}

#[tokio::test]
async fn what_is_offered_is_taken_as_it_can_be() {
    let node = TestNode::start(compressing(0)).await;
    for (offer, answer) in [
        ("permessage-deflate", Some(IMPOSED.to_owned())),
        ("permessage-deflate; client_max_window_bits", Some(IMPOSED.to_owned())),
        (
            "permessage-deflate; server_max_window_bits=10",
            Some(format!("{IMPOSED}; server_max_window_bits=10")),
        ),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; nonsense, permessage-deflate", Some(IMPOSED.to_owned())),
        ("permessage-bzip2", None),
    ] {
        let client = Client::open(&node, &format!("Sec-WebSocket-Extensions: {offer}")).await;
        assert_eq!(client.agreed, answer, "{offer}");
    }
    assert_eq!(Client::open(&node, "Accept: */*").await.agreed, None);
    let mut raw = Raw::connect(node.address).await.unwrap();
    raw.send(head("Sec-WebSocket-Extensions: permessage-deflate; =").as_bytes()).await.unwrap();
    assert_eq!(raw.answer().await.unwrap().summary(), "HTTP 400 bad_handshake");
    node.stop();
}

#[tokio::test]
async fn nothing_is_compressed_unless_it_is_configured() {
    let node = TestNode::start(builder()).await;
    let mut client = Client::offering(&node).await;
    assert_eq!(client.agreed, None);
    client.say(&json!({"type": "ping", "id": "x".repeat(200)})).await;
    assert!(!client.hear().await.unwrap().is_compressed());
    client.raw.send(&frame(FIN | RSV[0] | TEXT, b"\x00")).await.unwrap();
    assert!(client.hear().await.unwrap_err().contains("1002"));
    node.stop();
}

#[tokio::test]
async fn a_message_is_compressed_once_for_all_who_read_it_so() {
    // One shard: what is shared is shared within it.
    let node = TestNode::start(compressing(100).shards(1)).await;
    let (mut ann, mut bob) = (Client::offering(&node).await, Client::offering(&node).await);
    let mut cid = Client::open(&node, "Accept: */*").await;
    let mut dan =
        Client::open(&node, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9").await;
    for client in [&mut ann, &mut bob, &mut cid, &mut dan] {
        client.subscribe("room").await;
    }
    let data = json!({"text": "all work and no play makes a dull boy. ".repeat(50)});
    node.publish("room", &data).await;
    let heard = ann.hear().await.unwrap();
    assert!(heard.is_compressed());
    assert!(heard.frame.len() * 5 < heard.text.len(), "{} of {}", heard.frame.len(), heard.text.len());
    assert_eq!(heard.json()["data"], data);
    assert_eq!(bob.hear().await.unwrap(), heard, "the very same frame");
    let in_a_small_window = dan.hear().await.unwrap();
    assert!(in_a_small_window.is_compressed());
    let plain = cid.hear().await.unwrap();
    assert!(!plain.is_compressed());
    for other in [in_a_small_window, plain] {
        assert_eq!(other.text, heard.text);
    }
    node.publish("room", &json!(7)).await;
    assert!(!ann.hear().await.unwrap().is_compressed(), "below the threshold");
    // An answer is for one alone, and compressed even so.
    ann.say(&json!({"type": "ping", "id": "x".repeat(200)})).await;
    assert!(ann.hear().await.unwrap().is_compressed());
    node.stop();
}

#[tokio::test]
async fn compressed_messages_are_understood_and_bounded() {
    let node = TestNode::start(compressing(usize::MAX)).await;
    let mut deflater = Deflater::new(6, 15);
    let mut compressed = |first: u8, message: &[u8]| {
        frame(FIN | RSV[0] | first, deflater.deflate(message).expect("smaller than it was"))
    };
    let ping = json!({"type": "ping", "id": "x".repeat(200)}).to_string();
    let mut client = Client::offering(&node).await;
    client.raw.send(&compressed(TEXT, ping.as_bytes())).await.unwrap();
    assert_eq!(client.hear().await.unwrap().json()["type"], "pong");
    for (bytes, code) in [
        (compressed(TEXT, &vec![b' '; 64 * 1024 + 1]), "1009"),
        (compressed(BINARY, &vec![0; 60 << 20]), "1009"),
        (frame(FIN | RSV[0] | TEXT, b"\x07"), "1007"),
        (compressed(TEXT, &[0xFF; 100]), "1007"),
        (frame(FIN | RSV[1] | TEXT, b"\x07"), "1002"),
    ] {
        let mut client = Client::offering(&node).await;
        client.raw.send(&bytes).await.unwrap();
        let end = client.hear().await.unwrap_err();
        assert!(end.contains(code), "{code} was wanted, not {end}");
    }
    node.stop();
}

#[tokio::test]
async fn lines_are_joined_before_they_are_compressed() {
    let node = TestNode::start(compressing(0).shards(1)).await;
    let wish = "Sec-WebSocket-Protocol: fanfare.native.lines\r\nSec-WebSocket-Extensions: permessage-deflate";
    let mut client = Client::open(&node, wish).await;
    client.subscribe("room").await;
    let count = 200;
    let (channel, fanfare) = ("room", node.node.fanfare().clone());
    // Published as fast as can be, until some of them have met in one turn.
    let mut joined = 0;
    let mut next = 0;
    while joined == 0 {
        publish_all(&fanfare, channel, next..next + count).await;
        while next % count != 0 || joined == 0 {
            let heard = client.hear().await.unwrap();
            let lines: Vec<Value> =
                heard.text.split('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
            for line in &lines {
                assert_eq!(line["data"], json!({"number": next}), "in order, and none is missing");
                next += 1;
            }
            joined += lines.len() - 1;
            if next % count == 0 {
                break;
            }
        }
    }
    // An answer is a message of its own, without a newline.
    client.say(&json!({"type": "ping", "id": 7})).await;
    assert_eq!(client.hear().await.unwrap().text, r#"{"type":"pong","id":7}"#);
    node.stop();
}

/// Publishes numbers, formatted over two lines; together, not one after the other.
async fn publish_all(fanfare: &Fanfare, channel: &str, numbers: std::ops::Range<usize>) {
    use fanfare_protocol::{ChannelName, Payload};
    let publishing = numbers.map(|number| {
        let data = Payload::Json(format!("{{\n\"number\": {number}\n}}").into());
        fanfare.publish(ChannelName::new(channel).unwrap(), fanfare_server::handle::Message::new(data))
    });
    for outcome in futures_util::future::join_all(publishing).await {
        outcome.unwrap();
    }
}

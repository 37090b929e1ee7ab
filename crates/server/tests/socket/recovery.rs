//! Many clients that are cut again and again: every one of them sees every message once and in order.

use std::net::SocketAddr;

use fanfare_core::namespace::Namespace;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::support::client::Client;
use super::support::node::{TestNode, builder};
use super::support::{Outcome, alarm};

const CLIENTS: u64 = 200;
const MESSAGES: u64 = 400;
const ROOM: &str = "kept:room";

/// A client with a dice of its own, where it has been, and how often it was cut.
struct Wanderer {
    address: SocketAddr,
    dice: u64,
    place: Option<(Value, u64)>,
    cuts: u64,
}

impl Wanderer {
    /// SplitMix64, so that a failing run can be run again.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    /// Connects, recovers, and stays for a while; then is cut, in one of several ways.
    async fn visit(&mut self) -> Outcome<()> {
        let connected = Client::try_connect(self.address, "/ws").await;
        let mut client = connected.map_err(|error| error.to_string())?;
        let recover = self.place.as_ref().map(|(epoch, offset)| json!({"epoch": epoch, "offset": offset}));
        client.send(&json!({"type": "subscribe", "channel": ROOM, "recover": recover}));
        if self.roll(8) == 0 {
            return Ok(());
        }
        let subscribed = client.try_event().await?;
        if recover.is_some() && subscribed["recovered"] != true {
            return Err(format!("at {:?} not recovered: {subscribed}", self.place));
        }
        let mut place = self.place.take().unwrap_or((subscribed["epoch"].clone(), 0));
        let stay = self.roll(40);
        for _ in 0..stay {
            if place.1 == MESSAGES {
                break;
            }
            let message = client.try_event().await?;
            let wanted = json!(place.1 + 1);
            if message["offset"] != wanted || message["data"] != wanted {
                return Err(format!("after {} comes {message}", place.1));
            }
            place.1 += 1;
        }
        self.place = Some(place);
        self.cuts += 1;
        match self.roll(3) {
            0 => client.send_frame(Message::Close(None)),
            1 => client.send(&json!({"type": "disconnect"})),
            _ => {}
        }
        Ok(())
    }

    async fn wander(mut self) -> Outcome<u64> {
        while self.place.as_ref().is_none_or(|(_, offset)| *offset < MESSAGES) {
            self.visit().await?;
        }
        Ok(self.cuts)
    }
}

/// Publishes as fast as the wanderers leave it time to.
async fn publish_all(node: &TestNode) {
    let mut beat = tokio::time::interval(std::time::Duration::from_millis(5));
    for n in 1..=MESSAGES {
        beat.tick().await;
        node.publish(ROOM, &json!(n)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_that_are_cut_again_and_again_see_everything_once() {
    let kept = Namespace { history_size: MESSAGES as u32, ..Namespace::default() };
    let node = TestNode::start(builder().namespace("kept", kept)).await;
    // The first of them asks for a place before the first message.
    let mut first = Client::connect(node.address, "/ws").await;
    let event = first.ask(&json!({"type": "subscribe", "channel": ROOM}), "subscribed").await;
    let mut wanderers = JoinSet::new();
    for dice in 0..CLIENTS {
        let place = Some((event["epoch"].clone(), 0));
        wanderers.spawn(Wanderer { address: node.address, dice, place, cuts: 0 }.wander());
    }
    publish_all(&node).await;
    let outcomes = wanderers.join_all().await;
    let failures: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(failures.is_empty(), "{} of {CLIENTS} failed: {failures:#?}", failures.len());
    let cuts: u64 = outcomes.iter().flatten().sum();
    println!("{CLIENTS} clients, {} deliveries, {cuts} cuts", CLIENTS * MESSAGES);
    for n in 1..=MESSAGES {
        assert_eq!(first.expect("message").await["offset"], n);
    }
    drop(first);
    node.until_connections(0).await;
    let fanfare = node.node.fanfare();
    assert_eq!(fanfare.channels("", None, 10).await.unwrap().len(), 0, "nobody is left in the room");
    let channel = fanfare_protocol::ChannelName::new(ROOM).unwrap();
    let members = fanfare.presence(channel, true).await.unwrap();
    assert_eq!(members.connections, 0, "{members:?}");
    alarm::assert_silent();
    node.stop();
}

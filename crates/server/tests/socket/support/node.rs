//! A node behind a real listener on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::limits::{Deadlines, RateLimits};
use fanfare_protocol::{ChannelName, Payload};
use fanfare_server::handle::Message;
use fanfare_server::listen::HttpDeadlines;
use fanfare_server::{Builder, Fanfare, Node, listen};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::alarm;

/// How long a request's head may take, where a test does not say.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A node that is being served.
pub(crate) struct TestNode {
    pub(crate) node: Node,
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

/// A node's settings for tests: two shards, so that neighbours live on different threads, user ids that are
/// believed, and no rates.
pub(crate) fn builder() -> Builder {
    Fanfare::builder().shards(2).open_user_ids(true).deadlines(patient()).rate_limits(RateLimits::off())
}

/// Deadlines that no case meets by accident.
pub(crate) fn patient() -> Deadlines {
    Deadlines { ping_interval_ms: 600_000, ..Deadlines::default() }
}

impl TestNode {
    pub(crate) async fn start(builder: Builder) -> Self {
        Self::start_with(builder, HANDSHAKE).await
    }

    pub(crate) async fn start_with(builder: Builder, deadlines: impl Into<HttpDeadlines>) -> Self {
        alarm::arm();
        let node = builder.start().unwrap();
        let listener = listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let deadlines = deadlines.into();
        let serving = tokio::spawn(listen::serve(listener, node.router(), deadlines, Some(node.network())));
        Self { node, address, serving }
    }

    /// Publishes in nobody's name.
    pub(crate) async fn publish(&self, channel: &str, data: &Value) {
        let data = Payload::Json(Bytes::from(data.to_string()));
        let channel = ChannelName::new(channel).unwrap();
        self.node.fanfare().publish(channel, Message::new(data)).await.unwrap();
    }

    /// Waits until so many clients are connected.
    pub(crate) async fn until_connections(&self, count: u32) {
        let reached = async {
            while self.node.connections() != count {
                tokio::task::yield_now().await;
            }
        };
        super::within("the connections to be counted", reached).await.unwrap();
    }

    /// Ends the node, which must not have panicked.
    pub(crate) fn stop(self) {
        self.serving.abort();
        self.node.stop();
        alarm::assert_silent();
    }
}

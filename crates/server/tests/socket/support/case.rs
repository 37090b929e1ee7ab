//! A case of a table: what is sent, and what must come back.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::frames::{self, FIN, TEXT};
use super::neighbour::{COUNT, Neighbour};
use super::node::TestNode;
use super::raw::Raw;
use super::{Outcome, alarm};

/// One thing that the client does.
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Ends its own side.
    Shut,
    /// Ends with a reset.
    Reset,
}

/// Where a case begins.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Start {
    /// With nothing sent yet.
    Connected,
    /// After the handshake, as a member of the neighbour's room.
    Member,
}

/// A line of a table. After what is expected the connection must be usable, unless that ends it: with
/// "CLOSE …", with "EOF", or with a response that is not 101.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) expected: Vec<String>,
}

impl Case {
    /// Bytes in the writes given, and what must come back.
    pub(crate) fn new(name: impl Into<String>, writes: Vec<Vec<u8>>, expected: &[&str]) -> Self {
        let steps = writes.into_iter().map(Step::Send).collect();
        let expected = expected.iter().map(|line| (*line).to_owned()).collect();
        Self { name: name.into(), steps, expected }
    }

    pub(crate) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// Runs all cases of a table side by side, each with a room and a neighbour of its own.
pub(crate) async fn judge(node: &Arc<TestNode>, start: Start, cases: Vec<Case>) {
    let total = cases.len();
    let mut running = JoinSet::new();
    for (index, case) in cases.into_iter().enumerate() {
        let node = node.clone();
        running.spawn(async move {
            let outcome = run(&node, start, &case, &format!("room{index}")).await;
            outcome.map_err(|failure| format!("{}: {failure}", case.name))
        });
    }
    let failures: Vec<String> = running.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} of {total} cases failed:\n{}", failures.len(), failures.join("\n"));
    println!("{total} cases");
    alarm::assert_silent();
}

async fn run(node: &TestNode, start: Start, case: &Case, room: &str) -> Outcome<()> {
    let mut neighbour = Neighbour::move_in(node, room).await?;
    let mut raw = match start {
        Start::Connected => Raw::connect(node.address).await?,
        Start::Member => member(node, room).await?,
    };
    neighbour.unmoved(node).await?;
    for step in &case.steps {
        match step {
            Step::Send(bytes) => raw.send(bytes).await?,
            Step::Shut => raw.shut().await,
            Step::Reset => {
                raw.reset();
                return neighbour.unmoved(node).await.map(drop);
            }
        }
        neighbour.unmoved(node).await?;
    }
    let mut last = String::new();
    for expected in &case.expected {
        last = next(&mut raw, start == Start::Connected && last.is_empty()).await?;
        if last != *expected {
            return Err(format!("expected \"{expected}\", got \"{last}\""));
        }
    }
    ends_well(&mut raw, &last).await?;
    neighbour.unmoved(node).await.map(drop)
}

async fn member(node: &TestNode, room: &str) -> Outcome<Raw> {
    let mut raw = Raw::open(node.address, "/ws").await?;
    let subscribe = json!({"type": "subscribe", "channel": room});
    raw.send(&frames::frame(FIN | TEXT, subscribe.to_string())).await?;
    match raw.said().await? {
        said if said == "subscribed" => Ok(raw),
        said => Err(format!("expected \"subscribed\", got \"{said}\"")),
    }
}

/// The next thing said that is no message for the neighbour.
async fn next(raw: &mut Raw, response: bool) -> Outcome<String> {
    if response {
        return Ok(raw.answer().await?.summary());
    }
    loop {
        let said = raw.said().await?;
        if !said.contains(COUNT) {
            return Ok(said);
        }
    }
}

async fn ends_well(raw: &mut Raw, last: &str) -> Outcome<()> {
    let refused = last.starts_with("HTTP") && last != "HTTP 101";
    let end = if last == "EOF" {
        return Ok(());
    } else if refused {
        "EOF"
    } else if last.starts_with("CLOSE") {
        raw.send(&frames::close(1000, b"")).await?;
        "EOF"
    } else {
        raw.send(&frames::ask("the end")).await?;
        "pong the end"
    };
    match next(raw, false).await? {
        said if said == end => Ok(()),
        said => Err(format!("expected \"{end}\" at the end, got \"{said}\"")),
    }
}

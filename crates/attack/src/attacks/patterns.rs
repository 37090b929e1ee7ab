//! Clients that keep to their rates, and whose patterns cost those who publish as much as patterns may.

use std::io;
use std::time::Duration;

use fanfare_wire::{OpCode, encode_frame_masked};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Attack, Field, REFUSED_PAUSE, Tally};
use crate::line::{Line, MASK};
use crate::tokens;

/// As many as a connection may be subscribed to.
const PATTERNS: u64 = 128;

/// The tokens of a pattern and of the channel it nearly matches, and its wildcards: as many as there may be.
const TOKENS: usize = 12;
const WILDCARDS: usize = 3;

/// Between two turns: a subscription by such a pattern costs 0.4 of a message, and a connection has ten a second.
const PACE: Duration = Duration::from_millis(110);

pub(super) async fn run(field: &Field) {
    for _ in 0..field.scale.floods {
        let field = field.clone();
        tokio::task::spawn_local(async move {
            loop {
                let ended = one(&field).await;
                Tally::add(if ended.is_ok() { &field.tally.cut } else { &field.tally.refused }, 1);
                sleep(REFUSED_PAUSE).await;
            }
        });
    }
    std::future::pending().await
}

/// One connection, from its beginning to its end.
async fn one(field: &Field) -> io::Result<()> {
    let stream = field.sources.connect_abrupt(field.target(Attack::Patterns)).await?;
    Tally::add(&field.tally.opened, 1);
    let line = Line::shake(stream, field.server, &tokens::path(&tokens::stranger())?).await?;
    let (mut reader, mut writer) = line.into_stream().into_split();
    let reading = async {
        let mut bytes = vec![0; 16 * 1024];
        while matches!(reader.read(&mut bytes).await, Ok(1..)) {}
    };
    let writing = async {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in 0.. {
            pace.tick().await;
            let out = burst(turn);
            if writer.write_all(&out).await.is_err() {
                return;
            }
            Tally::add(&field.tally.sent_bytes, out.len() as u64);
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
    Ok(())
}

/// What is sent in a turn: two subscriptions, which cost less than a publish, or a publish when all have been sent.
fn burst(turn: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut say = |text: String| encode_frame_masked(&mut out, OpCode::Text, text.as_bytes(), MASK);
    let numbers = 2 * turn..(2 * turn + 2).min(PATTERNS);
    if numbers.is_empty() {
        let channel = ["a"; TOKENS].join(".");
        say(format!(r#"{{"type":"publish","channel":"{channel}","data":1}}"#));
    }
    for number in numbers {
        say(format!(r#"{{"type":"subscribe","pattern":"{}"}}"#, pattern(number)));
    }
    out
}

/// All tokens are `a`, but for the last, by which it never matches, and for wildcards at places of its own.
fn pattern(number: u64) -> String {
    let mut tokens = ["a"; TOKENS];
    tokens[TOKENS - 1] = "z";
    let mut places = number;
    for wildcard in 0..WILDCARDS {
        let span = (TOKENS - 1 - wildcard) as u64;
        let mut free = tokens.iter_mut().filter(|token| **token == "a");
        if let Some(token) = free.nth((places % span) as usize) {
            *token = "*";
        }
        places /= span;
    }
    tokens.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_as_bad_as_they_may_be() {
        for number in 0..PATTERNS {
            let pattern = pattern(number);
            assert_eq!(pattern.split('.').count(), TOKENS, "{pattern}");
            assert_eq!(pattern.matches('*').count(), WILDCARDS, "{pattern}");
            assert!(pattern.ends_with(".z"), "{pattern}");
        }
    }
}

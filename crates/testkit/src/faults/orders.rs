//! The proxy's controls as lines of text, for tests in other languages.
//!
//! | line | what it does |
//! |---|---|
//! | `delay 200`, `delay 200 50` | delays both directions by so many milliseconds, or what the client says and what it hears |
//! | `slow 1000` | lets each direction of each connection carry so many bytes a second |
//! | `cut` | resets every connection and refuses new ones |
//! | `cut 3` | resets the connection that was accepted as the fourth |
//! | `cut 2000 every 10000` | cuts for so many milliseconds in each period of so many, until the next line |
//! | `blackhole` | lets nothing pass |
//! | `drop`, `drop 1000` | ends connections in the middle of what is said, within so many bytes, 256 by default; closes new ones |
//! | `heal` | ends every fault |
//! | `connections` | tells which there are |
//!
//! Each line is answered by one: `ok`, or `error` and why. That of `connections` has the number and the client's
//! address of each: `ok 0=127.0.0.1:40000 3=127.0.0.1:40002`. When it is answered, it has happened (see
//! [`FaultProxy::set_line`]).

use std::fmt::Write as _;
use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{FaultProxy, Line};

/// Within how many bytes a line drops connections when nothing else is said: about a message.
const DROP_WITHIN_BYTES: usize = 256;

/// A schedule of cuts.
#[derive(Debug, Clone, Copy)]
struct Cuts {
    period: Duration,
    length: Duration,
}

/// Carries out every line of `input` and answers it on `output`, until the input ends.
///
/// # Errors
/// When the input cannot be read, the output not be written, or the proxy not listen again between scheduled cuts.
pub async fn obey(
    proxy: &FaultProxy,
    input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut lines = input.lines();
    let mut cuts = None;
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line?,
            error = scheduled(proxy, cuts) => return Err(error),
        };
        let Some(line) = line else { return Ok(()) };
        let answer = match order(proxy, &line) {
            Ok((schedule, told)) => {
                cuts = schedule;
                format!("ok{told}\n")
            }
            Err(error) => format!("error {error}\n"),
        };
        output.write_all(answer.as_bytes()).await?;
        output.flush().await?;
    }
}

async fn scheduled(proxy: &FaultProxy, cuts: Option<Cuts>) -> io::Error {
    match cuts {
        Some(Cuts { period, length }) => proxy.cut_every(period, length).await,
        None => pending().await,
    }
}

/// Carries out one line; the schedule that it begins, and what else the answer says.
fn order(proxy: &FaultProxy, line: &str) -> Result<(Option<Cuts>, String), String> {
    let line_of = |line| proxy.set_line(line).map_err(|error| error.to_string());
    let mut told = String::new();
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["delay", both] => proxy.delay(milliseconds(both)?, milliseconds(both)?),
        ["delay", up, down] => proxy.delay(milliseconds(up)?, milliseconds(down)?),
        ["slow", rate] => proxy.slow(number(rate)?),
        ["cut"] => line_of(Line::Cut)?,
        ["cut", which] => {
            if !proxy.cut_one(number(which)?) {
                return Err(format!("there is no connection {which}"));
            }
        }
        ["cut", length, "every", period] => {
            let (period, length) = (milliseconds(period)?, milliseconds(length)?);
            if length >= period {
                return Err("a cut must be shorter than its period".to_owned());
            }
            line_of(Line::Whole)?;
            return Ok((Some(Cuts { period, length }), told));
        }
        ["blackhole"] => line_of(Line::Blackhole)?,
        ["drop"] => line_of(Line::Dropping { within_bytes: DROP_WITHIN_BYTES })?,
        ["drop", within] => line_of(Line::Dropping { within_bytes: number(within)? })?,
        ["heal"] => proxy.heal().map_err(|error| error.to_string())?,
        ["connections"] => {
            for (number, peer) in proxy.connections() {
                let _ = write!(told, " {number}={peer}");
            }
        }
        _ => return Err(format!("there is no such order: {line}")),
    }
    Ok((None, told))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    number(text).map(Duration::from_millis)
}

//! The task that holds the connection: connects, serves, and connects again.

use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::CloseCode;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::connection::Connection;
use crate::errand::{Errand, Errands};
use crate::error::Ending;
use crate::options::{OUT_BYTES_MAX, Options, STABLE_AFTER};
use crate::order::Order;
use crate::table::Table;
use crate::target::Target;
use crate::token::{TOKEN_HELD_MIN, Token};

/// How a client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Connected.
    Connected,
    /// Not connected; the client will try again.
    Reconnecting {
        /// Attempts since the connection was lost, from 1.
        attempt: u32,
        /// Why there is no connection.
        why: Ending,
    },
    /// Closed for good: by this program (then without a reason), or because connecting again is of no use.
    Closed(Option<Ending>),
}

/// Everything the task owns.
pub(crate) struct Driver {
    pub(crate) target: Target,
    pub(crate) options: Options,
    pub(crate) table: Table,
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Rung by readers that are gone or have caught up.
    pub(crate) wake: Arc<Notify>,
    pub(crate) state: watch::Sender<State>,
    /// Set, or dropped, when the program wants an end.
    pub(crate) closing: watch::Receiver<bool>,
    /// The tokens that are asked for on behalf of this connection.
    pub(crate) errands: Errands,
}

/// What woke the task.
enum Woken {
    Socket,
    Order(Option<Order>),
    Reader,
    Token(Errand),
    Silence,
    Closing,
}

/// Why serving a connection ended.
enum Served {
    /// The program wants an end.
    Closing,
    Lost(Ending),
}

impl Driver {
    /// Serves one connection after the other until there is to be none.
    pub(crate) async fn run(mut self, first: Connection) {
        let mut connection = first;
        let mut attempt = 0;
        // Whether this connection's token was asked for because the last one's had ended.
        let mut renewed = false;
        loop {
            let began = Instant::now();
            self.state.send_replace(State::Connected);
            let served = self.serve(&mut connection).await;
            self.table.disconnected();
            self.errands = Errands::default();
            let mut ending = match served {
                Served::Closing => {
                    connection.close(1000).await;
                    self.state.send_replace(State::Closed(None));
                    return;
                }
                Served::Lost(ending) => ending,
            };
            // Answers a Close, where there was one; whatever broke needs no answer.
            tokio::spawn(connection.close(if ending.code == 1006 { 1001 } else { ending.code }));
            if began.elapsed() >= STABLE_AFTER {
                attempt = 0;
            }
            if ending.code == CloseCode::Unauthenticated.number() {
                // What the server no longer takes may have a successor; that one in turn must have been good for
                // something.
                let held = !renewed || began.elapsed() >= TOKEN_HELD_MIN;
                ending.reconnect = held && self.options.token.as_ref().is_some_and(Token::is_provided);
                renewed = true;
            } else if began.elapsed() >= TOKEN_HELD_MIN {
                renewed = false;
            }
            match self.reconnect(ending, &mut attempt).await {
                Some(next) => {
                    connection = next;
                    self.errands = Errands::default();
                }
                None => return,
            }
        }
    }

    /// One connection, from its first turn to its last.
    async fn serve(&mut self, connection: &mut Connection) -> Served {
        match self.turns(connection).await {
            Ok(()) => Served::Closing,
            Err(ending) => Served::Lost(self.table.explained(ending)),
        }
    }

    async fn turns(&mut self, connection: &mut Connection) -> Result<(), Ending> {
        self.table.connected();
        let mut said = Vec::new();
        if connection.has_input() {
            connection.decode(&mut said)?;
        }
        loop {
            for said in said.drain(..) {
                self.table.hear(said)?;
            }
            self.errands.run(self.table.wishes.drain(..), &self.options);
            for text in self.table.texts.drain(..) {
                connection.say(&text)?;
            }
            connection.flush()?;
            // While the socket takes nothing, no more is taken from the callers either.
            let may_order = connection.out_bytes() < OUT_BYTES_MAX;
            let woken = tokio::select! {
                () = connection.ready() => Woken::Socket,
                order = self.orders.recv(), if may_order => Woken::Order(order),
                () = self.wake.notified() => Woken::Reader,
                Some(errand) = self.errands.next() => Woken::Token(errand),
                () = sleep_until(connection.silence_ends()) => Woken::Silence,
                _ = self.closing.changed() => Woken::Closing,
            };
            match woken {
                Woken::Socket => {
                    // What was said before the end is heard before the end.
                    let read = connection.read(&mut said);
                    if let Err(ending) = read {
                        for said in said.drain(..) {
                            self.table.hear(said)?;
                        }
                        return Err(ending);
                    }
                }
                Woken::Order(Some(order)) => self.table.order(order),
                Woken::Reader => self.table.sweep(),
                Woken::Token(Errand::Connection(token)) => self.table.authenticate(&token),
                Woken::Token(Errand::Subscription { topic, id, token }) => {
                    self.table.provided(&topic, id, token);
                }
                Woken::Silence => connection.break_silence()?,
                Woken::Order(None) | Woken::Closing => {
                    self.last_orders(connection)?;
                    return Ok(());
                }
            }
        }
    }

    /// What was handed over before the end is still said.
    fn last_orders(&mut self, connection: &mut Connection) -> Result<(), Ending> {
        while let Ok(order) = self.orders.try_recv() {
            self.table.order(order);
        }
        for text in self.table.texts.drain(..) {
            connection.say(&text)?;
        }
        Ok(())
    }

    /// Tries until there is a connection; none if that is of no use or not wanted.
    async fn reconnect(&mut self, mut why: Ending, attempt: &mut u32) -> Option<Connection> {
        while why.reconnect {
            let retry_after = why.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
            // Should there be no randomness, the longest delay is the safe one.
            let random = getrandom::u32().unwrap_or(u32::MAX);
            let delay = self.options.backoff.delay(*attempt, retry_after, random);
            *attempt += 1;
            self.state.send_replace(State::Reconnecting { attempt: *attempt, why: why.clone() });
            let opened = tokio::select! {
                _ = self.closing.changed() => {
                    self.state.send_replace(State::Closed(None));
                    return None;
                }
                opened = async {
                    sleep(delay).await;
                    Connection::open(&self.target, &self.options).await
                } => opened,
            };
            match opened {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    why = Ending { reconnect: error.retry(), ..Ending::broken(error.to_string()) };
                }
            }
        }
        self.state.send_replace(State::Closed(Some(why)));
        None
    }
}

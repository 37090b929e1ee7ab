//! Guests of a room that writes down who comes and who goes: they come and go in every way, in any order with the rest.

use std::collections::HashMap;

use fanfare_core::ports::broker::{Instruction, Reply, Request, Target};
use fanfare_core::session::Special;
use fanfare_protocol::CloseCode;
use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::publication::Kind;
use fanfare_testkit::Bench;
use fanfare_testkit::bench::opening;
use fanfare_testkit::rng::Rng;
use fanfare_testkit::script;

/// The lane of those that have one room.
const LANE: u8 = 4;
const GUESTS: usize = 3;
/// As many comings and goings are kept.
const ENTRIES_MAX: usize = 100;
/// Where they are.
pub(crate) const ROOM: &str = "guests:g";

/// The guests of one room, by their index on the bench.
#[derive(Default)]
pub(crate) struct Guests([Option<usize>; GUESTS]);

impl Guests {
    /// One of them comes, or goes in some way.
    pub(crate) fn step(&mut self, bench: &mut Bench, rng: &mut Rng) {
        let guest = rng.below(GUESTS);
        let user = script::user(&format!("g{guest}"));
        let Some(client) = self.0[guest] else {
            let mut opening = opening(LANE, Some(user.clone()));
            opening.special =
                Some(Box::new(Special { room: Some(script::channel(ROOM)), ..Special::default() }));
            let shard = rng.below(bench.shards.len());
            self.0[guest] = Some(bench.open(user.as_str(), shard, opening, false));
            return;
        };
        match rng.below(4) {
            0 => bench.cut(client),
            1 => bench.peer_closes(client, Some(1001)),
            2 => {
                let command = script::command("disconnect", &bench.epochs);
                bench.command(client, command);
            }
            _ => {
                let instruction = Instruction::Disconnect(CloseCode::Disconnected);
                bench.ask(Request::Instruct(Target::Users(vec![user]), instruction));
            }
        }
    }

    /// Takes note of those that have gone.
    pub(crate) fn look(&mut self, bench: &mut Bench) {
        for guest in &mut self.0 {
            let Some(client) = *guest else { continue };
            bench.clients[client].take_lines();
            if bench.clients[client].key.is_none() {
                *guest = None;
            }
        }
    }

    /// Sends everyone away and reads what was written down: of each connection one coming and then one going.
    pub(crate) fn end(&mut self, bench: &mut Bench) {
        for client in self.0.iter().flatten() {
            bench.cut(*client);
        }
        bench.settle();
        let range = HistoryRange { since: None, limit: u32::MAX, reverse: false };
        let request = Request::History { channel: script::channel(ROOM), range };
        let Reply::History(page) = bench.ask(request) else { panic!("there is no history") };
        let mut kinds: HashMap<_, Vec<Kind>> = HashMap::new();
        for entry in &page.publications {
            kinds.entry(entry.connection).or_default().push(entry.kind);
        }
        let is_full = page.publications.len() >= ENTRIES_MAX;
        for (connection, kinds) in kinds {
            // The oldest have gone where there were more than are kept.
            let is_cut = is_full && kinds == [Kind::Leave];
            assert!(is_cut || kinds == [Kind::Join, Kind::Leave], "{connection:?}: {kinds:?}");
        }
    }
}

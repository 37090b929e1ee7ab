//! Who leaves a channel, and when that counts: at once, or when the grace period of a lost connection has ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fanfare_protocol::command::Topic;
use fanfare_protocol::event::Member;
use fanfare_protocol::{ChannelName, UserId};

use super::channel::Channel;
use super::{Memory, lock, presence};
use crate::ports::broker::{Instruction, Target, Unsubscribe};

impl Memory {
    pub(super) fn unsubscribe(&self, leaving: &Unsubscribe) {
        let Unsubscribe { shard, channel: name, member, connection, hears_members, deliberate } = leaving;
        let now = (self.clock)();
        let mut stripe = self.stripe(name);
        let stripe = &mut *stripe;
        let Some(channel) = stripe.channels.get_mut(name) else { return };
        channel.shards.remove(*shard);
        channel.used_ms = now.steady_ms;
        match channel.presence.leave(member, *connection, *hears_members, *deliberate, now) {
            presence::Leave::Still => {}
            presence::Leave::Grace(until_ms) => stripe.graces.push(until_ms, name.clone(), member.clone()),
            presence::Leave::Gone(member) => self.tell_left(channel, name, member),
        }
        if channel.settle(&self.ledger, name, now.steady_ms) {
            self.end(stripe, name);
        }
    }

    /// What the backend instructs is deliberate: nobody waits for a lost connection of users who are to go.
    pub(super) fn end_graces(&self, target: &Target, instruction: &Instruction) {
        let channel = match instruction {
            Instruction::Unsubscribe(Topic::Channel(channel)) => Some(channel),
            Instruction::Disconnect(_) => None,
            // What is revoked is a token's, and a token's connections are known to the shards alone.
            Instruction::Unsubscribe(_) | Instruction::Subscribe(_) | Instruction::Revoke { .. } => return,
        };
        let users = match target {
            Target::Everyone => None,
            Target::Users(users) => Some(&users[..]),
            Target::Roles(_) | Target::Connection(_) | Target::Tokens(_) => return,
        };
        let now_ms = (self.clock)().steady_ms;
        for stripe in &*self.stripes {
            let mut stripe = lock(stripe);
            let stripe = &mut *stripe;
            for (name, user) in stripe.graces.of(users, channel) {
                let Some(channel) = stripe.channels.get_mut(&name) else { continue };
                if let Some(member) = channel.presence.give_up(&user, now_ms) {
                    self.tell_left(channel, &name, member);
                }
                if channel.settle(&self.ledger, &name, now_ms) {
                    self.end(stripe, &name);
                }
            }
        }
    }

    pub(super) fn tell_left(&self, channel: &mut Channel, name: &ChannelName, member: Member) {
        if channel.presence.is_heard() {
            self.tell(channel, name, member, false);
        }
    }
}

/// The ends of grace periods, soonest first.
#[derive(Debug, Default)]
pub(super) struct Graces(BinaryHeap<Reverse<(u64, ChannelName, UserId)>>);

impl Graces {
    pub(super) fn push(&mut self, until_ms: u64, channel: ChannelName, user: UserId) {
        self.0.push(Reverse((until_ms, channel, user)));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The grace periods that run for some of the users, in one channel or in all.
    pub(super) fn of(
        &self,
        users: Option<&[UserId]>,
        channel: Option<&ChannelName>,
    ) -> Vec<(ChannelName, UserId)> {
        let meant = |name: &ChannelName, user: &UserId| {
            channel.is_none_or(|channel| channel == name) && users.is_none_or(|users| users.contains(user))
        };
        let found = self.0.iter().filter(|Reverse((_, name, user))| meant(name, user));
        found.map(|Reverse((_, name, user))| (name.clone(), user.clone())).collect()
    }

    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<(ChannelName, UserId)> {
        if self.0.peek()?.0.0 > now_ms {
            return None;
        }
        self.0.pop().map(|Reverse((_, channel, user))| (channel, user))
    }
}

//! Who is there, told to members unasked: who comes, who goes, and the list of all after a coming.

use fanfare_protocol::command::Topic;
use fanfare_protocol::dialect::Habits;
use fanfare_protocol::event::Member;
use fanfare_protocol::{ChannelName, Event};

use super::fanout::SMALL_CHANNEL_MEMBERS;
use super::{Question, Shard};
use crate::ports::broker::{Reply, ReplyTo, Request};
use crate::session::SessionKey;
use crate::timers::{Timer, TimerKind};

/// How long the members of a large channel have no further list, for each of its users: a list of all for all of them
/// costs the square of their number, and in a storm of comings there would be one after the other.
const LIST_MS_PER_USER: u64 = 1;

impl Shard {
    /// A user came into a channel, or left it.
    pub(super) fn moved(&mut self, channel: &ChannelName, member: &Member, joined: bool) {
        let Some(key) = self.by_name.get(channel).copied() else { return };
        let event = match joined {
            true => Event::Joined { channel, member },
            false => Event::Left { channel, member },
        };
        let entry = &mut self.channels[key as usize];
        let to_all = entry.namespace.join_leave;
        let hears = |habits: Habits| to_all || habits.hears_members;
        self.waiting_bytes += entry.enqueue_event(&event, &mut self.lanes, hears);
        self.schedule(key);
        if joined {
            self.want_roster(key);
        }
    }

    /// The broker has stopped telling who comes and goes, or goes on with it. Members are told once that what they know is
    /// not complete any more, and get a list that is when it is told again.
    pub(super) fn presence_told(&mut self, channel: &ChannelName, told: bool) {
        let Some(key) = self.by_name.get(channel).copied() else { return };
        let entry = &mut self.channels[key as usize];
        entry.roster.anew = told;
        if told {
            entry.roster.due = true;
        } else {
            let to_all = entry.namespace.join_leave;
            let event = Event::PresenceIncomplete { channel };
            let hears = |habits: Habits| to_all || habits.hears_members;
            self.waiting_bytes += entry.enqueue_event(&event, &mut self.lanes, hears);
        }
        self.schedule(key);
    }

    /// Somebody has come into a channel: its members get the list of all, where they expect one.
    pub(crate) fn want_roster(&mut self, key: u32) {
        let entry = &mut self.channels[key as usize];
        if entry.namespace.presence && entry.has_lane(&self.lanes, |habits| habits.hears_roster) {
            entry.roster.due = true;
            self.schedule(key);
        }
    }

    /// Asks for the list that is due, once the members have been given what came before it. One question at a time:
    /// however many come while it is under way, one more list tells of all of them.
    pub(super) fn ask_roster(&mut self, key: u32) {
        let entry = &mut self.channels[key as usize];
        if !entry.roster.due || entry.roster.asked || entry.members.is_empty() {
            return;
        }
        if self.now_ms < entry.roster.next_ms {
            if !std::mem::replace(&mut entry.roster.watched, true) {
                let due_ms = entry.roster.next_ms;
                self.timers.push(Timer { due_ms, serial: 0, key, kind: TimerKind::Roster });
            }
            return;
        }
        let Topic::Channel(channel) = entry.topic.clone() else { return };
        (entry.roster.due, entry.roster.asked) = (false, true);
        let ticket = self.ask(SessionKey::NOBODY, None, Question::Roster { channel: channel.clone() });
        let request = Request::Presence { channel, counts_only: false };
        self.broker.submit(request, ReplyTo::Shard(self.id, ticket));
    }

    /// The broker's answer. In a crowd nobody is told who comes, and there is no list either.
    pub(super) fn roster(&mut self, channel: &ChannelName, reply: &Reply) {
        let Some(key) = self.by_name.get(channel).copied() else { return };
        let entry = &mut self.channels[key as usize];
        entry.roster.asked = false;
        if let Reply::Presence(members) = reply
            && members.users <= self.settings.limits.join_leave_users_max
        {
            let event = Event::Presence { id: None, channel, members };
            let anew = std::mem::take(&mut entry.roster.anew);
            let to_all = entry.namespace.join_leave;
            let hears = |habits: Habits| habits.hears_roster || (anew && (to_all || habits.hears_members));
            self.waiting_bytes += entry.enqueue_event(&event, &mut self.lanes, hears);
            if members.users as usize > SMALL_CHANNEL_MEMBERS {
                entry.roster.next_ms = self.now_ms + u64::from(members.users) * LIST_MS_PER_USER;
            }
        }
        self.schedule(key);
    }

    /// It is time for the list that was put off.
    pub(super) fn roster_time(&mut self, key: u32) {
        // Another channel may have the key by now: then it gives what waits, if anything does.
        if let Some(entry) = self.channels.get_mut(key as usize) {
            entry.roster.watched = false;
            self.schedule(key);
        }
    }
}

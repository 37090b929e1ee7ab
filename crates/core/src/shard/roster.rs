//! Who is there, told to members unasked: who comes, who goes, and the list of all after a coming.

use fanfare_protocol::command::Topic;
use fanfare_protocol::event::Member;
use fanfare_protocol::{ChannelName, Event};

use super::{Question, Shard};
use crate::ports::broker::{Reply, ReplyTo, Request};
use crate::session::SessionKey;

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
        let hears = |habits: fanfare_protocol::dialect::Habits| to_all || habits.hears_members;
        self.waiting_bytes += entry.enqueue_event(&event, &mut self.lanes, hears);
        self.schedule(key);
        if joined {
            self.want_roster(key);
        }
    }

    /// Somebody has come into a channel: its members get the list of all, where they expect one.
    pub(crate) fn want_roster(&mut self, key: u32) {
        let entry = &mut self.channels[key as usize];
        if entry.namespace.presence && entry.has_lane(&self.lanes, |habits| habits.hears_roster) {
            entry.roster_due = true;
            self.schedule(key);
        }
    }

    /// Asks for the list that is due, once the members have been given what came before it. One question at a time:
    /// however many come while it is under way, one more list tells of all of them.
    pub(super) fn ask_roster(&mut self, key: u32) {
        let entry = &mut self.channels[key as usize];
        if !entry.roster_due || entry.roster_asked || entry.members.is_empty() {
            return;
        }
        let Topic::Channel(channel) = entry.topic.clone() else { return };
        (entry.roster_due, entry.roster_asked) = (false, true);
        let ticket = self.ask(SessionKey::NOBODY, None, Question::Roster { channel: channel.clone() });
        let request = Request::Presence { channel, counts_only: false };
        self.broker.submit(request, ReplyTo::Shard(self.id, ticket));
    }

    /// The broker's answer. In a crowd nobody is told who comes, and there is no list either.
    pub(super) fn roster(&mut self, channel: &ChannelName, reply: &Reply) {
        let Some(key) = self.by_name.get(channel).copied() else { return };
        let entry = &mut self.channels[key as usize];
        entry.roster_asked = false;
        if let Reply::Presence(members) = reply
            && members.users <= self.settings.limits.join_leave_users_max
        {
            let event = Event::Presence { id: None, channel, members };
            let grown = entry.enqueue_event(&event, &mut self.lanes, |habits| habits.hears_roster);
            self.waiting_bytes += grown;
        }
        self.schedule(key);
    }
}

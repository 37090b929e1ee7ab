//! What is delivered and has no offset of its own: who came and went, kept beside the history, and what only passes by.

use fanfare_protocol::dialect::Habits;
use fanfare_testkit::{Setup, check_with};

/// The clients of `e` have one room, whose history is two messages long.
fn short_history(setup: &mut Setup) {
    setup.habits[1] = Habits { one_room: true, posts_entries: true, history_on_join: 2, ..Habits::default() };
    setup.fallback.history_size = 2;
}

/// Who came and went often enough left none of the messages that the backend had published.
#[test]
fn comings_and_goings_never_displace_messages() {
    check_with(
        short_history,
        "open eve
         api publish room 1
         api> published A.1
         api publish room 2
         api> published A.2
         open ann lane=e room=room
         ann> subscribed room A.2 replayed=2
         ann> message room A.1 1
         ann> message room A.2 2
         ann> join room A.2+ ann joined the room
         ann cut
         open bob lane=e room=room
         bob> subscribed room A.2 replayed=2
         bob> message room A.1 1
         bob> message room A.2 2
         bob> join room A.2+ ann joined the room
         bob> leave room A.2+ ann left the room
         bob> join room A.2+ bob joined the room
         bob cut
         eve: history #1 room
         eve> history #1 room A.2 [A.1 1, A.2 2, A.2+ bob joined the room, A.2+ bob left the room]
         eve: subscribe #2 room recover=A.1
         eve> subscribed #2 room A.2 recovered=true replayed=1
         eve> message room A.2 2
         eve> join room A.2+ bob joined the room
         eve> leave room A.2+ bob left the room",
    );
}

/// It belongs to the message it follows: a page has both or neither, and whoever has the message is given neither again.
#[test]
fn a_page_of_history_has_each_coming_and_going_once() {
    check_with(
        |setup| {
            short_history(setup);
            setup.fallback.history_size = 10;
        },
        "open eve
         open ann lane=e room=room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room
         api publish room 1
         ann> message room A.1 1
         api> published A.1
         open bob lane=e room=room
         ann> join room A.1+ bob joined the room
         bob> subscribed room A.1 replayed=1
         bob> join room A.0+ ann joined the room
         bob> message room A.1 1
         bob> join room A.1+ bob joined the room
         api publish room 2
         ann> message room A.2 2
         bob> message room A.2 2
         api> published A.2
         ann cut
         bob> leave room A.2+ ann left the room
         eve: history #1 room limit=1
         eve> history #1 room A.2 [A.0+ ann joined the room, A.1 1, A.1+ bob joined the room] more
         eve: history #2 room limit=1 since=A.1
         eve> history #2 room A.2 [A.2 2, A.2+ ann left the room]
         eve: history #3 room limit=1 since=A.2
         eve> history #3 room A.2 []
         eve: history #4 room limit=1 reverse
         eve> history #4 room A.2 [A.2+ ann left the room, A.2 2] more
         eve: history #5 room limit=1 since=A.2 reverse
         eve> history #5 room A.2 [A.1+ bob joined the room, A.1 1, A.0+ ann joined the room]
         eve: history #6 room limit=0
         eve> history #6 room A.2 [] more
         eve: subscribe #7 room recover=A.0
         eve> subscribed #7 room A.2 recovered=true replayed=2
         eve> message room A.1 1
         eve> join room A.1+ bob joined the room
         eve> message room A.2 2
         eve> leave room A.2+ ann left the room
         eve: unsubscribe #8 room
         eve> unsubscribed #8 room
         eve: subscribe #9 room history=1
         eve> subscribed #9 room A.2 replayed=1
         eve> message room A.2 2
         eve> leave room A.2+ ann left the room",
    );
}

#[test]
fn comings_and_goings_expire_with_the_messages() {
    check_with(
        |setup| {
            short_history(setup);
            setup.fallback.history_ttl_ms = 60_000;
        },
        "open eve
         open ann lane=e room=room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room
         wait 59000
         eve: history #1 room
         eve> history #1 room A.0 [A.0+ ann joined the room]
         wait 1000
         eve: history #2 room
         eve> history #2 room A.0 []",
    );
}

#[test]
fn nothing_is_kept_beside_no_history() {
    check_with(
        |setup| {
            short_history(setup);
            setup.fallback.history_size = 0;
        },
        "open ann lane=e room=room
         ann> subscribed room A.0 replayed=0
         ann> join room A.0+ ann joined the room
         open bob lane=e room=room
         ann> join room A.0+ bob joined the room
         bob> subscribed room A.0 replayed=0
         bob> join room A.0+ bob joined the room",
    );
}

/// A client's own word for what is no message, such as that it types.
#[test]
fn what_passes_by_is_delivered_and_neither_numbered_nor_kept() {
    check_with(
        short_history,
        "open ann
         ann: subscribe #1 room
         ann> subscribed #1 room A.0 replayed=0
         open bob
         bob: publish #1 room 1
         ann> message room A.1 1
         bob> published #1 A.1
         bob: publish #2 room soon word=typing
         ann> typing room A.1+ soon
         bob> published #2 A.1
         bob: publish #3 room 2
         ann> message room A.2 2
         bob> published #3 A.2
         ann: history #4 room
         ann> history #4 room A.2 [A.1 1, A.2 2]",
    );
}

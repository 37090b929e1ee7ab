//! Pings, dead peers, unfinished messages, blocked writes, the close handshake, and draining.

use fanfare_testkit::{Bench, Setup, check};

#[test]
fn a_peer_that_answers_pings_stays() {
    check(
        "open ann
         wait 300000
         ann: ping #1
         ann> pong #1",
    );
}

#[test]
fn a_dead_peer_is_closed_after_a_ping() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann silent");
    // The first ping is spread over the interval.
    bench.wait(25_100);
    assert_eq!(bench.clients[0].take_lines().first().map(String::as_str), Some("PING"));
    bench.wait(8_000);
    bench.settle();
    let words = bench.clients[0].take_lines();
    assert!(words.is_empty() || words == ["disconnect 4010 reconnect=0", "CLOSE 4010"], "{words:?}");
    bench.wait(3_000);
    assert!(bench.clients[0].key.is_none(), "the connection was not dropped");
    bench.end();
}

#[test]
fn any_sign_of_life_answers_a_ping() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann silent");
    for _ in 0..40 {
        bench.wait(5_000);
        bench.run_quietly("ann heard");
    }
    assert!(bench.clients[0].key.is_some());
    bench.end();
}

#[test]
fn first_pings_are_spread_over_the_interval() {
    let mut bench = Bench::new(&Setup::default());
    for index in 0..1000 {
        bench.open_user(&format!("u{index}"), index % 2);
    }
    let mut most = 0;
    let mut pinged = 0;
    for _ in 0..25 {
        bench.wait(1_000);
        let count = (0..1000).filter(|index| bench.clients[*index].pings > 0).count();
        most = most.max(count - pinged);
        pinged = count;
    }
    bench.wait(100);
    assert!(bench.clients.iter().all(|client| client.pings >= 1), "someone was not pinged");
    assert!(most <= 80, "{most} of 1000 first pings in one second of 25");
    bench.end();
}

/// The ping itself waited behind what the peer was still reading, so that a peer on a slow line was taken for dead
/// while every byte it could take was taken.
#[test]
fn a_peer_that_has_not_got_the_ping_yet_is_not_dead() {
    let mut bench = Bench::new(&Setup::default());
    let data = "x".repeat(60_000);
    bench.run("open ann\nann: subscribe x\nann> subscribed x A.0 replayed=0\nann blocks");
    bench.run(&format!("api publish x {data}\napi> published A.1"));
    for _ in 0..59 {
        bench.wait(1_000);
        bench.give_room(0, 1000);
    }
    assert!(bench.clients[0].key.is_some(), "the connection was dropped");
    bench.run(&format!("ann reads\nann> message x A.1 {data}"));
    bench.wait(60_000);
    bench.run("ann: ping #1\nann> pong #1");
    bench.end();
}

/// Deadlines are looked at before sockets are read. After a pause of the whole machine every answer lay there
/// unread, and every client was closed for not having answered.
#[test]
fn a_server_that_was_asleep_does_not_blame_its_peers() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann silent");
    bench.run_quietly("ann begins");
    while bench.clients[0].pings == 0 {
        bench.wait(100);
        bench.clients[0].was_pinged();
    }
    bench.skip(60_000);
    bench.settle();
    bench.run_quietly("ann heard");
    bench.wait(10_000);
    assert!(bench.clients[0].key.is_some());
    assert!(bench.clients[0].take_lines().iter().all(|line| line == "PING"), "the peer was closed");
    bench.end();
}

#[test]
fn a_write_that_makes_no_progress_is_given_up() {
    check(
        "open ann silent
         ann takes 3
         ann: ping #1
         wait 9900
         ann heard
         wait 200
         ann reads
         ann> pong #1
         ann> disconnect 4011 reconnect=0
         ann> CLOSE 4011
         wait 3000
         ann> GONE",
    );
}

#[test]
fn a_slow_write_that_makes_progress_is_not_given_up() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nann blocks\nann: ping #12345678901234567890");
    for _ in 0..4 {
        bench.wait(9_000);
        bench.run("ann heard\nann takes 2");
    }
    bench.run("ann reads\nann> pong #12345678901234567890");
    bench.end();
}

#[test]
fn a_message_that_is_not_finished_in_time_ends_the_connection() {
    check(
        "open ann
         ann begins
         wait 29999
         wait 1
         ann> disconnect 4007 reconnect=0
         ann> CLOSE 4007
         ann> GONE
         open bob
         bob begins
         wait 20000
         bob heard
         wait 20000
         bob begins
         wait 20000
         bob: ping #1
         bob> pong #1",
    );
}

/// The clock of an unfinished message ran on from one message to the next when every read ended within one: a
/// client that sent without a pause was closed after 30 seconds, all of its messages finished.
#[test]
fn a_busy_sender_whose_reads_end_within_messages_is_not_late() {
    let mut setup = Setup::default();
    setup.settings.deadlines.unfinished_message_ms = 10_000;
    let mut bench = Bench::new(&setup);
    bench.run("open ann");
    for id in 0..50 {
        bench.wait(1_000);
        bench.run(&format!("ann: ping #{id} unfinished\nann> pong #{id}"));
    }
    bench.end();
}

#[test]
fn a_close_that_is_not_answered_is_not_waited_for_long() {
    check(
        "open ann silent
         api disconnect users=ann 4000
         ann> disconnect 4000
         ann> CLOSE 4000
         wait 2999
         wait 1
         ann> GONE",
    );
}

#[test]
fn draining_is_spread_and_newcomers_are_sent_on_at_once() {
    let mut bench = Bench::new(&Setup::default());
    for index in 0..100 {
        bench.open_user(&format!("u{index}"), index % 2);
    }
    bench.run_quietly("drain");
    let mut left = 100;
    for _ in 0..25 {
        bench.wait(1_000);
        let now = bench.clients.iter().filter(|client| client.key.is_some()).count();
        assert!(left - now <= 6, "{} of 100 in one second of 25", left - now);
        left = now;
    }
    bench.wait(1_000);
    assert_eq!(bench.clients.iter().filter(|client| client.key.is_some()).count(), 0);
    let lines = bench.clients[0].take_lines();
    assert_eq!(lines, ["disconnect 1012 reconnect=0", "CLOSE 1012"]);
    bench.open_user("late", 0);
    bench.settle();
    assert_eq!(bench.clients[100].take_lines(), ["disconnect 1012 reconnect=0", "CLOSE 1012"]);
    bench.end();
}

#[test]
fn draining_an_empty_node_is_no_trouble() {
    check("drain\nwait 30000");
    check("restart 1000 5000\nwait 30000");
}

/// A node that stands alone told its clients bit by bit, over 25 seconds, to go elsewhere: to itself.
#[test]
fn a_node_that_starts_again_tells_all_at_once_when_to_come_back() {
    let mut bench = Bench::new(&Setup::default());
    for index in 0..100 {
        bench.open_user(&format!("u{index}"), index % 2);
    }
    bench.run_quietly("restart 1000 10000");
    bench.wait(1);
    assert_eq!(bench.clients.iter().filter(|client| client.key.is_some()).count(), 0);
    let mut waits: Vec<u32> = Vec::new();
    for client in &mut bench.clients {
        let lines = client.take_lines();
        let [farewell, close] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(close, "CLOSE 1012");
        waits.push(farewell.strip_prefix("disconnect 1012 reconnect=").unwrap().parse().unwrap());
    }
    waits.sort_unstable();
    assert!(waits[0] >= 1000 && waits[99] <= 11_000 && waits[99] > 10_000, "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[1] - pair[0] < 1000), "{waits:?}");
    bench.end();
}

/// What such a node acknowledged after the signal lay in a history that was about to be lost.
#[test]
fn a_node_that_starts_again_refuses_what_is_published_and_answers_what_was() {
    check(
        "open ann
         hold
         ann: publish #1 a 1
         restart 1000 0
         ann: publish #2 a 2
         ann> error #2 draining after=1000
         ann: message a 3
         ann> error draining after=1000
         wait 5
         release
         ann> published #1 A.1
         wait 20
         ann> disconnect 1012 reconnect=1000
         ann> CLOSE 1012
         ann> GONE",
    );
}

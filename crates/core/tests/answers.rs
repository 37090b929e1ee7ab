//! Answers of a broker that come twice, late, or to another question than was asked.

use fanfare_core::ports::broker::{Delivery, Reply, Ticket};
use fanfare_protocol::{Epoch, ErrorCode, Position};
use fanfare_testkit::{Bench, Setup};

/// Questions were named by their slot, which the next question got: an answer that came again was taken for the answer to
/// that one, and somebody else read it.
#[test]
fn an_answer_that_comes_again_reaches_nobody_else() {
    let mut bench = Bench::new(&Setup::default());
    bench.run(
        "open ann
         open bob
         api publish secret 1
         api> published A.1
         hold
         ann: history #1 secret",
    );
    let [ticket] = bench.tickets(0)[..] else { panic!("{:?}", bench.tickets(0)) };
    let Some(Delivery::Reply(_, Reply::History(page))) = bench.take_first(0) else { panic!("no page") };
    bench.push_first(0, Delivery::Reply(ticket, Reply::History(page.clone())));
    bench.deliver_one(0);
    bench.run("bob: history #1 own\nann> history #1 secret A.1 [A.1 1]");
    bench.push_first(0, Delivery::Reply(ticket, Reply::History(page)));
    bench.run("release\nbob> history #1 own B.0 []");
    bench.end();
}

/// A broker that answers twice, late, or another question must not bring a shard down.
#[test]
fn odd_answers_of_a_broker_are_survived() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nhold\nann: publish #1 x 1\nann: presence #2 x\nann: subscribe #3 x");
    let position = Position { epoch: Epoch(1), offset: 1 };
    let [publish, presence, _] = bench.tickets(0)[..] else { panic!("{:?}", bench.tickets(0)) };
    bench.deliver_one(0);
    bench.push(0, Delivery::Reply(Ticket(u64::MAX), Reply::Done));
    bench.push(0, Delivery::Reply(Ticket(77), Reply::Failed(ErrorCode::Unavailable)));
    bench.push(0, Delivery::Reply(publish, Reply::Published { position, duplicate: false }));
    bench.push(0, Delivery::Answer(Ticket(99), Ok(None)));
    bench.run_quietly("release");
    bench.clients[0].take_lines();
    bench.push(0, Delivery::Reply(presence, Reply::Done));
    bench.run("ann: ping #4\nann> pong #4");
    bench.end();
}

#[test]
fn a_broker_that_fails_leaves_the_session_as_it_was() {
    let mut bench = Bench::new(&Setup::default());
    bench.run("open ann\nhold\nann: subscribe #1 x\nann: publish #2 y 1\nann: history #3 y");
    for ticket in bench.tickets(0).into_iter().rev() {
        bench.push_first(0, Delivery::Reply(ticket, Reply::Failed(ErrorCode::Unavailable)));
    }
    bench.run(
        "release
         ann> error #1 unavailable
         ann> error #2 unavailable
         ann> error #3 unavailable
         ann: unsubscribe #4 x
         ann> error #4 not_subscribed",
    );
    assert_eq!(bench.census()[0].topics, 0);
}

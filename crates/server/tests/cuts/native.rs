//! The Rust client, which has no session and recovers each channel from its history.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_client::{Backoff, Client, Event, Options, Publication, SubscribeOptions, Subscription};
use fanfare_testkit::history::Place;

use crate::Outcome;
use crate::ear::Ear;
use crate::report::Tally;
use crate::run::{Progress, Visitor};
use crate::voice::Voice;

/// Listens and speaks until the last message of each channel has come.
pub(crate) async fn run(
    address: SocketAddr,
    back_off: Duration,
    mut ears: Vec<Ear>,
    mut voice: Voice,
    mut progress: Progress,
) -> Outcome<Visitor> {
    let backoff = Backoff { shortest: back_off, longest: back_off * 4 };
    let options = Options { backoff, ..Options::default() };
    // With a user of its own: the keys of an anonymous client are those of one connection, and it publishes again on many.
    let url = format!("ws://{address}/ws?user={}", voice.channel);
    let client = Client::connect(&url, options).await.map_err(|e| e.to_string())?;
    let mut subscriptions = Vec::new();
    for ear in &mut ears {
        let subscribed = client.subscribe(&ear.channel, SubscribeOptions::default()).await;
        let subscription = subscribed.map_err(|error| error.to_string())?;
        let position = subscription.reply().position.ok_or("a channel without a place")?;
        ear.subscribed(Place { epoch: position.epoch.0, offset: position.offset }, None)?;
        subscriptions.push(subscription);
    }
    progress.ready();
    let [of_room, of_own] = &mut subscriptions[..] else { return Err("not two channels".to_owned()) };
    let [room, own] = &mut ears[..] else { return Err("not two channels".to_owned()) };
    let mut cuts = 0;
    let cut = || {
        cuts += 1;
        progress.tested();
    };
    tokio::try_join!(follow(of_room, room, cut), follow(of_own, own, || {}), speak(&client, &mut voice))?;
    client.close().await;
    Ok(Visitor { ears, voice, tally: Tally { cuts, ..Tally::default() } })
}

/// Listens to the end of a channel, and tells of every interruption.
async fn follow(subscription: &mut Subscription, ear: &mut Ear, mut cut: impl FnMut()) -> Outcome<()> {
    while !ear.is_done {
        match subscription.next().await {
            Some(Event::Message(message)) => {
                let offset = message.offset.ok_or("a message without a place")?;
                ear.delivered(offset, &message.json::<String>().map_err(|error| error.to_string())?)?;
            }
            Some(Event::Recovered) => {
                cut();
                let place = ear.place.ok_or("recovered before it was there")?;
                ear.subscribed(place, Some(true))?;
            }
            other => return Err(format!("{}: {other:?}", ear.channel)),
        }
    }
    Ok(())
}

/// Publishes under a key, and again whenever the outcome is not known.
async fn speak(client: &Client, voice: &mut Voice) -> Outcome<()> {
    while let Some(batch) = voice.next().await {
        for text in &batch.texts {
            let publication = Publication::text(text).idempotency_key(text).echo();
            let position = loop {
                match client.publish(&voice.channel, publication.clone()).await {
                    Ok(receipt) => break receipt.position,
                    Err(error) if error.retry() || error.is_unknown() => {}
                    Err(error) => return Err(format!("{}: {error}", voice.channel)),
                }
            };
            let place = Place { epoch: position.epoch.0, offset: position.offset };
            voice.taken(&batch, text, Some(place));
        }
    }
    Ok(())
}

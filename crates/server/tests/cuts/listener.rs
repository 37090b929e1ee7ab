//! An EventSource without a session, and beside it somebody who publishes over the same line by the API.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use tokio::sync::watch;

use crate::Outcome;
use crate::backend::Backend;
use crate::ear::{Ear, hear};
use crate::events::Events;
use crate::line::{Line, Stop, body, open, request};
use crate::report::Tally;
use crate::run::{Progress, Visitor};
use crate::session::attempts;
use crate::voice::Voice;

/// Listens and speaks until the last message of each channel has come.
pub(crate) async fn run(
    address: SocketAddr,
    back_off: Duration,
    mut ears: Vec<Ear>,
    mut voice: Voice,
    backend: Backend,
    mut progress: Progress,
) -> Outcome<Visitor> {
    let (listens, listening) = watch::channel(false);
    let (cuts, ()) = tokio::try_join!(
        listen(address, back_off, &mut ears, &mut progress, &listens),
        speak(address, back_off, &mut voice, &backend, listening),
    )?;
    Ok(Visitor { ears, voice, tally: Tally { cuts, ..Tally::default() } })
}

async fn listen(
    address: SocketAddr,
    back_off: Duration,
    ears: &mut [Ear],
    progress: &mut Progress,
    listens: &watch::Sender<bool>,
) -> Outcome<u32> {
    let channels: Vec<&str> = ears.iter().map(|ear| &*ear.channel).collect();
    let target = format!("/sse?channels={}", channels.join(","));
    let (mut attempts, mut last_id, mut cuts) = (attempts(back_off), String::new(), 0);
    loop {
        attempts.tick().await;
        let mut builder = request(Method::GET, &target);
        if !last_id.is_empty() {
            builder = builder.header("last-event-id", &last_id);
        }
        let mut response = match open(address, body(builder, "text/plain", String::new())).await {
            Ok(response) => response,
            Err(Stop::Broken) => continue,
            Err(stop) => return Err(format!("{last_id:?}: {stop}")),
        };
        let mut events = Events::default();
        while let Some(Ok(frame)) = response.frame().await {
            let mut read = Vec::new();
            events.read(&frame.into_data().unwrap_or_default(), &mut read);
            for event in read {
                if event.name != "message" {
                    return Err(format!("{event:?}"));
                }
                last_id = event.id;
                let message = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
                hear(ears, &message)?;
            }
            if ears.iter().all(|ear| ear.place.is_some()) {
                progress.ready();
                listens.send_replace(true);
            }
            if ears.iter().all(|ear| ear.is_done) {
                return Ok(cuts);
            }
        }
        cuts += 1;
        progress.tested();
    }
}

async fn speak(
    address: SocketAddr,
    back_off: Duration,
    voice: &mut Voice,
    backend: &Backend,
    mut listening: watch::Receiver<bool>,
) -> Outcome<()> {
    listening.wait_for(|listening| *listening).await.map_err(|error| error.to_string())?;
    let (mut line, mut attempts) = (Line::new(address), attempts(back_off));
    while let Some(batch) = voice.next().await {
        for text in &batch.texts {
            let place = loop {
                match backend.publish(&mut line, &voice.channel, text).await {
                    Ok(place) => break place,
                    Err(Stop::Broken) => _ = attempts.tick().await,
                    Err(stop) => return Err(format!("{}: {stop}", voice.channel)),
                }
            };
            voice.taken(&batch, text, Some(place));
        }
    }
    Ok(())
}

//! The operations, and the table of them.

mod batch;
mod broadcast;
mod channels;
mod connections;
mod counts;
mod disconnect;
mod history;
mod presence;
mod presence_counts;
mod publish;
mod revoke;
mod send;
mod subscribe;
mod unsubscribe;
mod users;

use std::sync::LazyLock;

use serde::Serialize;
use utoipa::ToSchema;

use super::operation::Route;

pub(super) use disconnect::CLOSING_CODES;

/// Every operation there is.
pub(super) fn routes() -> &'static [Route] {
    &ROUTES
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    vec![
        Route::of::<publish::Publish>(),
        Route::of::<broadcast::Broadcast>(),
        Route::of::<send::Send>(),
        Route::of::<batch::Batch>(),
        Route::of::<history::History>(),
        Route::of::<presence::Presence>(),
        Route::of::<presence_counts::PresenceCounts>(),
        Route::of::<channels::Channels>(),
        Route::of::<users::Users>(),
        Route::of::<connections::Connections>(),
        Route::of::<subscribe::Subscribe>(),
        Route::of::<unsubscribe::Unsubscribe>(),
        Route::of::<disconnect::Disconnect>(),
        Route::of::<revoke::Revoke>(),
        Route::of::<counts::Counts>(),
    ]
});

/// The reply of an operation that has nothing to tell: it is on its way.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {}

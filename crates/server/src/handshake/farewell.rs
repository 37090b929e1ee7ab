//! A refusal that a browser shows to its page. Of a handshake that fails it tells the page nothing but that it failed, so a
//! page whose token has expired tries again for ever. Where it is wanted, a WebSocket whose token is not good is opened all
//! the same, hears the error as after a bad first message, and is closed.

use std::net::IpAddr;

use fanfare_core::auth::Identity;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::dialect::excerpt;
use http::request;

use super::identity::Identified;
use super::query::Query;
use super::{Admitted, Asked, Door, Refusal};
use crate::config::AuthErrors;

impl Door {
    /// Whether the client may connect; if it is only its token that is not good, it may to hear so.
    pub(super) async fn admit_or_tell(
        &self,
        head: &request::Parts,
        offered: &[String],
        asked: Asked,
        query: Query,
        address: Option<IpAddr>,
    ) -> Result<Admitted, Refusal> {
        let errors = match query.errors.as_deref() {
            None => self.auth.errors,
            Some("status") => AuthErrors::Status,
            Some("close") => AuthErrors::Close,
            Some(other) => {
                let text = format!("\"errors\" is \"status\" or \"close\", and not \"{}\"", excerpt(other));
                return Err(Refusal { code: ErrorCode::InvalidField, text });
            }
        };
        let refusal = match self.admit_asked(head, offered, &asked, query, address).await {
            Err(refusal) if errors == AuthErrors::Close && refusal.code.http_status() == 401 => refusal,
            decided => return decided,
        };
        // It is no connection that anybody has: its seat is free again. How many there are has a bound of its own.
        let Some(seat) = self.admission.farewell() else { return Err(refusal) };
        self.note_refusal(refusal.code, head, address);
        let Asked { spoken, room, subprotocol } = asked;
        let identified =
            Identified { identity: Identity::default(), must_authenticate: true, by_token: false };
        let refused = Some((refusal.code, refusal.text.into()));
        Ok(Admitted { spoken, room, subprotocol, identified, seat, refused })
    }
}

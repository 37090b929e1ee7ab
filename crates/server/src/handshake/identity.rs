//! Who wants to connect: by their token, by what they say where that is believed, and by what the application decides.

use std::net::IpAddr;

use fanfare_auth::Verified;
use fanfare_core::auth::Identity;
use fanfare_core::ports::authority::Authority as _;
use fanfare_protocol::command::Secret;
use fanfare_protocol::{ChannelName, ErrorCode, UserId};
use http::request;

use super::{Door, Refusal};
use crate::admission::users::Arriving;
use crate::authority::Refused;
use crate::clock::unix_ms;
use crate::config::AuthMode;
use crate::handlers::{ConnectRequest, HandlerError};

/// What a request says of who it comes from.
pub(super) struct Claimed {
    /// The token that came with it.
    pub(super) token: Option<Secret>,
    /// The user's id, with nothing to show for it.
    pub(super) user: Option<String>,
    /// The room it named, where its dialect knows but one.
    pub(super) room: Option<ChannelName>,
    /// Whether it may come from another host than its peer is on.
    pub(super) from_elsewhere: bool,
}

/// Who it comes from.
pub(crate) struct Identified {
    pub(crate) identity: Identity,
    /// Whether it still has to show who it is, with its first message.
    pub(crate) must_authenticate: bool,
    /// Whether a token said who it comes from.
    pub(crate) by_token: bool,
}

impl From<Refused> for Refusal {
    fn from((code, text): Refused) -> Self {
        Self { code, text }
    }
}

impl Door {
    /// Finds out who a request comes from, and takes their place.
    pub(super) async fn identify(
        &self,
        head: &request::Parts,
        claimed: Claimed,
        address: Option<IpAddr>,
    ) -> Result<Identified, Refusal> {
        let (mut identity, by_token) = match &claimed.token {
            Some(token) if self.authority.takes_tokens() => (self.bearer(token).await?, true),
            // Without a verifier, what looks like a token may be the connect handler's affair.
            Some(_) if !self.application.decides_connections() => {
                return Err(ErrorCode::AuthenticationDisabled.into());
            }
            _ => (self.stated(&claimed)?, false),
        };
        let mut authenticated = by_token;
        let request = ConnectRequest::new(head, address, claimed.room.clone(), identity.clone());
        if let Some(decision) = self.application.connect(request).await {
            identity = decision.map_err(|HandlerError { code, text }| Refusal { code, text })?;
            authenticated |= identity.user.is_some() || identity.standing.is_some();
            if claimed.token.is_none()
                && let Some(standing) = &mut identity.standing
            {
                // The application vouches for them now: who was revoked before is its business.
                standing.issued_unix_ms.get_or_insert_with(unix_ms);
            }
        }
        let must_authenticate = self.auth.mode == AuthMode::Required && !authenticated;
        if must_authenticate && !self.authority.takes_tokens() {
            return Err(ErrorCode::AuthenticationRequired.into());
        }
        identity.place = match &identity.user {
            Some(user) => Some(self.authority.place(user, Arriving::Anew)?),
            None => None,
        };
        Ok(Identified { identity, must_authenticate, by_token })
    }

    async fn bearer(&self, token: &Secret) -> Result<Identity, Refusal> {
        let Verified { user, standing } = self.authority.bearer(token.expose()).await?;
        Ok(Identity { user, standing: Some(Box::new(standing)), place: None })
    }

    /// The user that a request names without any proof.
    fn stated(&self, claimed: &Claimed) -> Result<Identity, Refusal> {
        let Some(user) = &claimed.user else { return Ok(Identity::default()) };
        if self.auth.mode != AuthMode::Open {
            // A connect handler may make something of it.
            if self.application.decides_connections() {
                return Ok(Identity::default());
            }
            let text = "\"?user=\" is believed only where auth.mode is \"open\": connect with a token";
            return Err(Refusal { code: ErrorCode::PermissionDenied, text: text.to_owned() });
        }
        if claimed.from_elsewhere {
            let text = "\"?user=\" is not believed of what came through a proxy, or was sent to another name than \
                localhost: connect with a token";
            return Err(Refusal { code: ErrorCode::PermissionDenied, text: text.to_owned() });
        }
        let user = UserId::new(user).map_err(|error| Refusal {
            code: ErrorCode::InvalidField,
            text: format!("\"user\" is not a valid user id: {error}"),
        })?;
        Ok(Identity::of(user))
    }
}

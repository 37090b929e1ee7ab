//! The messages that say who is there: `{"type":"auth","token":T}`, or bare `{"token":T}`.

use fanfare_json::failure::{Checked, Failure};
use fanfare_json::fields;
use fanfare_json::members::RawValue;
use fanfare_protocol::{Command, RequestId};

/// The command that a token is; `member` is where it stands.
pub(crate) fn authenticate(
    member: &str,
    token: Option<&RawValue>,
    id: &mut Option<RequestId>,
) -> Checked<Command> {
    let token = fields::secret(member, token)?.ok_or_else(|| Failure::missing(member))?;
    Ok(Command::Authenticate { id: id.take(), token })
}

/// Whether a message is bare: no type, but a token.
pub(crate) fn is_bare(kind: Option<&RawValue>, token: Option<&RawValue>) -> bool {
    fields::given(kind).is_none() && fields::given(token).is_some()
}

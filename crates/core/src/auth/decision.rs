//! Rules, names and grants together.

use fanfare_protocol::UserId;
use fanfare_protocol::command::Topic;

use super::{Access, Grant, Identity, Operation, Rules};

/// Why something is not allowed: the rule that would have to admit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// What was asked.
    pub operation: Operation,
    /// What it would take.
    pub needs: Needs,
}

/// What would have to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A user.
    User,
    /// A subscription to the channel.
    Membership,
    /// One of the rule's roles.
    Role,
    /// A token that names the channel, as the rule says.
    Token,
    /// A token that names the channel, because its name makes it private.
    Private,
    /// To be one of the users that the name is for, or a token.
    Named,
    /// To be the backend.
    Backend,
}

impl Denial {
    /// Whether a token or the application could still allow it.
    pub fn can_be_granted(self) -> bool {
        self.needs != Needs::Backend
    }

    /// The rule, for people. It names no secret and nothing that the client did not say.
    pub fn text(self) -> String {
        let operation = self.operation.as_str();
        let needs = match self.needs {
            Needs::User => "asks for a user who is authenticated",
            Needs::Membership => "asks for a subscription to the channel",
            Needs::Role => "asks for a role that the connection does not have",
            Needs::Token => "asks for a token that names the channel",
            Needs::Backend => "admits the backend only",
            Needs::Private => {
                return format!("\"{operation}\" takes a token that names this private channel");
            }
            Needs::Named => {
                return format!(
                    "\"{operation}\" is for the users in the channel's name, and for a token that names the channel"
                );
            }
        };
        format!("the namespace's rule for \"{operation}\" {needs}")
    }
}

/// Whether a connection may carry out an operation on all that a topic stands for. `given` are grants that it was given
/// beside those of its credential; `is_member` is whether it is subscribed to the topic.
///
/// # Errors
/// With the rule that stands against it.
pub fn decide(
    rules: &Rules,
    identity: &Identity,
    given: &[Grant],
    operation: Operation,
    topic: &Topic,
    is_member: bool,
) -> Result<(), Denial> {
    let rule = rules.of(operation);
    let denied = |needs| Err(Denial { operation, needs });
    // What is the backend's alone cannot be given away.
    if *rule == Access::Nobody {
        return denied(Needs::Backend);
    }
    if identity.grants().iter().chain(given).any(|grant| grant.allows(operation, topic)) {
        return Ok(());
    }
    // A name only narrows: otherwise who invents one could open a namespace with it.
    if let Topic::Channel(channel) = topic {
        if let Some(users) = rules.privacy.users(channel.as_str())
            && !names(users, identity.user.as_ref())
        {
            return denied(Needs::Named);
        }
        if rules.privacy.is_private(channel.as_str()) {
            return denied(Needs::Private);
        }
    }
    let (admitted, needs) = match rule {
        Access::Everyone => (true, Needs::Token),
        Access::Authenticated => (identity.user.is_some(), Needs::User),
        Access::Members => (is_member, Needs::Membership),
        Access::Roles(roles) => (identity.roles().iter().any(|role| roles.contains(role)), Needs::Role),
        Access::Token | Access::Nobody | Access::Subscribers => (false, Needs::Token),
    };
    if admitted { Ok(()) } else { denied(needs) }
}

/// Whether the list, as it stands in a channel's name, has this user in it. A user whose id has a comma is in no list: the
/// id cannot be told from two others.
fn names(users: &str, user: Option<&UserId>) -> bool {
    user.is_some_and(|user| users.split(',').any(|named| named == user.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "#a,b" is for two users. One whose id is "a,b" is neither of them.
    #[test]
    fn an_id_with_a_comma_is_in_no_list() {
        let user = |id: &str| UserId::new(id).unwrap();
        for (list, id, wanted) in [
            ("a,b", "a", true),
            ("a,b", "b", true),
            ("a,b", "a,b", false),
            ("a,b,c", "a,b", false),
            ("a,b", ",", false),
            ("a", "b", false),
        ] {
            assert_eq!(names(list, Some(&user(id))), wanted, "{id} in {list}");
        }
        assert!(!names("a,b", None) && !names("", None));
    }
}

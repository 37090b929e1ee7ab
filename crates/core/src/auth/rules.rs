//! What a namespace says about who may do what in its channels.

use super::Operation;

/// Who may carry out an operation, as a namespace's rule says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// Every connection, anonymous ones too.
    Everyone,
    /// Every connection that has a user.
    Authenticated,
    /// Every connection that is subscribed to the channel.
    Members,
    /// Every connection that has one of these roles.
    Roles(Box<[Box<str>]>),
    /// Only who was given it: by a token, or by the application.
    Token,
    /// The backend, and no client whatever it was given.
    Nobody,
    /// Whoever the namespace's rule for `subscribe` admits.
    Subscribers,
}

/// The rules of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who may subscribe; neither [`Access::Members`] nor [`Access::Subscribers`].
    pub subscribe: Access,
    /// Who may publish.
    pub publish: Access,
    /// Who may see history, also along with a subscription, asked for or not, and recover.
    pub history: Access,
    /// Who may see presence, and hears of who comes and goes.
    pub presence: Access,
    /// Which names are private, whatever the rules say.
    pub privacy: Privacy,
}

/// Names that make a channel private.
///
/// A name is private when what follows its namespace begins with `prefix`, as in `chat:$board`: then it takes a grant.
/// It is bound to users when it has `boundary` in it, as in `chat:talk#ann,bob`: what follows the first one is the list
/// of their ids, and only they are admitted, if the rule admits them. A name only ever narrows what a rule admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// What private names begin with; empty makes none private.
    pub prefix: Box<str>,
    /// What separates a name from the users it is for; empty binds none.
    pub boundary: Box<str>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            subscribe: Access::Everyone,
            publish: Access::Subscribers,
            history: Access::Subscribers,
            presence: Access::Subscribers,
            privacy: Privacy::default(),
        }
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self { prefix: "$".into(), boundary: "#".into() }
    }
}

impl Rules {
    /// The rule for an operation, [`Access::Subscribers`] resolved.
    pub fn of(&self, operation: Operation) -> &Access {
        let rule = match operation {
            Operation::Subscribe => &self.subscribe,
            Operation::Publish => &self.publish,
            Operation::History => &self.history,
            Operation::Presence => &self.presence,
        };
        if *rule == Access::Subscribers { &self.subscribe } else { rule }
    }
}

impl Privacy {
    /// Whether the name is private by its beginning.
    pub fn is_private(&self, channel: &str) -> bool {
        !self.prefix.is_empty() && local(channel).starts_with(&*self.prefix)
    }

    /// The ids of the users that the name is bound to; none if it is bound to nobody.
    pub fn users<'c>(&self, channel: &'c str) -> Option<&'c str> {
        if self.boundary.is_empty() {
            return None;
        }
        local(channel).split_once(&*self.boundary).map(|(_, users)| users)
    }

    /// Whether nothing but a grant or being named opens the channel.
    pub fn is_restricted(&self, channel: &str) -> bool {
        self.is_private(channel) || self.users(channel).is_some()
    }
}

/// The name without its namespace.
fn local(channel: &str) -> &str {
    channel.split_once(':').map_or(channel, |(_, local)| local)
}

//! What a request says in its address.

/// The parts of the query that the handshake knows.
#[derive(Default)]
pub(super) struct Query {
    pub(super) user: Option<String>,
    pub(super) dialect: Option<String>,
    pub(super) room: Option<String>,
    pub(super) tokens: Vec<String>,
    /// How the client wants to hear that its token is not good.
    pub(super) errors: Option<String>,
}

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                // Hand-written clients call it by either name.
                "user" | "user_id" => parsed.user = Some(value.into_owned()),
                "dialect" => parsed.dialect = Some(value.into_owned()),
                "room" => parsed.room = Some(value.into_owned()),
                "errors" => parsed.errors = Some(value.into_owned()),
                "token" => parsed.tokens.push(value.into_owned()),
                _ => {}
            }
        }
        parsed
    }
}

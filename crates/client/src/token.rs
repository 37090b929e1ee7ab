//! Where a token comes from.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::command::Secret;

use crate::error::Error;

/// A token that held for so long was a good one: when it ends, another is asked for. One that ends sooner
/// although it was new would only be followed by more of its kind.
pub(crate) const TOKEN_HELD_MIN: Duration = Duration::from_secs(1);

type Provided = Pin<Box<dyn Future<Output = Result<Secret, Error>> + Send>>;

/// A token, or whom to ask for one.
///
/// Nothing of it is ever printed.
///
/// ```
/// use fanfare_client::Token;
///
/// let fixed = Token::fixed("a.b.c");
/// let provided = Token::provider(|| async {
///     // Here the backend is asked for a token that is good for some minutes.
///     Ok::<_, std::io::Error>("a.b.c".to_owned())
/// });
/// assert_eq!(format!("{fixed:?} {provided:?}"), "<secret> <provider>");
/// ```
#[derive(Clone)]
pub struct Token(Source);

#[derive(Clone)]
enum Source {
    Fixed(Secret),
    Provider(Arc<dyn Fn() -> Provided + Send + Sync>),
}

impl Token {
    /// Always the same one. When it has expired the client is closed for good, and so is a subscription.
    #[must_use]
    pub fn fixed(token: &str) -> Self {
        Self(Source::Fixed(Secret::new(token)))
    }

    /// Asks `provide` whenever a token is needed: ahead of each attempt to connect or to subscribe, and in time
    /// before the last one expires. It should give one that is good for a while to come. When it fails, the
    /// client's first call fails with its error; later it is asked again after a delay.
    ///
    /// A provider that panics takes the client with it.
    pub fn provider<F, T, E>(provide: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: AsRef<str>,
        E: fmt::Display,
    {
        Self(Source::Provider(Arc::new(move || {
            let provided = provide();
            Box::pin(async move {
                match provided.await {
                    Ok(token) => Ok(Secret::new(token.as_ref())),
                    Err(error) => Err(Error::no_token(&error)),
                }
            })
        })))
    }

    /// Whether asking again can bring another one.
    pub(crate) fn is_provided(&self) -> bool {
        matches!(self.0, Source::Provider(_))
    }

    /// The token, where it is known without asking.
    pub(crate) fn known(&self) -> Option<&Secret> {
        match &self.0 {
            Source::Fixed(token) => Some(token),
            Source::Provider(_) => None,
        }
    }

    /// The token, after asking where that is needed.
    pub(crate) async fn get(&self) -> Result<Secret, Error> {
        match &self.0 {
            Source::Fixed(token) => Ok(token.clone()),
            Source::Provider(provide) => provide().await,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_provided() { "<provider>" } else { "<secret>" })
    }
}

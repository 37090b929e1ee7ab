//! Authentication.

use fanfare_core::auth::Access;

use super::{Setting, TOKEN_LIFETIME_MAX_MS};
use crate::config::kinds::{Choice, CookieName, Count, FilePath, Kind, Millis};
use crate::config::{AuthErrors, AuthMode, Csrf};

const MODES: &[(&str, AuthMode)] = &[
    ("auto", AuthMode::Auto),
    ("required", AuthMode::Required),
    ("optional", AuthMode::Optional),
    ("open", AuthMode::Open),
];

const CSRF: &[(&str, Csrf)] = &[("double_submit", Csrf::DoubleSubmit), ("signed", Csrf::Signed)];

const ERRORS: &[(&str, AuthErrors)] = &[("status", AuthErrors::Status), ("close", AuthErrors::Close)];

const USERS: &[(&str, Access)] =
    &[("everyone", Access::Everyone), ("authenticated", Access::Authenticated), ("nobody", Access::Nobody)];

/// Beyond it the clocks are wrong and not merely apart.
const LEEWAY_MAX_MS: u64 = 30_000;

pub(super) const TABLE: &[Setting] = &[
    setting!(
        "auth.mode",
        auth.mode,
        Choice(MODES),
        "whether connections authenticate; \"auto\" is \"required\", or \"open\" where only this host can connect, no proxy is trusted and no issuer is configured"
    ),
    setting!(
        "auth.errors",
        auth.errors,
        Choice(ERRORS),
        "how a WebSocket hears that its token is not good: by the status 401, which browsers show to no page, or by an error and close code 4001"
    ),
    Setting {
        key: "auth.secret_file",
        about: "where the generated secret is kept that signs tokens of this server's own",
        set: |config, given| {
            config.auth.secret_file = FilePath.read(given)?;
            Ok(())
        },
        show: |config| FilePath.show(&Some(config.secret_file())),
        describe: || FilePath.describe(),
    },
    setting!(
        "auth.allow_users",
        auth.allow_users,
        Choice(USERS),
        "who may ask whether a user is connected, independent of channels"
    ),
    setting!("auth.cookie", auth.cookie, CookieName { optional: true }, "the cookie that may hold a token"),
    setting!("auth.csrf", auth.csrf, Choice(CSRF), "what has to come along with that cookie"),
    setting!(
        "auth.csrf_cookie",
        auth.csrf_cookie,
        CookieName { optional: false },
        "the cookie that holds the CSRF token for \"double_submit\""
    ),
    setting!(
        "auth.leeway",
        auth.leeway_ms,
        Millis::<u32>::new(0, LEEWAY_MAX_MS),
        "how far the clocks of issuers may be from ours"
    ),
    setting!(
        "auth.token_lifetime_max",
        auth.token_lifetime_max_ms,
        Millis::<u64>::new(1_000, TOKEN_LIFETIME_MAX_MS),
        "the longest that a token may have to live"
    ),
    setting!(
        "auth.revocations_max",
        auth.revocations_max,
        Count::<usize>::new(1, 100_000_000),
        "the most revocations that are remembered"
    ),
];

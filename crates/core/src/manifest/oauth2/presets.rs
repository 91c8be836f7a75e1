//! Servers that are known by name.
//!
//! * <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>
//! * <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>

/// The names.
pub(super) const GOOGLE: &str = "google-service-account";
pub(super) const GITHUB: &str = "github-app";

/// Google's token endpoint, which a key file names as well.
pub(super) const GOOGLE_TOKEN: &str = "https://oauth2.googleapis.com/token";

/// What GitHub's libraries take for the token of an installation.
pub(super) const GITHUB_TOKEN: &str = "ghs_{base62:36}";

/// GitHub's API, unless an enterprise has its own.
pub(super) const GITHUB_API: &str = "https://api.github.com";

/// The path of the call that gives an installation's token.
pub(super) fn installation(id: &str) -> String {
    format!("/app/installations/{id}/access_tokens")
}

//! Servers that are known by name.

/// The names.
pub(super) const GOOGLE: &str = "google-service-account";
pub(super) const GITHUB: &str = "github-app";

/// GitHub's API, unless an enterprise has its own.
pub(super) const GITHUB_API: &str = "https://api.github.com";

/// The path of the call that gives an installation's token.
pub(super) fn installation(id: &str) -> String {
    format!("/app/installations/{id}/access_tokens")
}

/// A server that is known by name.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// Its name in manifests.
    pub name: &'static str,
    /// A shape of placeholder that client libraries take for a token; none where any text does.
    pub placeholder: Option<&'static str>,
}

// https://developers.google.com/identity/protocols/oauth2/service-account#httprest
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
const PRESETS: &[Preset] = &[Preset { name: GOOGLE, placeholder: None }, Preset { name: GITHUB, placeholder: Some("ghs_{base62:36}") }];

impl Preset {
    /// All of them.
    #[must_use]
    pub fn all() -> &'static [Self] {
        PRESETS
    }

    /// The preset of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}

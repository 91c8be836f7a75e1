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
    /// What it is for, for people.
    pub title: &'static str,
    /// A host that tokens of it are for.
    pub host: &'static str,
    /// The keys that a manifest adds, with `?` for what only the operator knows.
    pub keys: &'static str,
    /// A shape of placeholder that client libraries take for a token; none where any text does.
    pub placeholder: Option<&'static str>,
    /// The server's own document.
    pub source: &'static str,
}

const PRESETS: &[Preset] = &[
    Preset {
        name: GOOGLE,
        title: "Google, with the key file of a service account",
        host: "storage.googleapis.com",
        keys: "scope = \"?\"",
        placeholder: None,
        source: "https://developers.google.com/identity/protocols/oauth2/service-account#httprest",
    },
    Preset {
        name: GITHUB,
        title: "GitHub, with the private key of an App, as one of its installations",
        host: "api.github.com",
        keys: "app_id = \"?\", installation_id = \"?\"",
        placeholder: Some("ghs_{base62:36}"),
        source: "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app",
    },
];

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

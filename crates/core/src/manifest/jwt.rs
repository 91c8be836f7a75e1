//! The scheme `jwt`: a secret that is a private key, and signs a token for each request, as Coinbase's developer platform wants it. A token
//! names the request that it is for, and lives for minutes.
//!
//! Here is only what a manifest says. `crate::credential::jwt` does the work.

use super::Problem;
use super::diagnostic::Diagnostics;
use super::hmac::Companion;
use super::reader::{Document, Section};
use super::units;
use std::fmt;
use std::time::Duration;

/// Longest life of a token for one request.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How a secret signs a token for each request. It prints as the inline table that a manifest writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestJwt {
    /// The preset's name, where the manifest names one. The other fields, but for the key's name, are then the preset's.
    pub preset: Option<&'static str>,
    /// The key's name at its issuer, which is no secret: `kid` and `sub` of each token.
    pub key_id: String,
    /// `iss`.
    pub issuer: String,
    /// `aud`; none where it is empty.
    pub audience: Vec<String>,
    /// From `nbf` to `exp`.
    pub lifetime: Duration,
    /// The claim that names the request.
    pub uri: UriClaim,
}

/// The claim that names the request, as `METHOD host/path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriClaim {
    /// `uri`, a text.
    Uri,
    /// `uris`, a list of one.
    Uris,
}

/// A scheme that is known by name.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// Its name in manifests.
    pub name: &'static str,
    /// What it is for, for people.
    pub title: &'static str,
    /// A host that it is for.
    pub host: &'static str,
    /// The scheme, as a manifest would write it out, but for the key's name.
    table: &'static str,
    /// A shape of placeholder with which unmodified client libraries can sign.
    pub placeholder: &'static str,
    /// What stands beside the token.
    pub companions: &'static [Companion],
    /// The issuer's own document.
    pub source: &'static str,
}

const PRESETS: &[Preset] = &[Preset {
    name: "coinbase-cdp",
    title: "Coinbase, with a key of its developer platform",
    host: "api.coinbase.com",
    table: r#"
        issuer = "cdp"
        lifetime = "120s"
        uri = "uri"
    "#,
    // A key of Ed25519 is given out in base64, with 88 characters.
    placeholder: "{base62:88}",
    companions: &[],
    source: "https://docs.cdp.coinbase.com/coinbase-app/authentication-authorization/api-key-authentication",
}];

/// What a preset says already.
const OF_PRESETS: &[&str] = &["issuer", "audience", "lifetime", "uri"];

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

    /// The scheme that it stands for, with a key's name.
    #[must_use]
    pub fn spec(&self, key_id: &str) -> RequestJwt {
        let named = format!("key_id = \"?\"\n{}", self.table);
        let spec = RequestJwt::parse(self.name, &named).expect("a test reads each preset");
        RequestJwt { preset: Some(self.name), key_id: key_id.to_owned(), ..spec }
    }
}

impl RequestJwt {
    /// Parses the table's own lines. `file` is the name that findings carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        Document::read(file, text, read)
    }
}

/// Reads a secret's table `jwt`.
pub(super) fn read(section: &Section<'_>) -> Option<RequestJwt> {
    let key_id = section.require("key_id", "key_id = ?", |text| match text.len() <= 512 && !text.is_empty() && is_visible(text) {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("not the name of a key", "write the key's name as its issuer shows it, without the key")),
    });
    if section.has("preset") {
        let preset = section.parse("preset", |text| {
            let known = PRESETS.iter().map(|preset| format!("`\"{}\"`", preset.name)).collect::<Vec<_>>().join(", ");
            let remedy = || format!("write {known}, or leave `preset` out and write the scheme itself");
            Preset::named(text).ok_or_else(|| Problem::new("an unknown preset", remedy()))
        });
        if OF_PRESETS.iter().any(|key| section.has(key)) {
            section.set_aside(OF_PRESETS);
            let remedy = "leave the other keys out, or leave `preset` out and write the scheme itself";
            section.report_here(Problem::new("keys that the preset sets itself", remedy));
        }
        return Some(preset?.spec(&key_id?));
    }
    section.set_aside(&["preset"]);
    let text = |text: &str| match is_visible(text) && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("empty, or not visible ASCII", "write it as the issuer's documents have it")),
    };
    let issuer = section.require("issuer", "issuer = ?", text);
    let audience = section.list("audience", text).unwrap_or_default();
    let lifetime = section.require("lifetime", "lifetime = ?", |text| match units::duration(text)? {
        lifetime if lifetime.subsec_nanos() == 0 && lifetime <= LONGEST => Ok(lifetime),
        _ => Err(Problem::new("not a lifetime of a token for one request", "write whole seconds, at most `1h`, as in `120s`")),
    });
    let uri = section.require_one_of("uri", "an unknown claim", &["uri", "uris"]);
    let uri = uri.map(|word| if word == "uri" { UriClaim::Uri } else { UriClaim::Uris });
    Some(RequestJwt { preset: None, key_id: key_id?, issuer: issuer?, audience, lifetime: lifetime?, uri: uri? })
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

impl fmt::Display for RequestJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let key_id = quoted(&self.key_id);
        if let Some(preset) = self.preset {
            return write!(f, "{{ preset = {}, key_id = {key_id} }}", quoted(preset));
        }
        write!(f, "{{ key_id = {key_id}, issuer = {}", quoted(&self.issuer))?;
        if !self.audience.is_empty() {
            write!(f, ", audience = {}", toml::Value::from(self.audience.clone()))?;
        }
        let uri = if self.uri == UriClaim::Uri { "uri" } else { "uris" };
        write!(f, ", lifetime = \"{}s\", uri = \"{uri}\" }}", self.lifetime.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "key_id = \"k/1\"\nissuer = \"cdp\"\naudience = [\"cdp_service\"]\nlifetime = \"120s\"\nuri = \"uris\"\n";

    #[test]
    fn a_scheme_prints_as_a_table_that_reads_as_the_same() {
        let cdp = Preset::named("coinbase-cdp").expect("a preset").spec("organizations/o/apiKeys/k");
        assert_eq!(cdp.to_string(), r#"{ preset = "coinbase-cdp", key_id = "organizations/o/apiKeys/k" }"#);
        assert!(crate::manifest::Shape::parse(Preset::all()[0].placeholder).is_ok());
        for spec in [cdp.clone(), RequestJwt { preset: None, ..cdp }, RequestJwt::parse("m", WHOLE).expect("a scheme")] {
            let table: toml::Table = format!("x = {spec}").parse().expect("TOML");
            assert_eq!(RequestJwt::parse("m", &toml::to_string(&table["x"]).expect("a table")).expect("the same"), spec);
        }
    }

    #[test]
    fn whatever_is_wrong_with_a_scheme_is_told_with_its_remedy() {
        for (of, to, told) in [
            ("k/1", "", "not the name of a key"),
            ("k/1", "-----BEGIN EC PRIVATE KEY-----", "not the name of a key"),
            ("120s", "1500ms", "not a lifetime of a token"),
            ("120s", "2h", "not a lifetime of a token"),
            ("\"uris\"", "\"url\"", "an unknown claim"),
            ("issuer = \"cdp\"\n", "", "`issuer` is missing"),
            ("key_id", "preset = \"coinbase-cdp\"\nkey_id", "keys that the preset sets itself"),
        ] {
            let text = WHOLE.replacen(of, to, 1);
            let found = RequestJwt::parse("m", &text).expect_err(&text).to_string();
            assert!(found.contains(told), "{of} -> {to}: {found}");
        }
        let unknown = RequestJwt::parse("m", "preset = \"cdp\"\nkey_id = \"k\"").expect_err("refused").to_string();
        assert!(unknown.contains("an unknown preset"), "{unknown}");
    }
}

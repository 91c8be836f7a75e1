//! What `init --scheme` knows: places where a key stands as it is, and schemes that make a credential of it. A scheme says itself which other
//! secrets belong to it, where they stand, and what placeholder client libraries can sign with.

use super::{Outline, listed, quoted};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::fmt::Write as _;
use strongroom::manifest::{hmac, jwt};

/// One of them.
#[derive(Clone, Copy)]
pub(in crate::init) enum Choice {
    /// The key itself, in a place.
    Place(&'static Spot),
    /// It signs requests as an exchange wants it.
    Hmac(&'static hmac::Preset),
    /// It signs a token for each request.
    Jwt(&'static jwt::Preset),
    /// It signs as AWS wants it.
    SigV4,
    /// The host has access tokens for it.
    Oauth2(&'static Tokens),
}

/// Something that access tokens are had for.
pub(in crate::init) struct Tokens {
    name: &'static str,
    title: &'static str,
    /// What the secret is.
    what: &'static str,
    /// What its name ends with.
    suffix: &'static str,
    /// The table, with capitals for what only the operator knows.
    table: &'static str,
    /// A host that tokens are for.
    host: &'static str,
    source: &'static str,
}

/// The one whose secret the host writes.
const REFRESHED: &str = "oauth2";

const TOKENS: &[Tokens] = &[
    Tokens {
        name: REFRESHED,
        title: "OAuth 2.0, with a refresh token that `strongroom login` gets",
        what: "the refresh token; keep it in a backend that can be written to",
        suffix: "REFRESH_TOKEN",
        table: "{ grant = \"refresh_token\", token_url = \"https://login.example.com/token\", client_id = \"CLIENT\", authorization_url = \"https://login.example.com/authorize\", scope = \"SCOPE\" }",
        host: "api.example.com",
        source: "https://www.rfc-editor.org/rfc/rfc6749#section-6",
    },
    Tokens {
        name: "oauth2-client",
        title: "OAuth 2.0, with a client's own secret",
        what: "the client's secret",
        suffix: "CLIENT_SECRET",
        table: "{ grant = \"client_credentials\", token_url = \"https://login.example.com/token\", client_id = \"CLIENT\", scope = \"SCOPE\" }",
        host: "api.example.com",
        source: "https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
    },
    Tokens {
        name: "google-service-account",
        title: "Google, with the key file of a service account",
        what: "the whole key file, JSON",
        suffix: "ACCOUNT",
        table: "{ preset = \"google-service-account\", scope = \"https://www.googleapis.com/auth/devstorage.read_only\" }",
        host: "storage.googleapis.com",
        source: "https://developers.google.com/identity/protocols/oauth2/service-account#httprest",
    },
    Tokens {
        name: "github-app",
        title: "GitHub, with the private key of an App, as one of its installations",
        what: "the App's private key, PEM",
        suffix: "APP",
        table: "{ preset = \"github-app\", app_id = \"APP\", installation_id = \"1234567\" }",
        host: "api.github.com",
        source: "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app",
    },
];

/// A place where a key may stand.
pub(in crate::init) struct Spot {
    name: &'static str,
    title: &'static str,
    /// As a manifest writes it, with a name that is often the right one.
    pub(in crate::init) place: &'static str,
    /// Whether it is in the body: then GET has none.
    pub(in crate::init) is_in_body: bool,
}

const SPOTS: &[Spot] = &[
    Spot { name: "bearer", title: "the header `Authorization: Bearer …`", place: "header:authorization", is_in_body: false },
    Spot { name: "basic", title: "the header `Authorization: Basic …`", place: "basic", is_in_body: false },
    Spot { name: "header", title: "a header of its own", place: "header:x-api-key", is_in_body: false },
    Spot { name: "query", title: "a query parameter", place: "query:api_key", is_in_body: false },
    Spot { name: "cookie", title: "a cookie", place: "cookie:session_id", is_in_body: false },
    Spot { name: "form", title: "a field of a form", place: "form:client_secret", is_in_body: true },
    Spot { name: "json", title: "a field of a JSON body", place: "json:/api_key", is_in_body: true },
];

const SIGV4: &str = "sigv4";

/// What to begin with at an exchange: what reads, and nothing that trades or pays out.
const READS: &[(&str, &[&str], &[&str])] = &[
    ("binance", &["GET"], &["/api/v3/*"]),
    ("binance-ed25519", &["GET"], &["/api/v3/*"]),
    ("bybit", &["GET"], &["/v5/market/**", "/v5/account/*", "/v5/order/*", "/v5/position/*"]),
    ("okx", &["GET"], &["/api/v5/public/*", "/api/v5/market/*", "/api/v5/account/*", "/api/v5/trade/*"]),
    ("kraken", &["GET", "POST"], &["/0/public/*", "/0/private/Balance", "/0/private/OpenOrders"]),
    ("coinbase-exchange", &["GET"], &["/products/**", "/accounts", "/accounts/*", "/orders", "/orders/*"]),
    ("coinbase-cdp", &["GET"], &["/api/v3/brokerage/**"]),
    ("google-service-account", &["GET"], &["/storage/v1/b/my-bucket/o/**"]),
    ("github-app", &["GET"], &["/repos/OWNER/REPOSITORY/**"]),
];

impl Choice {
    fn all() -> impl Iterator<Item = Self> {
        let places = SPOTS.iter().map(Self::Place);
        let signing = hmac::Preset::all().iter().map(Self::Hmac);
        places.chain(signing).chain(jwt::Preset::all().iter().map(Self::Jwt)).chain([Self::SigV4]).chain(TOKENS.iter().map(Self::Oauth2))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Place(spot) => spot.name,
            Self::Hmac(preset) => preset.name,
            Self::Jwt(preset) => preset.name,
            Self::SigV4 => SIGV4,
            Self::Oauth2(tokens) => tokens.name,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Place(spot) => spot.title,
            Self::Hmac(preset) => preset.title,
            Self::Jwt(preset) => preset.title,
            Self::SigV4 => "AWS, with Signature Version 4",
            Self::Oauth2(tokens) => tokens.title,
        }
    }

    /// What reads it from the command line; its error names all of them.
    pub(in crate::init) fn parser() -> impl TypedValueParser<Value = Self> {
        let known = Self::all().map(|choice| PossibleValue::new(choice.name()).help(choice.title()));
        PossibleValuesParser::new(known).try_map(|name| Self::all().find(|choice| choice.name() == name).ok_or("unknown scheme"))
    }
}

/// A secret of a manifest, as it is written.
struct Declared {
    name: String,
    /// What it is, for whoever reads the file.
    what: String,
    lines: Vec<String>,
    granted: Granted,
}

/// Where a secret may go.
#[derive(Clone, Copy)]
enum Granted {
    /// Where the one goes that it belongs to.
    WithAnother,
    /// Where its scheme puts what it makes.
    ByScheme,
    /// Into a place.
    In(&'static str),
}

/// The secrets of a scheme, with their grants.
pub(in crate::init) fn text(choice: Choice, secret: Option<&str>, host: Option<&str>, outline: &Outline<'_>) -> String {
    let stem = choice.name().trim_end_matches("-ed25519").replace('-', "_").to_ascii_uppercase();
    let (source, own_host) = match choice {
        Choice::Hmac(preset) => (preset.source, preset.host),
        Choice::Jwt(preset) => (preset.source, preset.host),
        Choice::Oauth2(tokens) => (tokens.source, tokens.host),
        _ => ("https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html", "my-bucket.s3.eu-central-1.amazonaws.com"),
    };
    let (_, methods, paths) = READS.iter().find(|(name, ..)| *name == choice.name()).unwrap_or(&("", &["GET", "HEAD"], &["/**"]));
    let (methods, paths) = (listed(outline.methods, methods), listed(outline.paths, paths));
    let key = match (secret, choice) {
        (Some(secret), _) => secret.to_owned(),
        (None, Choice::SigV4) => SECRET_ACCESS_KEY.to_owned(),
        (None, Choice::Oauth2(tokens)) => format!("{}_{}", stem.split('_').next().unwrap_or(&stem), tokens.suffix),
        (None, _) => format!("{stem}_SECRET"),
    };
    let mut text = format!("\n# {}. Its documentation: {source}\n", choice.title());
    for Declared { name, what, lines, granted } in declared(choice, &stem, key) {
        let _ = write!(text, "\n[secrets.{name}]      # {what}\n");
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
        text.push_str("expose = \"env\"       # the placeholder as an environment variable; the agent's library takes it for the key\n");
        if let Granted::WithAnother = granted {
            continue;
        }
        let host = quoted(host.unwrap_or(own_host));
        let _ = write!(
            text,
            "\n[[secrets.{name}.allow]]\nhost = {host}\nmethods = {methods}\npaths = {paths}      # what reads: add what the agent needs, and nothing that pays out\n"
        );
        if let Granted::In(place) = granted {
            let _ = writeln!(text, "place = [{}]", quoted(place));
        }
        text.push_str("# rate = \"60/min\"\n");
    }
    text
}

fn declared(choice: Choice, stem: &str, key: String) -> Vec<Declared> {
    let companions = match choice {
        Choice::Hmac(preset) => preset.companions,
        Choice::Jwt(preset) => preset.companions,
        Choice::Place(_) | Choice::SigV4 | Choice::Oauth2(_) => &[],
    };
    let companions = companions.iter().map(|hmac::Companion { what, place, .. }| Declared {
        name: format!("{stem}_{}", what.replace(' ', "_").to_ascii_uppercase()),
        what: format!("the {what} that goes with it"),
        lines: Vec::new(),
        granted: Granted::In(place),
    });
    let signing = |what: &str, line: String, granted| Declared { name: key.clone(), what: what.to_owned(), lines: vec![line], granted };
    match choice {
        Choice::Place(_) => Vec::new(),
        Choice::Hmac(preset) => {
            let signing =
                signing("signs requests; it never stands in one", format!("hmac = {{ preset = \"{}\" }}", preset.name), Granted::ByScheme);
            std::iter::once(signing).chain(companions).collect()
        }
        Choice::Jwt(preset) => {
            let named = "organizations/ORGANIZATION/apiKeys/KEY";
            let line =
                format!("jwt = {{ preset = \"{}\", key_id = \"{named}\" }}      # the key's name, as its issuer shows it", preset.name);
            std::iter::once(signing("the private key: it signs a token for each request", line, Granted::In("header:authorization")))
                .chain(companions)
                .collect()
        }
        Choice::SigV4 => aws(key),
        Choice::Oauth2(tokens) => {
            let from = format!("from = \"file:{}/{key}\"", key.to_ascii_lowercase().split('_').next().unwrap_or_default());
            let from = (tokens.name == REFRESHED).then_some(from);
            let lines = from.into_iter().chain([format!("oauth2 = {}", tokens.table)]).collect();
            vec![Declared { name: key, what: tokens.what.to_owned(), lines, granted: Granted::In("header:authorization") }]
        }
    }
}

/// The names by which AWS SDKs read a key pair from the environment. Variables of these names are the host's own: what the agent gets is
/// kept under others.
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";

fn aws(key: String) -> Vec<Declared> {
    let from = |name: &str| format!("from = \"env:AGENT_{name}\"      # `AWS_…` are the host's own; in another backend, any name");
    let scheme =
        format!("sigv4 = {{ access_key_id = \"{ACCESS_KEY_ID}\" }}      # and `session_token = \"AWS_SESSION_TOKEN\"` for temporary keys");
    let what = "signs requests; it never stands in one".to_owned();
    vec![
        Declared { lines: vec![from(SECRET_ACCESS_KEY), scheme], name: key, what, granted: Granted::ByScheme },
        Declared {
            name: ACCESS_KEY_ID.to_owned(),
            what: "goes with the signature".to_owned(),
            lines: vec![from(ACCESS_KEY_ID)],
            granted: Granted::WithAnother,
        },
    ]
}

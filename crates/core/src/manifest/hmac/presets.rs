//! Exchanges that are known by name: how each wants its requests signed, what else belongs to its credential, and where its documents say so.

use super::HmacSpec;

/// How one exchange wants its requests signed.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// Its name in manifests.
    pub name: &'static str,
    /// What it is for, for people.
    pub title: &'static str,
    /// A host that it is for.
    pub host: &'static str,
    /// The scheme, as a manifest would write it out.
    pub(super) table: &'static str,
    /// A shape of placeholder with which unmodified client libraries can sign.
    pub placeholder: &'static str,
    /// What stands beside the signature: other secrets, each in a place of its own.
    pub companions: &'static [Companion],
    /// The exchange's own document.
    pub source: &'static str,
}

/// A secret that accompanies one that signs.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Companion {
    /// What people call it.
    pub what: &'static str,
    /// Its place, as a grant names it.
    pub place: &'static str,
}

const fn key(place: &'static str) -> Companion {
    Companion { what: "API key", place }
}

const fn passphrase(place: &'static str) -> Companion {
    Companion { what: "passphrase", place }
}

const PRESETS: &[Preset] = &[
    Preset {
        name: "binance",
        title: "Binance, with a key of HMAC",
        host: "api.binance.com",
        table: r#"
            algorithm = "hmac-sha256"
            key = "text"
            input = "{query}{body}"
            encoding = "hex"
            signature = ["query:signature", "form:signature"]
            timestamp = { place = ["query:timestamp", "form:timestamp"], format = "ms" }
        "#,
        placeholder: "{base62:64}",
        companions: &[key("header:x-mbx-apikey")],
        source: "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security",
    },
    Preset {
        name: "binance-ed25519",
        title: "Binance, with a key of Ed25519",
        host: "api.binance.com",
        table: r#"
            algorithm = "ed25519"
            key = "pem"
            input = "{query}{body}"
            encoding = "base64"
            signature = ["query:signature", "form:signature"]
            timestamp = { place = ["query:timestamp", "form:timestamp"], format = "ms" }
        "#,
        // The inner part of a PKCS#8 in PEM: its fixed beginning (RFC 8410), and a seed.
        placeholder: "MC4CAQAwBQYDK2VwBCIEIA{base62:42}",
        companions: &[key("header:x-mbx-apikey")],
        source: "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security",
    },
    Preset {
        name: "bybit",
        title: "Bybit, version 5",
        host: "api.bybit.com",
        table: r#"
            algorithm = "hmac-sha256"
            key = "text"
            input = "{timestamp}{header:x-bapi-api-key}{header:x-bapi-recv-window}{query}{body}"
            encoding = "hex"
            signature = ["header:x-bapi-sign"]
            timestamp = { place = "header:x-bapi-timestamp", format = "ms" }
        "#,
        placeholder: "{base62:36}",
        companions: &[key("header:x-bapi-api-key")],
        source: "https://bybit-exchange.github.io/docs/v5/guide",
    },
    Preset {
        name: "okx",
        title: "OKX",
        host: "www.okx.com",
        table: r#"
            algorithm = "hmac-sha256"
            key = "text"
            input = "{timestamp}{method}{target}{body}"
            encoding = "base64"
            signature = ["header:ok-access-sign"]
            timestamp = { place = "header:ok-access-timestamp", format = "rfc3339" }
        "#,
        placeholder: "{hex:32}",
        companions: &[key("header:ok-access-key"), passphrase("header:ok-access-passphrase")],
        source: "https://www.okx.com/docs-v5/en/#overview-rest-authentication",
    },
    Preset {
        name: "kraken",
        title: "Kraken, spot",
        host: "api.kraken.com",
        table: r#"
            algorithm = "hmac-sha512"
            key = "base64"
            input = "{path}{sha256-raw {nonce}{body}}"
            encoding = "base64"
            signature = ["header:api-sign"]
            nonce = { place = ["form:nonce", "json:/nonce"], unit = "ms" }
        "#,
        placeholder: "{base62:88}",
        companions: &[key("header:api-key")],
        source: "https://docs.kraken.com/api/docs/guides/spot-rest-auth",
    },
    Preset {
        name: "coinbase-exchange",
        title: "Coinbase Exchange",
        host: "api.exchange.coinbase.com",
        table: r#"
            algorithm = "hmac-sha256"
            key = "base64"
            input = "{timestamp}{method}{target}{body}"
            encoding = "base64"
            signature = ["header:cb-access-sign"]
            timestamp = { place = "header:cb-access-timestamp", format = "s" }
        "#,
        placeholder: "{base62:88}",
        companions: &[key("header:cb-access-key"), passphrase("header:cb-access-passphrase")],
        source: "https://docs.cdp.coinbase.com/exchange/rest-api/authentication",
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

    /// The scheme that it stands for.
    #[must_use]
    pub fn spec(&self) -> HmacSpec {
        let spec = HmacSpec::parse(self.name, self.table).expect("a test reads each preset");
        HmacSpec { preset: Some(self.name), ..spec }
    }
}

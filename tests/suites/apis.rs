//! The manifests of `examples/apis`: each is one that `check` accepts, lets the vendor's library do what its first lines say, and denies what
//! the vendor's key could do beyond that.

use crate::cli::CliFixture;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use strongroom::ops::{Judge, Verdict};
use strongroom::{HostConfig, Manifest};
use strongroom_tests::block_on;

/// A manifest, and requests as the vendor documents them.
struct Api {
    name: &'static str,
    /// What it is for, each request with what it may carry.
    admits: &'static [(&'static str, &'static [&'static str])],
    /// What a stolen key would be used for.
    denies: &'static [(&'static str, &'static str)],
}

const BEARER: &str = "in header:authorization";
const TOKEN: &str = "as a token (oauth2) in header:authorization";

const APIS: &[Api] = &[
    Api {
        name: "openai",
        admits: &[("POST https://api.openai.com/v1/chat/completions", &[BEARER]), ("GET https://api.openai.com/v1/models", &[BEARER])],
        denies: &[
            ("POST https://api.openai.com/v1/organization/admin_api_keys", "path"),
            ("DELETE https://api.openai.com/v1/models/ft:x", "method"),
        ],
    },
    Api {
        name: "anthropic",
        admits: &[("POST https://api.anthropic.com/v1/messages", &["in header:x-api-key", BEARER])],
        denies: &[
            ("POST https://api.anthropic.com/v1/organizations/api_keys/k", "path"),
            ("DELETE https://api.anthropic.com/v1/messages", "method"),
        ],
    },
    Api {
        name: "github",
        admits: &[
            ("GET https://api.github.com/repos/OWNER/REPOSITORY/contents/README.md", &[BEARER, "in header:authorization=token {}"]),
            ("POST https://api.github.com/repos/OWNER/REPOSITORY/issues/7/comments", &[BEARER, "in header:authorization=token {}"]),
        ],
        denies: &[
            ("POST https://api.github.com/repos/OWNER/REPOSITORY/keys", "method"),
            ("GET https://api.github.com/repos/OWNER/OTHER", "path"),
            ("DELETE https://api.github.com/repos/OWNER/REPOSITORY", "method"),
        ],
    },
    Api {
        name: "github-app",
        admits: &[
            (
                "GET https://api.github.com/repos/OWNER/REPOSITORY/contents/README.md",
                &[TOKEN, "as a token (oauth2) in header:authorization=token {}"],
            ),
            ("POST https://api.github.com/repos/OWNER/REPOSITORY/issues", &[TOKEN, "as a token (oauth2) in header:authorization=token {}"]),
        ],
        denies: &[
            ("POST https://api.github.com/app/installations/1234567/access_tokens", "path"),
            ("DELETE https://api.github.com/repos/OWNER/REPOSITORY", "method"),
        ],
    },
    Api {
        name: "google",
        admits: &[
            ("GET https://storage.googleapis.com/storage/v1/b/my-bucket/o/a.txt?alt=media", &[TOKEN]),
            ("POST https://storage.googleapis.com/upload/storage/v1/b/my-bucket/o?uploadType=media&name=a.txt", &[TOKEN]),
        ],
        denies: &[
            ("DELETE https://storage.googleapis.com/storage/v1/b/my-bucket/o/a.txt", "method"),
            ("GET https://storage.googleapis.com/storage/v1/b/my-bucket/iam", "path"),
        ],
    },
    Api {
        name: "stripe",
        admits: &[("POST https://api.stripe.com/v1/customers", &[BEARER]), ("GET https://api.stripe.com/v1/charges?limit=3", &[BEARER])],
        denies: &[("POST https://api.stripe.com/v1/payouts", "path"), ("POST https://api.stripe.com/v1/charges", "method")],
    },
    Api {
        name: "telegram",
        // Without the `bot` before it: in a segment that may hold the secret, nothing but its placeholder may stand.
        admits: &[("POST https://api.telegram.org/TOKEN/sendMessage", &["in path:/bot{}/**"])],
        denies: &[("POST https://api.telegram.org/botTOKEN/setWebhook", "path")],
    },
    Api {
        name: "slack",
        admits: &[("POST https://slack.com/api/chat.postMessage", &[BEARER])],
        denies: &[("POST https://slack.com/api/chat.delete", "path"), ("POST https://slack.com/api/conversations.history", "path")],
    },
    Api {
        name: "s3",
        admits: &[
            ("PUT https://my-bucket.s3.eu-central-1.amazonaws.com/reports/2026/a.txt", &["as a signature (sigv4)"]),
            ("GET https://my-bucket.s3.eu-central-1.amazonaws.com/?list-type=2&prefix=reports%2F", &["as a signature (sigv4)"]),
        ],
        denies: &[
            ("DELETE https://my-bucket.s3.eu-central-1.amazonaws.com/reports/2026/a.txt", "method"),
            ("PUT https://my-bucket.s3.eu-central-1.amazonaws.com/?policy", "method"),
        ],
    },
    Api {
        name: "binance",
        admits: &[
            ("GET https://api.binance.com/api/v3/account", &["as a signature (hmac)", "in header:x-mbx-apikey"]),
            ("POST https://api.binance.com/api/v3/order", &["as a signature (hmac)", "in header:x-mbx-apikey"]),
        ],
        denies: &[
            ("POST https://api.binance.com/sapi/v1/capital/withdraw/apply", "path"),
            ("DELETE https://api.binance.com/api/v3/openOrders", "method"),
        ],
    },
    Api {
        name: "kraken",
        admits: &[
            ("POST https://api.kraken.com/0/private/AddOrder", &["as a signature (hmac)", "in header:api-key"]),
            ("GET https://api.kraken.com/0/public/Ticker?pair=XBTUSD", &[]),
        ],
        denies: &[("POST https://api.kraken.com/0/private/Withdraw", "path")],
    },
    Api {
        name: "okx",
        admits: &[(
            "POST https://www.okx.com/api/v5/trade/order",
            &["as a signature (hmac)", "in header:ok-access-key", "in header:ok-access-passphrase"],
        )],
        denies: &[
            ("POST https://www.okx.com/api/v5/asset/withdrawal", "path"),
            ("POST https://www.okx.com/api/v5/trade/close-position", "method"),
        ],
    },
    Api {
        name: "bybit",
        admits: &[("GET https://api.bybit.com/v5/order/realtime?category=spot", &["as a signature (hmac)", "in header:x-bapi-api-key"])],
        denies: &[("POST https://api.bybit.com/v5/asset/withdraw/create", "path"), ("POST https://api.bybit.com/v5/order/amend", "method")],
    },
    Api {
        name: "coinbase",
        admits: &[("POST https://api.coinbase.com/api/v3/brokerage/orders", &["as a token (jwt) in header:authorization"])],
        denies: &[
            ("POST https://api.coinbase.com/v2/accounts/a/transactions", "path"),
            ("POST https://api.coinbase.com/api/v3/brokerage/portfolios/move_funds", "method"),
        ],
    },
    Api {
        name: "purpleflea",
        admits: &[("POST https://api.purpleflea.com/v1/orders", &[BEARER]), ("GET https://api.purpleflea.com/v1/price", &[BEARER])],
        denies: &[("POST https://api.purpleflea.com/api/keys/rotate", "path"), ("DELETE https://api.purpleflea.com/v1/orders", "method")],
    },
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/apis")
}

fn text(api: &Api) -> String {
    std::fs::read_to_string(examples().join(api.name).with_extension("toml")).unwrap_or_else(|error| panic!("{}: {error}", api.name))
}

#[test]
fn each_manifest_for_an_api_does_what_it_is_for_and_no_more() {
    for api in APIS {
        let manifest = Manifest::parse(api.name, &text(api)).unwrap_or_else(|found| panic!("{}: {found}", api.name));
        // No request leaves, and no name is looked up: under `.test` there are none (RFC 6761).
        let hosts: BTreeSet<String> =
            manifest.secrets.iter().flat_map(|secret| &secret.allow).map(|grant| grant.host.to_string()).collect();
        let moved = |text: &str| hosts.iter().fold(text.to_owned(), |text, host| text.replace(host, &format!("{host}.test")));
        let manifest = Manifest::parse(api.name, &moved(&text(api))).unwrap();
        let judge = Judge::new(&manifest, &HostConfig::default()).unwrap();
        let judged = |request: &str| block_on(judge.judge(&moved(request))).unwrap();

        for (request, carries) in api.admits {
            let Verdict::Allowed(allowed) = judged(request) else { panic!("{request}: {:?}", judged(request)) };
            let found: BTreeSet<&str> = allowed.secrets.iter().filter_map(|secret| Some(secret.split_once(' ')?.1)).collect();
            assert_eq!(found, carries.iter().copied().collect(), "{request}");
        }
        for (request, rule) in api.denies {
            let Verdict::Denied(denial) = judged(request) else { panic!("{request} is granted") };
            assert_eq!(denial.rule.to_string(), *rule, "{request}: {denial}");
        }
    }
}

#[test]
fn check_accepts_each_of_them_and_the_readme_lists_it() {
    let desk = CliFixture::new("");
    let listed = std::fs::read_to_string(examples().join("README.md")).unwrap();
    let files: BTreeSet<String> = std::fs::read_dir(examples())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    assert_eq!(files, APIS.iter().map(|api| api.name.to_owned()).collect(), "each has its requests above");
    for api in APIS {
        desk.write("api.toml", &text(api).replace("agent.wasm", "probe.wasm"));
        let checked = desk.run("check api.toml");
        assert_eq!(checked.code, 0, "{}: {}{}", api.name, checked.stdout, checked.stderr);
        assert!(listed.contains(&format!("| [{0}.toml]({0}.toml) |", api.name)), "examples/apis/README.md lacks {}", api.name);
        // Where its vendor says how it is to be used.
        assert!(text(api).lines().any(|line| line.starts_with("# https://")), "{}", api.name);
    }
}

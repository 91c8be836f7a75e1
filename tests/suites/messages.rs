//! What a person reads when a manifest or a configuration is wrong: the whole message, with its place.

use strongroom::{HostConfig, Manifest};

fn manifest(text: &str) -> String {
    Manifest::parse("agent.toml", text).expect_err("the manifest is wrong").to_string()
}

const HEAD: &str = "name = \"a\"\ncomponent = \"a.wasm\"\n";

#[test]
fn each_finding_names_its_place_what_was_found_and_what_to_write() {
    let cases: &[(&str, &str)] = &[
        ("nam = \"x\"", "agent.toml:3:1: unknown key `nam`; did you mean `name`?"),
        ("[limits]\nmemroy = \"1MiB\"", "agent.toml:4:1: unknown key `limits.memroy`; did you mean `memory`?"),
        ("[limits]\nmemory = 64", "agent.toml:4:10: `limits.memory` is of type integer; write a string"),
        (
            "[limits]\nmemory = \"64\"",
            "agent.toml:4:10: `limits.memory`: not a size; write a whole number and a unit: B, KiB, MiB, GiB, kB, MB or GB, as in `64MiB`",
        ),
        ("[limits]\nmemory = \"1KiB\"", "agent.toml:4:10: `limits.memory`: too small to run anything; write at least `64KiB`"),
        (
            "[limits]\nwall = \"soon\"",
            "agent.toml:4:8: `limits.wall`: not a duration; write a whole number above 0 and a unit: ms, s, m, h or d, as in `10s`",
        ),
        ("[limits]\nrequests = 0", "agent.toml:4:12: `limits.requests` is out of range; write a whole number from 1 to 10000"),
        (
            "[run]\ntrigger = { every = \"5m\" }",
            "agent.toml:4:1: `run.trigger` belongs in a table of its own, `[trigger]`; leave it out here",
        ),
        (
            "[secrets.K]\nexpose = \"file\"",
            "agent.toml:4:10: `secrets.K.expose`: not a way to expose a secret; write `\"env\"` or `\"handle\"`",
        ),
        ("[secrets.K]\nformat = \"(\"", "agent.toml:4:10: `secrets.K.format`: not a regular expression; see https://docs.rs/regex/#syntax"),
        (
            "[secrets.K]\nplaceholder = \"x{hex:8}\"",
            "agent.toml:4:15: `secrets.K.placeholder`: a shape with 32 random bits; use at least 128, as in `{hex:32}`, `{base62:22}` or `{digits:39}`",
        ),
        (
            "[secrets.K]\ndefault = \"x\"",
            "agent.toml:3:10: `secrets.K` is required and has a default; add `required = false`, or leave the default out",
        ),
        // Hosts, paths and chains are the operator's to know: a message that gave an example would have it pasted.
        (
            "[[secrets.K.allow]]\npaths = [\"/\"]",
            "agent.toml:3:1: `secrets.K.allow.host` is missing; add `host = ?` with its value in the place of `?`",
        ),
        (
            "[[secrets.K.allow]]\nhost = \"x\"",
            "agent.toml:3:1: `secrets.K.allow.paths` is missing; add `paths = ?` with its value in the place of `?`",
        ),
        ("a = ?", "agent.toml:3:5: a `?` is left; write the value in its place: it stands for what only you can know"),
        (
            "[[egress]]\nhost = \"x\"\nmethods = [\"FETCH\"]",
            "agent.toml:5:12: `egress.methods`: not a method that can be granted; write one or more of [\"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\", \"OPTIONS\"]",
        ),
        (
            "[[egress]]\nhost = \"X.example\"",
            "agent.toml:4:8: `egress.host`: not a host; write a name in lower-case ASCII (`xn--` for international names), an IPv4 address, or an IPv6 address in brackets",
        ),
        (
            "[[secrets.K.allow]]\nhost = \"x\"\npaths = [\"/a*\"]",
            "agent.toml:5:10: `secrets.K.allow.paths`: a `*` next to other characters; `*` stands for one whole segment, never for a part of one: write each of those that are meant",
        ),
        (
            "[[secrets.K.allow]]\nhost = \"x\"\npaths = [\"/\"]\nplace = [\"body:key\"]",
            "agent.toml:6:10: `secrets.K.allow.place`: not a place; write `header:NAME`, `header:NAME=TEMPLATE` with `{}` for the secret, `basic`, `basic=USER:{}`, `query:NAME`, `path:/TEMPLATE`, `cookie:NAME`, `form:NAME` or `json:/POINTER`",
        ),
        (
            "[[secrets.K.allow]]\nhost = \"x\"\npaths = [\"/\"]\nplace = [\"json:/keys/*\"]",
            "agent.toml:6:10: `secrets.K.allow.place`: not a pointer to one field; write it as in `json:/auth/token`, with `~1` for a slash in a name",
        ),
        (
            "[[secrets.K.allow]]\nhost = \"x\"\npaths = [\"/\"]\nplace = [\"form:token\"]\nattach = true",
            "agent.toml:3:1: `attach` with a place that only the agent can provide; name first, in `place`, one where the host can put a value by itself: `header:NAME`, `basic`, `query:NAME` or `cookie:NAME`",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"",
            "agent.toml:3:10: `signers.W.chains` is missing; add `chains = ?` with its value in the place of `?`",
        ),
        ("[limits]\nrequests = -1", "agent.toml:4:12: `limits.requests` is out of range; write a whole number from 1 to 10000"),
        ("[limits]\nrequests = 1.5", "agent.toml:4:12: `limits.requests` is of type float; write a whole number from 1 to 10000"),
        (
            "[[egress]]\nhost = \"x\"\nmethods = []",
            "agent.toml:5:11: `egress.methods` is empty; name at least one, or leave `methods` out, which means `GET`",
        ),
        (
            "[[egress]]\nhost = \"x\"\npaths = []",
            "agent.toml:5:9: `egress.paths` is empty; write `paths = ?` with its value in the place of `?`",
        ),
        (
            "[[egress]]\nhost = \"x\"\npaths = [\"/v1?x=1\"]",
            "agent.toml:5:10: `egress.paths`: a path with a query; leave the query out: requests are covered by their path, whatever their query",
        ),
        (
            "[[egress]]\nhost = \"x\"\npaths = [\"v1\"]",
            "agent.toml:5:10: `egress.paths`: a path without `/` in front; put a `/` in front: paths are read from the root",
        ),
        (
            "[[egress]]\nhost = \"x\"\nplace = [\"basic\"]",
            "agent.toml:5:1: `egress.place` belongs in a `[[secrets.NAME.allow]]`; leave it out here",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"\nchains = []",
            "agent.toml:5:10: `signers.W.chains` is empty; write `chains = ?` with its value in the place of `?`",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"\nchains = [0]",
            "agent.toml:5:11: a number of `signers.W.chains` is out of range; write a whole number above 0",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"\nuse = \"jwt\"\naudience = \"a\"\nchains = [1]",
            "agent.toml:7:1: `signers.W.chains` belongs to `use = \"wallet\"`; leave it out here",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"\nuse = \"hmac\"",
            "agent.toml:3:10: `signers.W.template` is missing; add `template = ?` with its value in the place of `?`",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"\nchains = [1]\n[[signers.W.sign_in]]\nchain = 1",
            "agent.toml:6:1: `signers.W.sign_in.domain` is missing; add `domain = ?` with its value in the place of `?`\n\
             agent.toml:6:1: `signers.W.sign_in.uri` is missing; add `uri = ?` with its value in the place of `?`",
        ),
        (
            "[signers.W]\nfrom = \"file:x\"\nchains = [1]\n[[signers.W.call]]\nto = [\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]\nfunction = \"swap((address token, uint256 amount) p)\"",
            "agent.toml:8:12: `signers.W.call.function`: a function with names for the fields of a tuple, which have none here; write their types alone, as in `swap((address,uint256) p)`, and say `p.0` and `p.1` for them",
        ),
        (
            "[[secrets.K.allow]]\nhost = \"x\"\npaths = [\"/a\"]\nseal = [\"json:/a\"]\n[[secrets.K.allow]]\nhost = \"x\"\npaths = [\"/b\"]\n[[secrets.K.allow.answers_allowed]]\nrule = \"json-web-token\"\nat = \"json:/b\"",
            "agent.toml:7:1: `answers_allowed` for a host whose responses the entry in line 3 seals; leave `answers_allowed` out: what is sealed there could leak through it",
        ),
        ("sha256 = \"abc\"", "agent.toml:3:10: `sha256`: not a SHA-256; write 64 hexadecimal digits; `strongroom inspect` prints them"),
        ("[run]\nenv = { K = \"1\" }\n[secrets.K]", "agent.toml:5:10: `K` is also in `run.env`; keep one of the two"),
    ];
    for (lines, expected) in cases {
        assert_eq!(manifest(&format!("{HEAD}{lines}")), *expected, "for\n{lines}");
    }
}

#[test]
fn every_finding_of_a_file_is_reported_at_once() {
    let found = manifest("component = 3\n[limits]\ncpu = \"x\"\n[[egress]]\nhosts = \"x\"");

    assert_eq!(found.lines().count(), 5, "{found}");
}

#[test]
fn text_that_is_no_toml_is_placed_and_not_quoted() {
    let found = manifest("name = \"a\"\nkey = pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0");

    assert!(found.starts_with("agent.toml:2:7: not valid TOML"), "{found}");
    assert!(!found.contains("9f8e7d6c"), "{found}");
}

#[test]
fn a_secret_pasted_into_a_file_is_refused_and_not_quoted() {
    let value = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";
    for lines in [
        format!("[run]\nargs = [\"--key\", \"{value}\"]"),
        format!("[run]\nargs = [\"--key={value}\"]"),
        format!("[run]\nenv = {{ API_KEY = \"{value}\" }}"),
        format!("[secrets.K]\nfrom = \"{value}\""),
        format!("[secrets.K]\nfrom = \"env:{value}\""),
    ] {
        let found = manifest(&format!("{HEAD}{lines}"));
        assert!(found.contains("looks like a secret"), "{found}");
        assert!(!found.contains("9f8e7d6c"), "{found}");
    }
}

#[test]
fn the_host_configuration_is_as_strict() {
    let cases: &[(&str, &str)] = &[
        ("[network]\nalow = []", "strongroom.toml:2:1: unknown key `network.alow`; did you mean `allow`?"),
        (
            "[network]\nallow = [\"localhost\"]",
            "strongroom.toml:2:10: `network.allow`: not a network; write an address and a prefix length; `/32`, or `/128` in IPv6, is that address alone",
        ),
        (
            "[backends.env]",
            "strongroom.toml:1:11: `backends.env.type` is missing; add `type = ?`, which is `\"env\"`, `\"file\"`, `\"vault\"`, `\"aws\"`, `\"command\"` or `\"dir\"`",
        ),
        (
            "[backends.v]\ntype = \"vault\"\naddress = \"https://vault\"\nauth = { method = \"token\", token = \"env:T\", mount = \"x\" }\nregion = \"x\"",
            "strongroom.toml:4:45: `backends.v.auth.mount` belongs to `method = \"approle\"`, `\"kubernetes\"` or `\"jwt\"`; leave it out here\n\
             strongroom.toml:5:1: `backends.v.region` belongs to `type = \"aws\"`; leave it out here",
        ),
        (
            "[issuers.i]\ntype = \"http\"\nurl = \"https://a.test\"\nissue = \"POST /keys\"\nrevoke = \"DELETE /keys/{key}\"\nprobe = \"GET /me?x=1\"\nlist_keys = \"/keys\"",
            "strongroom.toml:6:9: `issuers.i.probe`: a call with a query; leave the query out: issuers are called by a method and a path alone\n\
             strongroom.toml:7:1: `issuers.i.list_keys` belongs together with `list`; leave it out here",
        ),
        (
            "[backends.vault]\ntype = \"vault\"\naddress = \"https://vault\"",
            "strongroom.toml:1:11: `backends.vault.auth` is missing; add `auth = { method = \"approle\", role_id = \"env:VAULT_ROLE_ID\", secret_id = \"env:VAULT_SECRET_ID\" }`",
        ),
        (
            "[backends.v]\ntype = \"vault\"\naddress = \"https://user@vault/ui\"\nauth = { method = \"token\", token = \"hvs.CAESIJ\" }\ncache = \"1h\"\nstale = \"1m\"",
            "strongroom.toml:3:11: `backends.v.address`: not the address of a server; write `https://HOST:PORT`, without a user and without a path\n\
             strongroom.toml:4:36: `backends.v.auth.token`: not a place for a credential; write `env:NAME` or `file:PATH`; never the credential itself\n\
             strongroom.toml:6:9: `backends.v.stale`: shorter than `cache`; write at least as long a time; both count from when the value was read",
        ),
        (
            "[backends.v]\ntype = \"vault\"\naddress = \"https://vault\"\nauth = { method = \"ldap\", user = \"x\" }\nleased = [\"database/../creds\"]",
            "strongroom.toml:4:19: `backends.v.auth.method`: an unknown method; write `\"approle\"`, `\"token\"`, `\"kubernetes\"` or `\"jwt\"`\n\
             strongroom.toml:5:11: `backends.v.leased`: a dot segment; write it without `.` and `..`",
        ),
        (
            "[backends.v]\ntype = \"vault\"\naddress = \"https://vault\"\n[backends.v.auth]\nmethod = \"approle\"\nrole_id = \"env:R\"\nsecret_id = \"env:S\"\n\
             renew = { role = \"a/b\", before = \"soon\" }",
            "strongroom.toml:8:9: `renew` has no place to put a new secret id; write `secret_id = \"file:PATH\"`, without `wrapped`, or leave `renew` out\n\
             strongroom.toml:8:18: `backends.v.auth.renew.role`: not the name of a role; write it as in `auth/approle/role/NAME`\n\
             strongroom.toml:8:34: `backends.v.auth.renew.before`: not a duration; write a whole number above 0 and a unit: ms, s, m, h or d, as in `10s`",
        ),
        ("[backends.a]\ntype = \"aws\"\nregoin = \"x\"", "strongroom.toml:3:1: unknown key `backends.a.regoin`; did you mean `region`?"),
        (
            "[signing]\nraw = [\"bot\"]",
            "strongroom.toml:2:8: `signing.raw`: not an agent's signer; write `AGENT/SIGNER`, as in `oracle-bot/feed`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(HostConfig::parse("strongroom.toml", text).expect_err("wrong").to_string(), *expected, "for\n{text}");
    }
}

#[test]
fn the_documented_example_is_valid() {
    let text = r#"
name = "trading-bot-1"
component = "trading_bot.wasm"

[run]
args = ["--pair", "ETH-USD"]
env = { PAIR = "ETH-USD" }

[limits]
memory = "64MiB"
cpu = "10s"
wall = "60s"
output = "8MiB"
requests = 32
sent = "64MiB"
received = "256MiB"
clock = "1ms"

[secrets.PURPLEFLEA_API_KEY]
from = "vault:agents/trading-bot-1#purpleflea_api_key"
namespace = "trading-bot-1"
format = "^pf_live_[a-f0-9]{32}$"
placeholder = "pf_live_{hex:32}"
expose = "env"

[[secrets.PURPLEFLEA_API_KEY.allow]]
host = "api.purpleflea.com"
methods = ["GET", "POST"]
paths = ["/v1/**"]
place = ["header:authorization"]
rate = "120/min"
misplaced = "deny"

[[egress]]
host = "api.coingecko.com"
methods = ["GET"]
paths = ["/**"]
rate = "10/s"
own_credentials = false
"#;
    let manifest = Manifest::parse("agent.toml", text).unwrap();

    assert_eq!(manifest.limits, strongroom::manifest::Limits::default(), "the documented defaults are the defaults");
    assert_eq!(manifest.secret("PURPLEFLEA_API_KEY").unwrap().allow.len(), 1);
    assert_eq!(manifest.secret("PURPLEFLEA_API_KEY").unwrap().from.to_string(), "vault:agents/trading-bot-1#purpleflea_api_key");
}

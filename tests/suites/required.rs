//! A key that is missing is told, and nothing else: no key that is right looks unknown or wrong because another one is not there.

use std::collections::{BTreeMap, BTreeSet};
use strongroom::{HostConfig, Manifest};
use toml::{Table, Value};

/// A manifest with every kind of table.
const MANIFEST: &str = r#"
name = "bot"
component = "bot.wasm"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
denials = "error"

[run]
args = ["--pair"]
env = { PAIR = "ETH-USD" }
restart = "on failure"
backoff = { from = "1s", to = "5m" }
give_up = 5
overlap = "queue"
queue = 4
concurrency = 2

[trigger]
cron = "0 9 * * MON-FRI"
time_zone = "Europe/Berlin"
missed = "run once"

[limits]
memory = "64MiB"
cpu = "10s"
wall = "60s"
output = "8MiB"
requests = 32
sent = "64MiB"
received = "256MiB"
records = 1000
clock = "1ms"

[secrets.KEY]
from = "vault:agents/bot#key"
namespace = "bot"
required = false
default = "none"
format = "^pf_live_[a-f0-9]{32}$"
placeholder = "pf_live_{hex:32}"
expose = "env"
rotation = { overlap = "10m" }

[[secrets.KEY.allow]]
host = "api.example.com"
methods = ["POST"]
paths = ["/v1/**"]
place = ["basic"]
rate = "120/min"
misplaced = "deny"
leaks = "deny"
leaks_allowed = ["json-web-token"]
seal = ["json:/token"]
sealed_place = ["header:x-session"]
graphql = "no-alias"
signed_urls = ["location"]
accept_parameters = ["escaping"]
headers = ["x-amz-copy-source"]
parameters = ["key"]
get_body = true
encoded_slashes = true
etags = "plain"

[[secrets.KEY.allow]]
host = "other.example.com"
paths = ["/a"]
[[secrets.KEY.allow.answers_allowed]]
rule = "json-web-token"
at = "json:/token"

[[egress]]
host = "www.example.com"
methods = ["GET"]
paths = ["/**"]
rate = "10/s"
own_credentials = true

[signers.wallet]
from = "file:bot/wallet"
namespace = "bot"
passphrase = "file:bot/passphrase"
path = "m/44'/60'/0'/0/0"
rate = "10/min"
use = "wallet"
chains = [1, 10]
kinds = ["1559", "7702"]
recipients = ["1:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
accounts = ["*:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
max_value = "1"
max_fee = "0.1"
max_gas = 100000
nonce_floor = { 1 = "42" }
messages = ["Hello"]
[[signers.wallet.call]]
to = ["1:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
value = "0.5"
function = "pay(address to, uint256 amount)"
nft = false
args = { amount = "10..500" }
spends = { amount = "amount", recipient = "to" }
[[signers.wallet.typed]]
type = "Pay(address asset,address to,uint256 amount,uint256 end)"
domain = { name = "Pay", version = "1", chain = 1, contract = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" }
spends = { asset = "asset", amount = "amount", recipient = "to" }
fields = { to = "self" }
deadlines = ["end"]
within = "1h"
[[signers.wallet.sign_in]]
domain = "app.example.com"
uri = "https://app.example.com/login"
chain = 1
within = "1h"
without_expiry = true
nonce_characters = "-"
resources = ["https://app.example.com/terms"]
[[signers.wallet.delegate]]
chain = 1
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
[[signers.wallet.limit]]
asset = "ETH"
chain = 1
day = "1"

[signers.tokens]
from = "file:bot/tokens"
use = "jwt"
issuer = "bot"
subject = "bot"
audience = "https://api.example.com"
scope = "read"
lifetime = "5m"
headers = { kid = "1" }
claims = ["order"]

[signers.mac]
from = "file:bot/mac"
use = "hmac"
template = "GET /v1/[a-z]+ [0-9]{10}"

[signers.chat]
from = "file:bot/chat"
use = "solana"
messages = ["Hello"]

[signers.raw]
from = "file:bot/raw"
use = "digest"
"#;

/// A host configuration with every kind of table.
const HOST: &str = r#"
[backends.env]
type = "env"
file = ".env"
names = ["{agent}_*"]
[backends.file]
type = "file"
path = "secrets.age"
key = "file:secrets.key"
paths = ["{agent}/**"]
[backends.role]
type = "vault"
address = "https://vault.example.com"
namespace = "team"
mount = "kv"
ca = ["ca.pem"]
paths = ["agents/{agent}"]
leased = ["database/creds/{agent}"]
cache = "1m"
stale = "1h"
auth = { method = "approle", mount = "approle", role_id = "env:R", secret_id = "file:id", renew = { role = "bots", before = "1h" } }
[backends.wrapped]
type = "vault"
address = "https://vault.example.com"
auth = { method = "approle", role_id = "env:R", secret_id = "env:W", wrapped = true }
[backends.token]
type = "vault"
address = "https://vault.example.com"
auth = { method = "token", token = "env:T" }
[backends.jwt]
type = "vault"
address = "https://vault.example.com"
auth = { method = "jwt", mount = "jwt", role = "bots", jwt = "file:jwt" }
[backends.pod]
type = "vault"
address = "https://vault.example.com"
auth = { method = "kubernetes", role = "bots" }
[backends.aws]
type = "aws"
region = "eu-west-1"
endpoint_url = "http://127.0.0.1:4566"
profile = "bots"
paths = ["agents/{agent}"]
cache = "1m"
stale = "1h"

[backends.command]
type = "command"
command = ["/usr/bin/op", "read", "op://agents/{path}"]
protocol = "json"
env = { HOME = "/" }
pass_env = ["OP_SERVICE_ACCOUNT_TOKEN"]
paths = ["{agent}/**"]
not_found = [1, 2]
timeout = "30s"
cache = "1m"
stale = "1h"
[backends.dir]
type = "dir"
path = "/run/secrets"
paths = ["*"]

[network]
allow = ["127.0.0.1/32"]
ca = ["ca.pem"]
proxy = "http://127.0.0.1:3128"
[audit]
file = "audit.jsonl"
[state]
dir = "state"
compiled = "1GiB"
[scrub]
rules = ["rules.toml"]

[issuers.preset]
type = "purpleflea"
url = "https://api.example.com"
credential = "env:ADMIN"
ca = ["ca.pem"]
[issuers.http]
type = "http"
url = "https://api.example.com"
credential = "env:ADMIN"
ca = ["ca.pem"]
place = "header:x-api-key"
issue = "POST /keys"
body = "{}"
key = "/key"
id = "/id"
expires = "/expires"
revoke = "DELETE /keys/{id}"
list = "GET /keys"
list_keys = "/keys"
list_id = "/id"
probe = "GET /me"
header = "x-key-expires-in"
[issuers.managed]
type = "aws-managed"

[rotations.key]
secrets = ["vault:agents/bot#key"]
issuer = "http"
id = "7"
every = "30d"
rotate_before = "7d"
warn_before = "3d"
drain = "1m"
after_drain = "revoke"
overlap = "10m"
timeout = "30s"
webhook = "https://alerts.example.com/x"

[signing]
hot_limit = { ETH = "5" }
ledger = "ledger"
max_downtime = "7d"
raw = ["bot/raw"]
permit2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
[[signing.assets]]
symbol = "USDC"
chain = 1
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
standard = "erc20"
decimals = 6
[[signing.assets]]
symbol = "ART"
chain = 1
address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
standard = "erc721"
[signing.chains.7]
native = "SEVEN"
surcharge = "0.0001"
[[signing.caps]]
signer = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
asset = "ETH"
chain = 1
total = "1"
[signing.kms]
region = "eu-west-1"
endpoint_url = "http://127.0.0.1:4566"
profile = "bots"
keys = ["alias/{agent}"]
[signing.pkcs11]
module = "libhsm.so"
token = "agents"
pin = "env:PIN"
keys = ["{agent}"]
sessions = 4
[signing.remote.custody]
url = "https://signer.test:9000"
ca = ["ca.pem"]
certificate = "client.pem"
key = "file:client.key"
token = "env:TOKEN"
typed_data = "eth_signTypedData_v4"
accounts = ["bot/0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
timeout = "5s"
"#;

/// Keys that say what their table is: without one, the others are for something else.
const CHOICES: [&str; 2] = ["use", "list"];

/// A way to a key: names, and numbers of elements.
type Way = Vec<String>;

fn ways(value: &Value, way: &Way, all: &mut Vec<Way>) {
    let further = |step: &str| way.iter().cloned().chain([step.to_owned()]).collect::<Way>();
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| {
            all.push(further(key));
            ways(value, &further(key), all);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| ways(item, &further(&at.to_string()), all)),
        _ => {}
    }
}

fn without(whole: &Table, way: &[String]) -> String {
    let mut whole = Value::Table(whole.clone());
    let (last, before) = way.split_last().unwrap();
    let holder = before.iter().fold(&mut whole, |value, step| match value {
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        value => &mut value[step.as_str()],
    });
    holder.as_table_mut().unwrap().remove(last);
    toml::to_string(&whole).unwrap()
}

/// Takes each key out, one at a time; gives those that can't be missing.
fn required(text: &str, parse: impl Fn(&str) -> Result<(), String>) -> BTreeSet<String> {
    parse(text).unwrap_or_else(|error| panic!("the whole is right: {error}"));
    let whole: Table = text.parse().unwrap();
    let mut all = Vec::new();
    ways(&Value::Table(whole.clone()), &Vec::new(), &mut all);
    let mut required = BTreeSet::new();
    for way in all.iter().filter(|way| !CHOICES.contains(&way.last().unwrap().as_str())) {
        let Err(found) = parse(&without(&whole, way)) else { continue };
        let key = way.last().unwrap();
        assert_eq!(found.lines().count(), 1, "without {way:?}:\n{found}");
        let named = [format!("`{key}`"), format!(".{key}`"), format!("`{key} = ")].iter().any(|name| found.contains(name));
        assert!(named, "without {way:?}: {found}");
        required.insert(way.join("."));
    }
    required
}

/// Keys by their last name, with how many there are.
fn counted(required: &BTreeSet<String>) -> String {
    let mut counts = BTreeMap::new();
    required.iter().for_each(|way| *counts.entry(way.rsplit('.').next().unwrap()).or_insert(0) += 1);
    counts.iter().map(|(key, count)| format!("{key}:{count}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_key_that_a_manifest_lacks_is_the_one_finding() {
    let required = required(MANIFEST, |text| Manifest::parse("agent.toml", text).map(drop).map_err(|error| error.to_string()));

    assert_eq!(
        counted(&required),
        "address:1 amount:2 asset:1 at:1 audience:1 chain:4 chains:1 component:1 cron:1 day:1 domain:2 from:5 function:1 host:3 \
         messages:1 name:1 overlap:1 paths:2 recipient:2 required:1 restart:1 rule:1 seal:1 template:1 to:1 type:1 uri:1"
    );
}

#[test]
fn each_key_that_a_host_configuration_lacks_is_the_one_finding() {
    let required = required(HOST, |text| HostConfig::parse("strongroom.toml", text).map(drop).map_err(|error| error.to_string()));

    assert_eq!(
        counted(&required),
        "accounts:1 address:7 asset:1 auth:5 certificate:1 chain:3 command:1 decimals:1 id:1 issue:1 issuer:1 jwt:1 key:2 method:5 module:1 native:1 path:2 \
         pin:1 probe:1 protocol:1 revoke:1 role:3 role_id:2 secret_id:2 secrets:1 signer:1 standard:2 symbol:2 token:2 total:1 type:13 url:3"
    );
}

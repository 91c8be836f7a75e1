//! The table of what a hostile agent asks a wallet to sign, `tests/hostile/signing.toml`: each case is a host of its own, and a real
//! component that asks.

use alloy_dyn_abi::{DynSolType, DynSolValue, Specifier};
use alloy_json_abi::Function;
use alloy_primitives::{Address, B256, hex, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde_json::Value as Json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use strongroom::{Agent, Captured, End, Rule, RunOptions};
use strongroom_tests::block_on;
use strongroom_tests::fixtures::wallet::{ADDRESS, KEY, Opened, WalletFixture, coded, decoded};
use toml::{Table, Value};

/// The rules by which something is not signed.
const RULES: &[Rule] = &[
    Rule::Signer,
    Rule::Undecodable,
    Rule::Chain,
    Rule::Kind,
    Rule::Nonce,
    Rule::Fee,
    Rule::Value,
    Rule::Recipient,
    Rule::Account,
    Rule::Call,
    Rule::Argument,
    Rule::Asset,
    Rule::TypedData,
    Rule::Deadline,
    Rule::Delegate,
    Rule::Message,
    Rule::SignIn,
    Rule::Claims,
    Rule::Hmac,
    Rule::Digest,
    Rule::Spend,
    Rule::Idempotency,
    Rule::Ledger,
];

/// How many cases are tried at once.
const THREADS: usize = 2;

/// The whole table, for a key.
pub(crate) struct Book {
    table: Table,
    /// The key's address (EIP-55).
    own: String,
    /// Where the key is, as a manifest says it.
    from: String,
}

/// What a case, or what comes before it, asks for, and what must come of it.
struct Asked<'b> {
    book: &'b Book,
    table: &'b Table,
}

pub(crate) type Outcome<T> = Result<T, String>;

impl Book {
    /// The table, with its names filled in, for the key that most tests have.
    pub(crate) fn read() -> Self {
        Self::of(ADDRESS, "static:WALLET")
    }

    /// The same for another key.
    pub(crate) fn of(own: &str, from: &str) -> Self {
        let text = include_str!("../hostile/signing.toml");
        let mut names = text.parse::<Table>().unwrap()["names"].as_table().unwrap().clone();
        names.insert("OWN".to_owned(), own.to_lowercase().into());
        names.insert("OWN_MIXED".to_owned(), own.into());
        let named = |text: String, (name, value): (&String, &Value)| text.replace(&format!("{{{name}}}"), value.as_str().unwrap());
        let table = names.iter().fold(text.to_owned(), named).parse().unwrap();
        Self { table, own: own.to_owned(), from: from.to_owned() }
    }

    /// All cases, one for each of its `each`.
    pub(crate) fn cases(&self) -> Vec<Table> {
        let mut cases = Vec::new();
        for case in self.table["case"].as_array().unwrap() {
            let mut table = case.as_table().unwrap().clone();
            match table.remove("each") {
                None => cases.push(table),
                Some(each) => cases.extend(each.as_array().unwrap().iter().map(|each| {
                    let mut case = filled(&Value::Table(table.clone()), each.as_str().unwrap()).as_table().unwrap().clone();
                    case.insert("of".to_owned(), each.clone());
                    case
                })),
            }
        }
        cases
    }

    fn policy(&self, case: &Table) -> Table {
        case.get("policy").map(|name| self.table["policy"][name.as_str().unwrap()].as_table().unwrap().clone()).unwrap_or_default()
    }

    /// The manifest's lines of an agent's signer, without its table's head.
    fn lines(&self, case: &Table) -> String {
        [text(case, "manifest"), text(&self.policy(case), "manifest"), text(case, "after")].join("\n")
    }

    /// The manifest's lines of an agent's signer.
    fn signer(&self, case: &Table) -> String {
        match case.get("whole") {
            Some(whole) => whole.as_str().unwrap().to_owned(),
            None => format!("[signers.wallet]\nfrom = \"{}\"\n{}", self.from, self.lines(case)),
        }
    }

    /// The lines of the host configuration.
    pub(crate) fn host(&self, case: &Table) -> String {
        [text(case, "host"), text(&self.policy(case), "host"), text(&self.table, "host")].join("\n")
    }

    /// The manifests of a case's agents that are taken.
    pub(crate) fn manifests(&self, case: &Table) -> Vec<String> {
        let named = |(name, lines): (&str, String)| format!("name = \"{name}\"\ncomponent = \"probe.wasm\"\n{lines}\n");
        let beside = case.get("beside").filter(|_| !case.contains_key("beside_refused"));
        let beside = beside.map(|beside| ("probe-2", beside.as_str().map_or_else(|| self.signer(case), str::to_owned)));
        [(name(case), self.signer(case))].into_iter().chain(beside).map(named).collect()
    }

    pub(crate) fn treasury(&self, case: &Table) -> WalletFixture {
        let policy = self.policy(case);
        let named = |manifest: &mut String| *manifest = manifest.replacen("probe-1", name(case), 1);
        let treasury = WalletFixture::with(&self.signer(case)).amended(|manifest, _| named(manifest));
        let values = [policy.get("values"), case.get("values")].into_iter().flatten();
        let values = values.flat_map(|values| values.as_table().unwrap());
        values.fold(treasury.config(&self.host(case)), |treasury, (name, value)| treasury.value(name, value.as_str().unwrap()))
    }

    /// Asks what a case asks for, after what comes before it, and gives the denial that came of it: its rule and its remedy.
    pub(crate) fn denial(&self, case: &Table, opened: &Opened) -> Outcome<Option<(String, String)>> {
        for before in case.get("prepare").and_then(Value::as_array).into_iter().flatten() {
            ask(&opened.agent, &Asked { book: self, table: before.as_table().unwrap() }.operation())?;
        }
        let before = opened.records("denial").len();
        ask(&opened.agent, &Asked { book: self, table: case }.operation())?;
        let text = |record: &Json, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        Ok(opened.records("denial").get(before).map(|record| (text(record, "rule"), text(record, "remedy"))))
    }

    /// Tries a case, with more lines of the host configuration.
    pub(crate) fn attempt(&self, case: &Table, more: &str) -> Outcome<()> {
        let opened = self.treasury(case).config(more).load().and_then(|opened| match case.contains_key("unconfirmed") {
            true => Ok(opened),
            false => block_on(opened.agent.confirm_signers()).map(|_| opened).map_err(|error| error.to_string()),
        });
        if let Some(refused) = case.get("refused") {
            return refusal(opened.map(|_| ()), refused.as_str().unwrap());
        }
        let opened = opened.map_err(|error| format!("it is refused: {error}"))?;
        let other = match case.get("beside") {
            None => None,
            Some(beside) => {
                let lines = beside.as_str().map_or_else(|| self.signer(case), str::to_owned);
                let other = opened
                    .beside(&format!("name = \"probe-2\"\ncomponent = \"probe.wasm\"\n{lines}\n"))
                    .and_then(|other| block_on(other.confirm_signers()).map(|_| other).map_err(|error| error.to_string()));
                if let Some(refused) = case.get("beside_refused") {
                    return refusal(other.map(|_| ()), refused.as_str().unwrap());
                }
                Some(other.map_err(|error| format!("probe-2 is refused: {error}"))?)
            }
        };
        for before in case.get("prepare").and_then(Value::as_array).into_iter().flatten() {
            let before = before.as_table().unwrap();
            let agent = if before.contains_key("by") { other.as_ref().unwrap() } else { &opened.agent };
            Asked { book: self, table: before }.judged(&opened, agent).map_err(|wrong| format!("before it: {wrong}"))?;
        }
        Asked { book: self, table: case }.judged(&opened, &opened.agent)
    }
}

/// The name of a case's agent.
fn name(case: &Table) -> &str {
    case.get("agent").map_or("probe-1", |name| name.as_str().unwrap())
}

/// Whether what was to be refused is, with that text, and without the key.
fn refusal(outcome: Outcome<()>, expected: &str) -> Outcome<()> {
    let error = outcome.err().ok_or_else(|| "it is not refused".to_owned())?;
    match error.contains(expected) && !error.to_lowercase().contains(&KEY[2..]) {
        true => Ok(()),
        false => Err(format!("it is refused otherwise: {error}")),
    }
}

impl Asked<'_> {
    /// Asks, and compares what came of it with what had to.
    fn judged(&self, opened: &Opened, agent: &Agent) -> Outcome<()> {
        let records = || (opened.records("denial"), opened.records("signed"));
        let (denials, signed) = records();
        let (before_denials, before_signed) = (denials.len(), signed.len());

        let told = ask(agent, &self.operation())?;

        let (denials, signed) = records();
        let (denials, signed) = (&denials[before_denials..], &signed[before_signed..]);
        let wrong = |what: &str| Err(format!("{what}: the guest is told {told:?}, the audit log has {denials:?} {signed:?}"));
        let undecodable = self.table.get("malformed").map(|_| Rule::Undecodable.as_str());
        if let Some(rules) = self.table.get("denied").and_then(Value::as_str).or(undecodable) {
            let [denial] = denials else { return wrong("not denied once") };
            let rule = denial["rule"].as_str().unwrap();
            let says_rule = match rule {
                "undecodable" => "not to be signed: ".to_owned(),
                "signer" => "is not available to this agent".to_owned(),
                rule => format!("denied by rule `{rule}`: "),
            };
            let expected = [texts(self.table.get("tells")), texts(self.table.get("malformed")), vec![says_rule]].concat();
            if !rules.split('|').any(|known| known == rule) {
                return wrong("denied by another rule");
            }
            if !signed.is_empty() {
                return wrong("denied, and signed");
            }
            return match expected.iter().find(|text| !told.contains(*text)) {
                Some(text) => wrong(&format!("the guest is not told {text:?}")),
                None => Ok(()),
            };
        }
        if !denials.is_empty() {
            return wrong("denied");
        }
        if let Some(answers) = self.table.get("answers") {
            return if told.starts_with(answers.as_str().unwrap()) && signed.is_empty() { Ok(()) } else { wrong("it answers otherwise") };
        }
        let [record] = signed else { return wrong("not signed once") };
        self.matches(record, &told).or_else(|what| wrong(&what))
    }

    /// Whether what was signed, and its record, are what they have to be.
    fn matches(&self, record: &Json, told: &str) -> Outcome<()> {
        let has = |key: &str| self.table.contains_key(key);
        if let Some(spends) = self.table.get("spends")
            && record["spends"] != serde_json::to_value(spends).unwrap()
        {
            return Err(format!("it does not spend {spends}"));
        }
        let what = texts_of(&record["what"]).join("\n");
        if let Some(missing) = texts(self.table.get("says")).iter().find(|text| !what.contains(*text)) {
            return Err(format!("the record does not say {missing:?}"));
        }
        if (record["again"] == true) != has("again") {
            return Err("signed before, or not".to_owned());
        }
        let words: Vec<&str> = told.split(' ').collect();
        let good = if has("tx") || has("payload") {
            words.len() == 2 && keccak256(decoded(words[0])).as_slice() == decoded(words[1])
        } else if has("jwt") {
            let token = String::from_utf8(decoded(told)).unwrap_or_default();
            token.split('.').filter(|part| !part.is_empty()).count() == 3
        } else if has("hmac") {
            decoded(told).len() == 32
        } else {
            let (bytes, odd) = match words.as_slice() {
                [odd, r, s] => ([decoded(r), decoded(s)].concat(), odd.parse().unwrap()),
                _ => {
                    let bytes = decoded(told);
                    let v = *bytes.last().unwrap();
                    (bytes, v.wrapping_sub(27))
                }
            };
            let digest: B256 = record["digest"].as_str().unwrap().parse().unwrap();
            recovered(&digest, &bytes[..64], odd).is_some_and(|address| address.to_string() == self.book.own)
        };
        if good { Ok(()) } else { Err("what is given out is no signature of the key".to_owned()) }
    }

    /// What the probe is to do.
    fn operation(&self) -> String {
        let get = |key: &str| self.table.get(key);
        let said = |text: String| coded(dated(&swapped(text, get("swap"))));
        let words = if let Some(tx) = get("tx") {
            fields(parsed(tx).as_table().unwrap())
        } else if let Some(payload) = get("payload") {
            format!("payload {}", coded(bytes(&plain(payload))))
        } else if let Some(message) = get("message") {
            format!("message {}", said(plain(message)))
        } else if let Some(message) = get("message_hex") {
            format!("message {}", coded(bytes(&plain(message))))
        } else if let Some(name) = get("text") {
            format!("message {}", said(plain(&self.book.table["text"][plain(name).as_str()])))
        } else if let Some(document) = get("typed") {
            format!("typed {}", said(self.document(&plain(document))))
        } else if let Some(authorization) = get("authorization") {
            let parts: Vec<String> = parsed(authorization).as_array().unwrap().iter().map(plain).collect();
            format!("authorization {}", parts.join(" "))
        } else if let Some(digest) = get("digest") {
            format!("digest {}", coded(bytes(&plain(digest))))
        } else if let Some(input) = get("hmac") {
            format!("hmac {}", coded(plain(input)))
        } else if let Some(claims) = get("jwt") {
            format!("jwt {}", coded(plain(claims)))
        } else {
            "address".to_owned()
        };
        let signer = get("signer").map_or("wallet".to_owned(), plain);
        let key = get("key").map(|key| format!(" key:{}", plain(key))).unwrap_or_default();
        format!("sign {signer} {words}{key}")
    }

    /// The JSON of typed data: of that name in the table and edited, or as it is.
    fn document(&self, name: &str) -> String {
        let Some(known) = self.book.table["document"].as_table().unwrap().get(name) else { return name.to_owned() };
        let mut json: Json = serde_json::from_str(known["json"].as_str().unwrap()).unwrap();
        let edits = self.table.get("edit").map(parsed);
        for (path, value) in edits.iter().flat_map(|edits| edits.as_table().unwrap()) {
            let value = match value.as_array().and_then(|items| items.first()?.as_str()) {
                Some(_) => Json::String(format!("0x{}", hex::encode(calldata(value)))),
                None => serde_json::to_value(value).unwrap(),
            };
            match around(&mut json, path) {
                (Json::Array(items), last) => items[last.parse::<usize>().unwrap()] = value,
                (Json::Object(fields), last) => {
                    fields.insert(last, value);
                }
                _ => panic!("{name} has no {path}"),
            }
        }
        for path in texts(self.table.get("drop")) {
            let (parent, last) = around(&mut json, &path);
            let dropped = parent.as_object_mut().unwrap().remove(&last);
            assert!(dropped.is_some(), "{name} has no {path}");
        }
        serde_json::to_string(&json).unwrap()
    }
}

/// What the probe prints of one operation.
fn ask(agent: &Agent, operation: &str) -> Outcome<String> {
    let stdout = Captured::default();
    let options = RunOptions::default().args([operation.to_owned()]).stdout(stdout.clone());
    let outcome = block_on(agent.run(options)).map_err(|error| error.to_string())?;
    if outcome.end != End::Exit(0) {
        return Err(format!("the run ends with {}", outcome.end));
    }
    let text = stdout.text();
    let told = text.strip_prefix("sign ").ok_or_else(|| format!("the probe prints {text:?}"))?;
    Ok(told.trim_end_matches('\n').to_owned())
}

fn recovered(digest: &B256, signature: &[u8], odd: u8) -> Option<Address> {
    let signature = Signature::from_slice(signature).ok()?;
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, RecoveryId::from_byte(odd)?).ok()?;
    Some(Address::from_slice(&keccak256(&key.to_encoded_point(false).as_bytes()[1..])[12..]))
}

/// A transaction as the probe takes its fields.
fn fields(tx: &Table) -> String {
    let text = |key: &str, otherwise: &str| tx.get(key).map_or_else(|| otherwise.to_owned(), plain);
    let list = |key: &str| tx.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let kind = text("kind", "1559");
    let input = match (tx.get("call"), tx.get("data")) {
        (Some(call), _) => calldata(call),
        (None, Some(data)) => bytes(&plain(data)),
        (None, None) => Vec::new(),
    };
    let mut words = vec!["fields".to_owned()];
    words.extend(
        [("chain", "1"), ("nonce", "0"), ("to", ""), ("value", "0")].map(|(key, otherwise)| format!("{key}:{}", text(key, otherwise))),
    );
    words.push(format!("gas:{}", text("gas", if input.is_empty() { "21000" } else { "100000" })));
    match kind.as_str() {
        "legacy" | "2930" => words.push(format!("price:{}", text("price", "1000000000"))),
        _ => words.extend([format!("max:{}", text("max", "1000000000")), format!("priority:{}", text("priority", "1"))]),
    }
    if !input.is_empty() {
        words.push(format!("input:{}", coded(input)));
    }
    let word = |value: &Value| coded(bytes(&plain(value)));
    for entry in list("access") {
        let (address, slots) = entry.as_array().unwrap().split_first().unwrap();
        words.push(format!("access:{}", std::iter::once(plain(address)).chain(slots.iter().map(word)).collect::<Vec<_>>().join(",")));
    }
    if kind == "2930" && list("access").is_empty() {
        words.push("access:".to_owned());
    }
    if let Some((fee, hashes)) = list("blobs").split_first() {
        words.push(format!("blobs:{}", std::iter::once(plain(fee)).chain(hashes.iter().map(word)).collect::<Vec<_>>().join(",")));
    } else if kind == "4844" {
        words.push(format!("blobs:1000000000,{}", coded([1u8; 32])));
    }
    for entry in list("authorize") {
        let parts: Vec<String> = entry.as_array().unwrap().iter().map(plain).collect();
        words.push(format!("authorize:{},0,{},{}", parts.join(","), coded([17u8; 32]), coded([34u8; 32])));
    }
    words.join(" ")
}

/// The bytes of a call: a function as Solidity writes it, and its arguments.
fn calldata(call: &Value) -> Vec<u8> {
    let (signature, arguments) = call.as_array().unwrap().split_first().unwrap();
    let function = Function::parse(signature.as_str().unwrap()).unwrap();
    let types: Vec<DynSolType> = function.inputs.iter().map(|input| input.resolve().unwrap()).collect();
    assert_eq!(types.len(), arguments.len(), "{call}");
    let values: Vec<DynSolValue> = types.iter().zip(arguments).map(|(of, value)| argument(of, value)).collect();
    let encoded = if values.is_empty() { Vec::new() } else { DynSolValue::Tuple(values).abi_encode_params() };
    [function.selector().as_slice(), &encoded].concat()
}

fn argument(of: &DynSolType, value: &Value) -> DynSolValue {
    match (of, value) {
        (DynSolType::Bytes, Value::Array(_)) => DynSolValue::Bytes(calldata(value)),
        (DynSolType::Bytes, value) => DynSolValue::Bytes(bytes(&plain(value))),
        (DynSolType::String, value) => DynSolValue::String(plain(value)),
        (DynSolType::Array(inner), Value::Array(items)) => {
            DynSolValue::Array(items.iter().flat_map(repeated).map(|item| argument(inner, item)).collect())
        }
        (DynSolType::Tuple(types), Value::Array(items)) => {
            assert_eq!(types.len(), items.len(), "{value}");
            DynSolValue::Tuple(types.iter().zip(items).map(|(of, item)| argument(of, item)).collect())
        }
        (of, value) => of.coerce_str(&plain(value)).unwrap_or_else(|error| panic!("{value} is no {of}: {error}")),
    }
}

/// An element, or `{ times = N, item = … }`.
fn repeated(item: &Value) -> Vec<&Value> {
    match item.as_table() {
        Some(table) => vec![&table["item"]; usize::try_from(table["times"].as_integer().unwrap()).unwrap()],
        None => vec![item],
    }
}

/// What a path leads to but its last step, and that.
fn around<'j>(json: &'j mut Json, path: &str) -> (&'j mut Json, String) {
    let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
    let parent = json.pointer_mut(&pointer).unwrap_or_else(|| panic!("there is no {path}"));
    (parent, last.to_owned())
}

/// A text in which each first of a pair, which is there, has become the second.
fn swapped(text: String, pairs: Option<&Value>) -> String {
    let pairs = pairs.map(parsed);
    let pairs = pairs.iter().flat_map(|pairs| pairs.as_array().unwrap());
    pairs.fold(text, |text, pair| {
        let (from, to) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        assert!(text.contains(from), "{from:?} is not in {text}");
        text.replacen(from, to, 1)
    })
}

/// A text with its times filled in.
fn dated(text: &str) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = ["NOW+", "TIME+", "TIME-"].iter().filter_map(|marker| rest.find(marker)).min() {
        let (before, marked) = rest.split_at(at);
        let sign = marked.find(['+', '-']).unwrap();
        let end = sign + 1 + marked[sign + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let time = now + marked[sign..end].parse::<i64>().unwrap();
        out.push_str(before);
        out.push_str(&if marked.starts_with("NOW") { time.to_string() } else { rfc_3339(time) });
        rest = &marked[end..];
    }
    out + rest
}

/// Seconds since 1970 as RFC 3339 writes them. The calendar is Howard Hinnant's `civil_from_days`.
fn rfc_3339(time: i64) -> String {
    let (days, second) = (time.div_euclid(86_400) + 719_468, time.rem_euclid(86_400));
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// The value with each `@` of its texts filled in.
fn filled(value: &Value, each: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('@', each)),
        Value::Array(items) => Value::Array(items.iter().map(|item| filled(item, each)).collect()),
        Value::Table(table) => Value::Table(table.iter().map(|(key, value)| (key.clone(), filled(value, each))).collect()),
        other => other.clone(),
    }
}

/// A value, or what its text stands for.
fn parsed(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => format!("it = {text}").parse::<Table>().unwrap_or_else(|error| panic!("{text}: {error}"))["it"].clone(),
        None => value.clone(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(table: &Table, key: &str) -> String {
    table.get(key).map(plain).unwrap_or_default()
}

/// A list of texts; one text is a list of one.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().map(plain).collect(),
        Some(value) => vec![plain(value)],
        None => Vec::new(),
    }
}

fn texts_of(value: &Json) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Tries cases, two at once, and says which come to something else.
pub(crate) fn tried(cases: &[Table], attempt: impl Fn(&Table) -> Outcome<()> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let attempts = || {
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = attempt(case) {
                let of = case.get("of").map(|of| format!(" ({of})")).unwrap_or_default();
                wrong.push(format!("row {}, {}, {}{of}: {why}", case["row"], text(case, "policy"), text(case, "name")));
            }
        }
        wrong
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(attempts)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn every_case_of_the_table_comes_to_what_it_says() {
    let book = Book::read();
    let cases = book.cases();

    let wrong = tried(&cases, |case| book.attempt(case, ""));

    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_rule_of_signing_is_tried_and_so_is_what_must_be_signed() {
    let book = Book::read();
    let cases = book.cases();
    let with = |keys: &[&str]| cases.iter().filter(|case| keys.iter().any(|key| case.contains_key(*key))).count();

    for rule in RULES.iter().map(|rule| rule.as_str()) {
        let by_rule = cases.iter().filter(|case| match rule {
            "undecodable" => case.contains_key("malformed"),
            rule => text(case, "denied") == rule,
        });
        let tried = by_rule.count();
        assert!(tried >= 3, "`{rule}` has {tried} cases");
    }
    assert!(with(&["denied", "malformed", "refused", "beside_refused"]) >= 120);
    assert!(with(&["signed", "answers"]) >= 30);
    assert!(book.table["policy"].as_table().unwrap().keys().all(|policy| cases.iter().any(|case| text(case, "policy") == *policy)));
}

//! The table of what a hostile agent tries, `tests/hostile/cases.toml`: each case is a run of a real component over real sockets.

use http::{HeaderName, HeaderValue};
use std::net::SocketAddr;
use strongroom::{End, Resolve};
use strongroom_demo::server::respond;
use strongroom_tests::{AgentFixture, Ran, VALUE, echo};
use toml::{Table, Value};

/// Every name leads to this address.
struct Leads(String);

#[async_trait::async_trait]
impl Resolve for Leads {
    async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(self.0.parse().unwrap(), port)])
    }
}

/// One case, with `@` filled in.
pub(crate) struct Case {
    pub(crate) table: Table,
    each: String,
}

impl Case {
    fn filled(&self, text: &str) -> String {
        if self.each.is_empty() { text.to_owned() } else { text.replace('@', &self.each) }
    }

    fn text(&self, key: &str) -> Option<String> {
        self.table.get(key).and_then(Value::as_str).map(|text| self.filled(text))
    }

    /// A list of texts; one text is a list of one.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        match self.table.get(key) {
            Some(Value::Array(items)) => items.iter().map(|item| self.filled(item.as_str().unwrap())).collect(),
            Some(Value::String(text)) => vec![self.filled(text)],
            _ => Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> String {
        let row = self.table.get("row").map(|row| format!("row {row}, ")).unwrap_or_default();
        format!("{row}{} {}", self.text("name").unwrap(), self.each.escape_debug())
    }

    pub(crate) fn room(&self) -> AgentFixture {
        let grant = self.text("grant").unwrap_or("host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]".into());
        let mut room = AgentFixture::with(&format!(
            "{}\n[secrets.KEY]\nplaceholder = \"pf_live_{{hex:32}}\"\nexpose = \"env\"\n{}\n[[secrets.KEY.allow]]\n{grant}\n[[egress]]\nhost = \"other.test\"\nmethods = [\"GET\", \"POST\"]",
            self.text("manifest").unwrap_or_default(),
            self.text("secret").unwrap_or_default(),
        ));
        if let Some(value) = self.text("value") {
            room = room.value("KEY", &value.replace("\\n", "\n"));
        }
        if let Some(address) = self.text("resolve") {
            room = room.resolver(Leads(address));
        }
        if self.table.get("plain_http").is_some() {
            room = room.plain_http();
        }
        let Some(body) = self.text("answer") else { return room };
        let status = self.text("status").map_or(200, |status| status.parse().unwrap());
        let headers = self.table.get("answer_headers").and_then(Value::as_table).cloned().unwrap_or_default();
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| (self.filled(name), self.filled(value.as_str().unwrap()).replace("{VALUE}", VALUE)))
            .collect();
        let body = match body.split_once("{VALUE:") {
            Some((before, length)) => format!("{before}{}", &VALUE[..length.trim_end_matches('}').parse().unwrap()]),
            None => body.replace("{VALUE}", VALUE),
        };
        room.server(move |_| {
            let mut answer = respond(status, "text/plain", body.clone());
            for (name, value) in &headers {
                answer.headers_mut().insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
            }
            answer
        })
    }

    fn try_it(&self) {
        let name = self.name();
        let operations = self.list("do");
        let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
        let ran = self.room().try_run(&operations);
        if let Some(refused) = self.text("refused") {
            let error = ran.err().unwrap_or_else(|| panic!("{name}: it ran"));
            assert!(error.contains(&refused), "{name}: {error}");
            assert!(
                !error.contains(VALUE)
                    && (self.table.get("row").and_then(Value::as_integer) != Some(13)
                        || self.each.len() < 20
                        || !error.contains(&self.each)),
                "{name}: {error} quotes the value"
            );
            return;
        }
        let ran = ran.unwrap_or_else(|error| panic!("{name}: {error}"));
        match self.text("ends") {
            None => assert_eq!(ran.outcome.end, End::Exit(0), "{name}: {}\n{}", ran.stdout, ran.stderr),
            Some(ends) => {
                let outcome = ran.records("run-end")[0]["outcome"].as_str().unwrap().to_owned();
                assert!(outcome.starts_with(&ends), "{name}: it ended with {outcome}");
            }
        }
        assert!(ran.searched > 0, "{name}: no guest memory was searched");
        assert_eq!(ran.leaks, Vec::<String>::new(), "{name}: {}", ran.stdout);
        self.compare(&name, &ran);
    }

    fn compare(&self, name: &str, ran: &Ran) {
        let denied = self.list("denied");
        let found = ran.denied();
        let holds = |(rule, found): (&String, &&str)| rule.split('|').any(|rule| rule == *found);
        assert!(denied.len() == found.len() && denied.iter().zip(&found).all(holds), "{name}: denied by {found:?}: {}", ran.stdout);
        let given = format!("{}{}{}", ran.stdout, ran.stderr, ran.log);
        for rule in &found {
            assert!(
                given.contains(&format!("denied by rule `{rule}`"))
                    // An operation that prints the status alone.
                    || given.contains(" 403\n")
                    || *rule == "secret"
                    // `access-denied` of `wasi:keyvalue` has no text.
                    || (*rule == "state" && given.contains("the state` is not available"))
                    || self.text("ends").is_some(),
                "{name}: the guest is told: {given}"
            );
        }
        let sent = self.text("sent");
        let seen = self.table.get("seen").and_then(Value::as_integer);
        let expected = seen.or((!denied.is_empty()).then_some(0)).or(sent.is_some().then_some(1));
        if let Some(expected) = expected {
            assert_eq!(ran.seen.len() as i64, expected, "{name}: {:?}", ran.seen);
        }
        let wire: String = ran.seen.iter().map(|seen| seen.text()).collect();
        match sent.as_deref() {
            None => {}
            Some("value") => assert!(ran.seen[0].header("authorization").ends_with(VALUE), "{name}: {wire}"),
            Some("nothing") => assert!(!wire.contains(VALUE) && ran.seen[0].header("authorization").is_empty(), "{name}: {wire}"),
            Some("inert") => {
                assert!(!wire.contains(VALUE) && String::from_utf8_lossy(&ran.seen[0].body).contains("pf_live_"), "{name}: {wire}");
                assert_eq!(ran.records("inert-placeholder").len(), 1, "{name}: it is audited");
            }
            Some(other) => panic!("{name}: the table knows no `{other}`"),
        }
        let audit = format!("{:?}", ran.audit);
        for text in self.list("prints") {
            assert!(given.contains(&text), "{name}: not in what it printed: {text}\n{given}");
        }
        if let Some(form) = self.text("never_form") {
            let form = String::from_utf8_lossy(&echo::formed(VALUE, &form)).into_owned();
            assert!(!given.contains(&form), "{name}: it came back as it was: {given}");
        }
        for text in self.list("never") {
            assert!(!given.contains(&text) && !audit.contains(&text), "{name}: {text} stands in\n{given}\n{audit}");
        }
        for text in self.list("wire") {
            assert!(wire.contains(&text), "{name}: not on the wire: {text}\n{wire}\n{given}");
        }
        for text in self.list("wire_never") {
            assert!(!wire.contains(&text), "{name}: {text} on the wire\n{wire}");
        }
        for event in self.list("audit") {
            assert!(!ran.records(&event).is_empty(), "{name}: no record of {event}");
        }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    read(include_str!("../hostile/cases.toml"))
}

fn read(table: &str) -> Vec<Case> {
    let table: Table = table.parse().unwrap();
    let cases = table["case"].as_array().unwrap().iter().map(|case| case.as_table().unwrap().clone());
    let each = |table: Table| match table.get("each").and_then(Value::as_array).cloned() {
        None => vec![Case { table, each: String::new() }],
        Some(each) => each.iter().map(|each| Case { table: table.clone(), each: each.as_str().unwrap().to_owned() }).collect(),
    };
    cases.flat_map(each).collect()
}

fn row(number: i64) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.table["row"].as_integer() == Some(number)).collect();
    assert!(cases.len() >= 5, "row {number} has {} cases", cases.len());
    each(&cases);
}

/// Tries each case, whatever became of those before.
fn each(cases: &[Case]) {
    let failed = |case: &&Case| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case.try_it())).is_err();
    let failed: Vec<String> = cases.iter().filter(failed).map(Case::name).collect();
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), cases.len());
}

#[test]
fn the_table_is_read_whole() {
    assert!(cases().len() >= 150, "{} cases", cases().len());
    assert!(echo::FORMS.iter().all(|form| cases().iter().any(|case| case.each == *form)), "every form of an echo is tried");
}

#[test]
fn places_hold_the_granted_secret_or_nothing() {
    each(&read(include_str!("../hostile/places.toml")));
}

#[test]
fn requests_are_signed_as_the_agent_signed_them_or_not_at_all() {
    each(&read(include_str!("../hostile/signed.toml")));
}

#[test]
fn tokens_are_sealed_or_their_response_is_withheld() {
    each(&read(include_str!("../hostile/tokens.toml")));
}

macro_rules! rows {
    ($($name:ident $number:literal,)*) => {
        $(#[test] fn $name() { row($number); })*
    };
}

rows! {
    row_0_what_must_work 0,
    row_1_what_lies_about 1,
    row_2_to_a_host_without_a_grant 2,
    row_3_in_the_wrong_place 3,
    row_4_in_disguise 4,
    row_5_placeholders_of_others 5,
    row_6_redirects 6,
    row_7_echoes 7,
    row_8_ranges_and_codings 8,
    row_9_addresses 9,
    row_10_smuggling 10,
    row_11_downgrades 11,
    row_12_what_it_received_given_on 12,
    row_13_the_host_complains 13,
    row_19_credentials_of_its_own 19,
    row_20_keys_that_are_minted 20,
    row_21_measuring 21,
    row_22_provoking 22,
    row_24_the_hosts_own_credentials 24,
    row_25_floods_and_text_that_people_read 25,
    row_27_somebody_elses_secrets 27,
}

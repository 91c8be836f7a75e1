//! Hosts that are killed while a refresh token is kept, before and after every write and every call, in every store. The server replaces it
//! each time, and knows none but the last.

use super::{ACCESS, KEPT, REFRESH_KEPT, Response, Seen, form_of, respond, tokens};
use crate::tokens::{JSON, REFRESH};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use strongroom_demo::server::Server;
use strongroom_tests::VALUE;
use strongroom_tests::fixtures::store::{KINDS, Kind, Said, StoreFixture};

const KEEPER: [&str; 2] = [env!("CARGO_BIN_EXE_host-under-test"), "keeper"];
const FIRST: &str = "rt-first-3Hd0Bs1XeGf4Tn8U";

/// A token endpoint, and the refresh token that it takes; how many it has given.
struct Issuing {
    server: Server,
    takes: Arc<Mutex<(String, usize)>>,
    _runtime: tokio::runtime::Runtime,
}

impl Issuing {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let takes = Arc::new(Mutex::new((FIRST.to_owned(), 0)));
        let known = Arc::clone(&takes);
        let server = runtime.block_on(Server::https(&["sub.api.test"], move |seen| answer(seen, &mut known.lock().unwrap()))).unwrap();
        Self { server, takes, _runtime: runtime }
    }

    fn takes(&self) -> String {
        self.takes.lock().unwrap().0.clone()
    }
}

fn answer(seen: &Seen, (takes, given): &mut (String, usize)) -> Response {
    if form_of(seen, "refresh_token") != *takes {
        return respond(400, JSON, "{\"error\":\"invalid_grant\"}");
    }
    *given += 1;
    *takes = format!("{REFRESH}-{given}");
    respond(200, JSON, tokens().replace(REFRESH, takes).replace(ACCESS, &format!("{ACCESS}-{given}")))
}

fn run(bed: &StoreFixture, issuing: &Issuing, at: Option<usize>) -> Said {
    let ca = bed.file("ca.pem");
    std::fs::write(&ca, &issuing.server.ca).unwrap();
    let manifest = format!(
        "name = \"probe-1\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"sub.api.test\"\n\
         methods = [\"POST\"]\npaths = [\"/token\"]\nplace = [\"form:client_secret\"]\nseal = [\"oauth2\"]\nkeep = \"KEPT\"\n{}",
        KEPT.replace("FROM", &format!("store:{}", bed.entry()))
    );
    let job: Value = json!({"store": bed.store(), "manifest": manifest, "values": {"KEY": VALUE}, "address": issuing.server.address,
                            "ca": ca, "operation": format!("send {REFRESH_KEPT}"), "at": at});
    StoreFixture::spawn(KEEPER, &job).finish()
}

fn bed(kind: Kind) -> StoreFixture {
    StoreFixture::holding(kind, "probe-1".to_owned(), FIRST.to_owned())
}

/// Whether the agent had the response with its tokens.
fn has_answer(said: &Said) -> bool {
    said.steps.iter().any(|step| step.starts_with("send 200"))
}

#[test]
fn a_refresh_token_is_kept_in_every_store_and_renewed_with_each_response() {
    for kind in KINDS {
        let (bed, issuing) = (bed(kind), Issuing::start());
        for _ in 0..3 {
            let said = run(&bed, &issuing, None);
            assert!(has_answer(&said) && said.ended == "well", "{kind:?}: {said:?}");
            assert_eq!(bed.stored(), issuing.takes(), "{kind:?}");
        }
        assert_eq!(issuing.takes(), format!("{REFRESH}-3"));
    }
}

/// What was answered and not yet written when a host is killed is lost, as the agent's own would be. It is so in no other case, and never when
/// the agent goes on.
#[test]
fn a_host_that_is_killed_anywhere_has_kept_the_token_or_not_handed_the_answer_on() {
    for kind in KINDS {
        let whole = run(&bed(kind), &Issuing::start(), None);
        assert_eq!(whole.ended, "well", "{kind:?}: {whole:?}");
        let mut lost = Vec::new();
        for at in 1..=whole.points.len() {
            let (bed, issuing) = (bed(kind), Issuing::start());
            let cut = run(&bed, &issuing, Some(at));
            let is_answered = issuing.takes() != FIRST;
            let is_kept = bed.stored() == issuing.takes();
            let next = run(&bed, &issuing, None);

            let has_met = |point: &str| cut.points.iter().any(|met| met == point);
            let is_written = has_met("after put secret");
            // Something else was met beside the write: the store has it, or has it not.
            let is_open = has_met("before put secret") && !is_written && cut.points.last().is_some_and(|last| last != "before put secret");
            assert!(is_open || is_kept == (is_written || !is_answered), "{kind:?}, killed at {at}: {cut:?}");
            assert!(is_kept || !has_answer(&cut), "{kind:?}, killed at {at}: {cut:?}");
            assert_eq!(has_answer(&next), is_kept, "{kind:?}, killed at {at}: {next:?}");
            if !is_kept {
                lost.push(cut.points.last().unwrap().clone());
            }
        }
        // AWS is asked anew beside that, whenever its time has come.
        if kind != Kind::Aws {
            assert_eq!(lost, ["before newest", "after newest", "before put secret"], "{kind:?}: {:?}", whole.points);
        }
    }
}

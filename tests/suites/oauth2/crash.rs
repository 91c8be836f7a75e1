//! Hosts that are killed while they present a refresh token, before and after every write and every call, in every store: `oidc-provider` rotates
//! the token, and would end the session of one that came twice.

use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use strongroom_tests::fixtures::store::{KINDS, Kind, Said, StoreFixture};
use strongroom_tests::services::Oidc;

const REFRESHER: [&str; 2] = [env!("CARGO_BIN_EXE_host-under-test"), "refresher"];

fn run(bed: &StoreFixture, oidc: &Oidc, more: Value) -> Said {
    let oauth2 = format!("{{ grant = \"refresh_token\", token_url = \"{}\", client_id = \"public\" }}", oidc.url("/token"));
    let mut job = json!({"store": bed.store(), "from": bed.entry(), "oauth2": oauth2, "ca": oidc.ca()});
    job.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    StoreFixture::spawn(REFRESHER, &job).finish()
}

fn bed(kind: Kind, oidc: &Oidc) -> StoreFixture {
    StoreFixture::holding(kind, "public".to_owned(), oidc.mint("public", "openid offline_access"))
}

/// What the last host comes to, given where the first one was killed.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It has a token.
    Works,
    /// Nobody can know whether the server has the refresh token: a person has to log in.
    Login,
}

/// The claim is the second write of the journal, after that which makes it.
fn next(points: &[String]) -> Next {
    let last = points.last().map_or("", String::as_str);
    let written = points.iter().filter(|point| *point == "after put journal").count();
    let is_claimed = written >= 2;
    let is_kept = points.iter().any(|point| point == "after put secret") || last == "after put secret";
    if is_claimed && !is_kept { Next::Login } else { Next::Works }
}

fn killed_everywhere(kind: Kind) -> usize {
    let oidc = Oidc::start();
    let whole = run(&bed(kind, &oidc), &oidc, json!({}));
    assert_eq!(whole.ended, "well", "{kind:?}: {whole:?}");
    let points = whole.points.len();
    let (at, failures) = (AtomicUsize::new(1), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = at.fetch_add(1, Ordering::Relaxed);
                    if at > points {
                        return;
                    }
                    let bed = bed(kind, &oidc);
                    let cut = run(&bed, &oidc, json!({"at": at}));
                    let last = [(); 2].map(|()| run(&bed, &oidc, json!({"late": true})));
                    for last in &last {
                        let found = match last.ended.as_str() {
                            "well" => Next::Works,
                            told if told.contains("may have been used up") && told.contains("strongroom login") => Next::Login,
                            other => panic!("{kind:?}, killed at {at}: {other}"),
                        };
                        if found != next(&cut.points) || cut.points.len() != at {
                            failures.lock().unwrap().push((at, cut.points.clone(), last.ended.clone()));
                        }
                    }
                }
            });
        }
    });
    assert_eq!(*failures.lock().unwrap(), [], "{kind:?}");
    assert_eq!(oidc.counts().reuse, 0, "{kind:?}: a refresh token came twice");
    points
}

#[test]
fn a_host_that_is_killed_anywhere_presents_no_refresh_token_twice() {
    for kind in KINDS {
        let points = killed_everywhere(kind);
        assert!(points >= 18, "{kind:?}: {points} points");
    }
}

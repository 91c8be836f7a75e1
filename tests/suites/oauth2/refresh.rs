//! Refresh tokens that a server replaces each time: never lost where they could be kept, and never presented twice.

use super::desk::{Desk, bearer};
use super::{ASK, SECOND, TOKEN};
use serde_json::json;
use strongroom::StaticBackend;
use strongroom_tests::fixtures::slippery::Slippery;
use strongroom_tests::token_endpoint::{Answer, Gate};

pub(super) const REFRESH: &str = "oauth2 = { grant = \"refresh_token\", token_url = \"URL\", client_id = \"bot\" }";
pub(super) const FIRST: &str = "refresh-4b1f8e02c6d97a35";
pub(super) const NEXT: &str = "refresh-93ad0e7c51b2f648";
const LOGIN: &str = "log in anew: `strongroom login AGENT.toml KEY`";

pub(super) fn presented(desk: &Desk) -> Vec<String> {
    desk.endpoint.asked().iter().map(|asked| asked.field("refresh_token").unwrap_or("none").to_owned()).collect()
}

#[test]
fn what_replaces_a_refresh_token_is_kept_before_the_access_token_is_used() {
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT)), Answer::token(SECOND, 3600, Some(FIRST))]);

    desk.run(&desk.host(), &[ASK]);
    assert!(desk.keeps("KEY", NEXT));
    let host = desk.host();
    desk.run(&host, &[ASK]);
    desk.sleep(3600);
    desk.run(&host, &[ASK]);

    assert_eq!(presented(&desk), [FIRST, NEXT], "a second host takes the token of the first");
    assert_eq!(bearer(&desk.seen()), [TOKEN, TOKEN, SECOND]);
    desk.assert_silent(&[FIRST, NEXT, TOKEN, SECOND]);
}

#[test]
fn refresh_tokens_old_and_new_are_taken_out_of_what_the_agent_gets() {
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT))]).echoing(&[FIRST, NEXT]).seeking(&[FIRST, NEXT, TOKEN]);

    let ran = desk.run(&desk.host(), &[ASK]);

    assert_eq!(ran.stdout.matches("[redacted:KEY]").count(), 2, "{}", ran.stdout);
}

#[test]
fn a_lost_answer_is_told_once_and_the_token_is_not_presented_again() {
    let lost = [
        Answer::closed(),
        Answer::token(TOKEN, 60, Some(NEXT)).cut(20),
        Answer::new(502, "text/html", "gateway"),
        // As proxies answer where the connection to the server breaks.
        Answer::new(503, "text/plain", "upstream connect error or disconnect/reset before headers"),
        Answer::error("server_error"),
    ];
    for answer in lost {
        let desk = Desk::new(REFRESH, FIRST, [answer]);
        let host = desk.host();

        for host in [&host, &host, &desk.host()] {
            let refused = desk.try_run(host, &[ASK]).err().expect("it has no token");
            assert!(refused.contains("may have been used up") && refused.contains(LOGIN), "{refused}");
        }

        assert_eq!(presented(&desk), [FIRST]);
        let alerts = desk.audit("token").iter().filter(|record| record["step"] == "alert").count();
        assert_eq!(alerts, 2, "once for each host");
        desk.endpoint.then(Answer::token(TOKEN, 3600, None));
        desk.keep("KEY", NEXT);
        desk.run(&desk.host(), &[ASK]);
        assert_eq!(presented(&desk), [FIRST, NEXT], "a login mends it");
    }
}

#[test]
fn a_token_that_is_not_accepted_any_more_is_told_with_what_mends_it() {
    let desk = Desk::new(REFRESH, FIRST, [Answer::error("invalid_grant")]);
    let host = desk.host();

    for _ in 0..2 {
        let refused = desk.try_run(&host, &[ASK]).err().expect("it has no token");
        assert!(refused.contains("its refresh token is no longer accepted") && refused.contains(LOGIN), "{refused}");
    }

    assert_eq!(presented(&desk), [FIRST]);
}

#[test]
fn what_has_used_nothing_up_is_tried_again_with_the_same_token() {
    for answer in [
        Answer::new(429, "text/html", ""),
        Answer::new(503, "text/html", "").header("retry-after", "1"),
        Answer::json(400, &json!({"error": "temporarily_unavailable"})),
    ] {
        let desk = Desk::new(REFRESH, FIRST, [answer, Answer::token(TOKEN, 3600, Some(NEXT))]);

        desk.run(&desk.host(), &[ASK]);

        assert_eq!(presented(&desk), [FIRST, FIRST]);
        assert!(desk.keeps("KEY", NEXT));
    }
    let desk = Desk::new(REFRESH, FIRST, [Answer::error("invalid_client"), Answer::token(TOKEN, 3600, Some(NEXT))]);
    assert!(desk.try_run(&desk.host(), &[ASK]).is_err());
    desk.run(&desk.host(), &[ASK]);
    assert_eq!(presented(&desk), [FIRST, FIRST], "the operator has mended the client");
}

#[test]
fn a_token_that_is_not_replaced_may_be_presented_after_a_lost_answer() {
    let answers = [Answer::token(TOKEN, 3600, None), Answer::closed(), Answer::token(SECOND, 3600, Some(FIRST))];
    let desk = Desk::new(REFRESH, FIRST, answers);
    let host = desk.host();
    desk.run(&host, &[ASK]);
    desk.sleep(3600);

    desk.run(&host, &[ASK]);

    assert_eq!((presented(&desk), bearer(&desk.seen())), (vec![FIRST.to_owned(); 3], vec![TOKEN.to_owned(), SECOND.to_owned()]));
    assert!(desk.keeps("KEY", FIRST));
}

#[test]
fn of_two_hosts_one_presents_the_token_and_the_other_waits_for_what_comes_of_it() {
    let gate = Gate::default();
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT)).after(&gate)]);
    let store = Slippery::new(desk.backend(), None);
    let mut looks = store.looks();
    let (one, other) = (desk.host(), desk.host_over(store));
    let (arrived, both) = (desk.endpoint.arrival(1), desk.endpoint.arrival(2));
    // Once the other has found the claim, and looks again; or presents the token as well.
    desk.on(async move {
        tokio::select! {
            looked = looks.wait_for(|looks| *looks >= 2) => drop(looked),
            () = both => {}
        }
        gate.open();
    });

    std::thread::scope(|scope| {
        scope.spawn(|| desk.run(&one, &[ASK]));
        desk.wait(arrived);
        scope.spawn(|| desk.run(&other, &[ASK]));
    });

    assert_eq!(presented(&desk), [FIRST]);
    assert_eq!(bearer(&desk.seen()), [TOKEN, TOKEN]);
}

#[test]
fn a_refresh_that_is_answered_late_is_kept_though_nobody_waits_any_more() {
    let gate = Gate::default();
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT)).after(&gate)]);
    let host = desk.host();
    desk.given_up(&host, 1);
    gate.open();

    desk.run(&host, &[ASK]);

    assert_eq!((presented(&desk), desk.keeps("KEY", NEXT)), (vec![FIRST.to_owned()], true));
}

#[test]
fn two_secrets_that_share_a_refresh_token_present_it_one_after_the_other() {
    const THIRD: &str = "refresh-0f83c1d6a94be752";
    let answers = [Answer::token(TOKEN, 3600, Some(NEXT)), Answer::token(SECOND, 3600, Some(THIRD))];
    let desk = Desk::new(REFRESH, FIRST, answers);
    let other = REFRESH.replace("URL", &desk.endpoint.url).replace("client_id", "scope = \"write\", client_id");
    let desk = desk.and(&format!("[secrets.WRITE]\nfrom = \"file:bot#KEY\"\n{other}"));

    desk.run(&desk.host(), &[]);

    assert_eq!(presented(&desk), [FIRST, NEXT]);
    assert!(desk.keeps("KEY", THIRD));
}

#[test]
fn after_a_login_no_token_of_the_one_before_is_used() {
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT)), Answer::token(SECOND, 3600, None)]);
    desk.run(&desk.host(), &[ASK]);
    desk.keep("KEY", "refresh-of-somebody-else");

    desk.run(&desk.host(), &[ASK]);

    assert_eq!(presented(&desk), [FIRST, "refresh-of-somebody-else"]);
    assert_eq!(bearer(&desk.seen()), [TOKEN, SECOND]);
}

#[test]
fn a_refresh_token_has_to_be_kept_where_its_successor_can_be_written() {
    let desk = Desk::new(REFRESH, FIRST, []);
    let host = desk.host_over(StaticBackend::new().with("bot", format!("{{\"KEY\":\"{FIRST}\"}}")));

    let refused = desk.try_run(&host, &[ASK]).err().expect("it can't be written");

    assert!(refused.contains("file:bot#KEY can't be written to: keep it in a backend of type `file`, `vault` or `aws`"), "{refused}");
}

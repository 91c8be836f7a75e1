//! A secret in a segment of the path (`path:/bot{}/**`), as Telegram, RPC providers and webhooks want it.

use strongroom::Rule;
use strongroom_demo::server::respond;
use strongroom_tests::{AgentFixture, VALUE};

const PLACE: &str =
    "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/*/getMe\", \"/*/send/**\"]\nplace = [\"path:/bot{}/**\"]";

#[test]
fn the_server_gets_the_value_in_its_segment_and_the_guest_its_placeholder_wherever_the_path_is_quoted() {
    let ran = AgentFixture::granted(PLACE)
        .server(|seen| {
            let path = seen.path().to_owned();
            let percent: String = path.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let html: String = path.chars().map(|c| format!("&#{};", c as u32)).collect();
            let body = format!("{{\"description\":\"Not Found: {path}\",\"html\":\"{html}\",\"percent\":\"{percent}\"}}");
            let mut answer = respond(404, "application/json", body);
            for (name, value) in [
                ("location", format!("https://api.test{path}/x")),
                ("content-location", path.clone()),
                ("link", format!("<{path}?page=2>; rel=\"next\"")),
                ("refresh", format!("5; url={path}")),
                ("x-percent", percent),
            ] {
                answer.headers_mut().insert(name, http::HeaderValue::from_str(&value).unwrap());
            }
            answer
        })
        .run(&["send GET https://api.test/bot{KEY}/getMe", "send POST https://api.test/bot{KEY}/send/a%20b?x=1"]);

    assert_eq!(ran.seen[0].path(), format!("/bot{VALUE}/getMe"));
    assert_eq!(ran.seen[1].path(), format!("/bot{VALUE}/send/a%20b"));
    assert_eq!(ran.stdout.matches("send 404").count(), 2, "{}", ran.stdout);
    assert!(ran.stdout.contains("Not Found: /botpf_live_"), "{}", ran.stdout);
    // The record names the path as the agent wrote it.
    let placeholder = ran.records("egress")[0]["url"].as_str().unwrap().to_owned();
    assert!(placeholder.starts_with("https://api.test/botpf_live_") && placeholder.ends_with("/getMe"), "{placeholder}");
    assert_eq!(ran.records("egress")[0]["secrets"][0]["place"], "path:/bot{}/**");
    ran.assert_sealed();
}

#[test]
fn what_is_not_the_granted_placeholder_in_its_segment_is_denied() {
    let ran = AgentFixture::granted(PLACE)
        .and("[secrets.OTHER]\n[[secrets.OTHER.allow]]\nhost = \"other.test\"\npaths = [\"/**\"]")
        .value("OTHER", "zq7-Rk2vLw9XbT4nHs6J")
        .run(&[
            // A token of the agent's own.
            "send GET https://api.test/bot123456:AAE-own/getMe",
            // Another secret's placeholder, a placeholder with something beside it, in another segment, and twice.
            "send GET https://api.test/bot{OTHER}/getMe",
            "send GET https://api.test/bot{KEY}x/getMe",
            "send GET https://api.test/x{KEY}/getMe",
            "send GET https://api.test/bot{KEY}/send/{KEY}",
            // Where no path is granted, and in a header, which is not the place.
            "send GET https://api.test/bot{KEY}/other",
            "send GET https://api.test/x/getMe h:authorization=Bearer+{KEY}",
        ]);

    assert!(ran.seen.is_empty(), "{:?}", ran.seen.len());
    let (foreign, misplaced) = (Rule::ForeignCredential.as_str(), Rule::Misplaced.as_str());
    assert_eq!(ran.denied(), [foreign, misplaced, misplaced, misplaced, misplaced, Rule::Path.as_str(), misplaced], "{}", ran.stdout);
    ran.assert_sealed();
}

#[test]
fn a_referer_with_the_placeholder_is_left_out_and_another_goes() {
    let ran = AgentFixture::granted(PLACE).run(&[
        "send GET https://api.test/bot{KEY}/getMe h:referer=https://api.test/bot{KEY}/send/1",
        "send GET https://api.test/bot{KEY}/getMe h:referer=https://page.test/",
    ]);

    assert_eq!([ran.seen[0].header("referer"), ran.seen[1].header("referer")], ["", "https://page.test/"]);
}

#[test]
fn a_value_that_a_path_would_change_goes_nowhere() {
    for odd in [
        "pf_live_/../zq7Rk2vLw9XbT4nHs6J",
        "pf_live_%2fzq7Rk2vLw9XbT4nHs6J",
        "pf_live_ zq7Rk2vLw9XbT4nHs6J",
        "pf_live_?zq7Rk2vLw9XbT4nHs6J",
    ] {
        let ran = AgentFixture::granted(PLACE).value("KEY", odd).run(&["send GET https://api.test/bot{KEY}/getMe"]);
        assert!(ran.seen.is_empty() && ran.stdout.contains("can't be put in its granted place"), "{odd}: {}", ran.stdout);
    }
}

#[test]
fn no_failure_names_the_filled_path() {
    let plain = "host = \"http://api.test\"\npaths = [\"/**\"]\nplace = [\"path:/bot{}/**\"]";
    // A proxy that wants a password, a port where nobody listens, a server that ends the connection.
    let refusing = AgentFixture::granted(PLACE).proxy("http://127.0.0.1:9").run(&["send GET https://api.test/bot{KEY}/getMe"]);
    assert!(refusing.stdout.contains("failed"), "{}", refusing.stdout);
    refusing.assert_sealed();
    let broken =
        AgentFixture::granted(plain).plain_http().server(|_| panic!("the server ends")).run(&["send GET http://api.test/bot{KEY}/getMe"]);
    assert!(broken.stdout.contains("failed"), "{}", broken.stdout);
    broken.assert_sealed();
}

#[test]
fn a_path_that_is_not_granted_is_denied_with_lines_that_allow_it_and_keep_the_place() {
    let asks = |room: AgentFixture| room.run(&["send GET https://api.test/bot{KEY}/sendMessage"]);
    let denied = asks(AgentFixture::granted(PLACE));

    let denial = denied.records("denial").remove(0);
    let lines = denial["remedy"].as_str().unwrap().split_once(":\n").unwrap().1;
    assert!(lines.contains("paths = [\"/*/sendMessage\"]") && lines.contains("place = [\"path:/bot{}/**\"]"), "{lines}");
    let allowed = asks(AgentFixture::granted(PLACE).and(lines));
    assert_eq!(allowed.seen[0].path(), format!("/bot{VALUE}/sendMessage"), "{}", allowed.stdout);

    // A host that has no grant gets a place for this path alone, and whoever adds it is told what that means.
    let elsewhere = AgentFixture::granted(PLACE).run(&["send GET https://evil.test/hook/x{KEY}y/z"]);
    let denial = elsewhere.records("denial").remove(0);
    let remedy = denial["remedy"].as_str().unwrap();
    assert!(remedy.contains("# this gives KEY to evil.test") && remedy.contains("place = [\"path:/hook/x{}y/z\"]"), "{remedy}");
    assert!(remedy.contains("paths = [\"/hook/*/z\"]"), "{remedy}");
}

//! What the host writes about an agent is bounded as what the agent writes, and is read whatever a crash has left of it.

use super::cli::CliFixture;
use std::net::SocketAddr;
use strongroom::Resolve;
use strongroom_tests::AgentFixture;

/// Every name leads to a port where nobody listens.
struct Nobody;

#[async_trait::async_trait]
impl Resolve for Nobody {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1))])
    }
}

#[test]
fn requests_that_fail_alike_are_counted_after_some() {
    let ran = AgentFixture::new().resolver(Nobody).run(&["repeat 200 POST https://api.test/v1/x h:authorization=Bearer+{KEY}"]);

    assert_eq!(ran.records("egress").len(), 200, "each has its record before it leaves");
    let answers = ran.records("answer").len();
    assert!(answers < 100, "{answers}");
    let repeated = ran.records("failures-repeated");
    assert_eq!(repeated.len(), 1, "{repeated:?}");
    assert_eq!(repeated[0]["count"].as_u64().unwrap() as usize + answers, 200, "none is lost: {repeated:?}");
    assert_eq!(repeated[0]["error"], "the connection was refused");
}

#[test]
fn a_log_is_read_past_torn_lines_and_says_so() {
    let desk = CliFixture::new("[[egress]]\nhost = \"api.test\"");
    let record = |event: &str| {
        format!(
            "{{\"time\":\"t\",\"run\":\"r-1\",\"agent\":\"a\",\"event\":\"{event}\",\"rule\":\"destination\",\"asked\":\"GET https://api.test/\",\"reason\":\"x\",\"remedy\":\"y\"}}"
        )
    };
    let torn = &record("denial")[..40];
    // One in the middle, one that another host went on in, one at the end.
    desk.write("audit.jsonl", &format!("{}\n{torn}\n{}\n{torn}{}\n{torn}", record("denial"), record("run-end"), record("run-start")));
    desk.write("strongroom.toml", "[audit]\nfile = \"audit.jsonl\"");

    let shown = desk.run("audit show audit.jsonl");
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let events: Vec<&str> = shown.stdout.lines().map(|line| line.split(' ').nth(3).unwrap()).collect();
    assert_eq!(events, ["denial", "run-end", "run-start"]);
    for line in [2, 4, 5] {
        assert!(shown.stderr.contains(&format!("warning: audit.jsonl: line {line}: 40 bytes, from byte ")), "{}", shown.stderr);
    }
    let explained = desk.run("explain agent.toml --config strongroom.toml --from-audit r-1");
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    assert!(explained.stdout.contains("now: allowed") && explained.stderr.contains("line 5: 40 bytes"), "{}", explained.stderr);
}

//! The interface over TLS, by clients that know nothing of it but its OpenAPI document: one that asks for each operation in each role, and one that
//! makes up requests from it.

use crate::serve::process::{Agents, Served};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use std::process::Command;
use strongroom_tests::fixtures::store::{Kind, StoreFixture};
use strongroom_tests::issuer::Issuer;
use strongroom_tests::services;

const ROLES: [&str; 3] = ["viewer", "operator", "admin"];

/// A host that serves two agents, with a key that is replaced, and an operator of each role.
pub(super) struct House {
    pub(super) agents: Agents,
    pub(super) served: Served,
    pub(super) url: String,
    _issuer: Issuer,
    _store: StoreFixture,
}

impl House {
    pub(super) fn new() -> Self {
        let issuer = Issuer::start();
        let store = StoreFixture::new(Kind::File, &issuer);
        let agents = Agents::new().apart().agent("yearly", &["print hello"], "[trigger]\ncron = \"0 0 1 1 *\"").agent(
            "stays",
            &["print up", "spin"],
            "[trigger]\ncron = \"0 0 1 1 *\"",
        );
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of the tests");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |name: &str, usage| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.extended_key_usages = vec![usage];
            params.distinguished_name.push(DnType::CommonName, name);
            (params.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
        };
        let write = |file: &str, text: &str| std::fs::write(agents.path(file), text).unwrap();
        let (certificate, key) = signed("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let (client, client_key) = signed("ops.example", ExtendedKeyUsagePurpose::ClientAuth);
        for (file, text) in [("ca.pem", authority.pem()), ("cert.pem", certificate), ("key.pem", key), ("client.pem", client + &client_key)]
        {
            write(file, &text);
        }
        let clients: String = ROLES
            .map(|role| {
                write(&format!("{role}.token"), &token(role));
                format!("[[admin.clients]]\nname = \"{role}-1\"\nrole = \"{role}\"\ntoken = \"file:{role}.token\"\n")
            })
            .concat();
        let config = std::fs::read_to_string(agents.path("strongroom.toml")).unwrap();
        let config = format!(
            "{config}\n[backends.store]\ntype = \"file\"\npath = \"{}\"\nkey = \"file:{}\"\npaths = [\"agents/*\"]\n\
             [issuers.flea]\ntype = \"purpleflea\"\nurl = \"{}\"\n\
             [rotations.bot]\nsecrets = [\"store:{}\"]\nissuer = \"flea\"\ntimeout = \"5s\"\n\
             [admin]\nlisten = \"0\"\ntls = {{ certificate = \"cert.pem\", key = \"file:key.pem\" }}\n{clients}\
             [[admin.clients]]\nname = \"by-certificate\"\nrole = \"operator\"\ncertificate = {{ ca = \"ca.pem\", names = [\"ops.example\"] }}\n",
            store.file("secrets.age").display(),
            store.file("secrets.key").display(),
            issuer.url(),
            store.entry(),
        );
        write("strongroom.toml", &config);
        let mut served = agents.serve();
        let line = served.wait_for(&["operators reach the host at "]);
        served.wait_for(&["2 agents"]);
        let url = line.rsplit(' ').next().unwrap().to_owned();
        Self { agents, served, url, _issuer: issuer, _store: store }
    }

    /// What a program of Python's says, which knows the URL, the authority, and the tokens.
    pub(super) fn python(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(services::python(program));
        let output = command.args(arguments).current_dir(self.agents.path(".")).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    }
}

/// The token of a role's client.
pub(super) fn token(role: &str) -> String {
    format!("a-token-of-the-tests-for-a-{role}")
}

/// Who may do what: statuses for nobody, a viewer, an operator and an admin.
const TABLE: &str = "\
getHost 401 200 200 200
getDocument 401 200 200 200
listAgents 401 200 200 200
getAgent 401 200 200 200
listRuns 401 200 200 200
readLogs 401 200 200 200
triggerAgent 401 403 200 200
stopRuns 401 403 200 200
pauseAgent 401 403 200 200
resumeAgent 401 403 200 200
reload 401 403 200 200
listSecrets 401 403 200 200
removeVersion 401 403 403 404
restoreVersion 401 403 403 404
listRotations 401 200 200 200
rotate 401 403 403 200
listLimits 401 403 200 200
confirmLimits 401 403 403 200
getKillSwitch 401 200 200 200
stopAll 401 403 200 200
liftAll 401 403 403 200
stopAgent 401 403 200 200
liftAgent 401 403 403 200
";

#[test]
fn each_role_may_what_the_table_says_by_a_client_that_has_the_document_alone() {
    let house = House::new();
    let tokens: Vec<String> = ROLES.iter().map(|role| token(role)).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/admin/client.py");
    let (ended_well, said) =
        house.python("python", &[&[script, &house.url], &tokens.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());

    assert!(ended_well, "{said}");
    assert_eq!(said, TABLE);
    // What was refused is in the audit log too, by whom.
    let log = std::fs::read_to_string(house.agents.path("audit.jsonl")).unwrap();
    let refused = log.lines().filter(|line| line.contains("\"event\":\"administered\"") && line.contains("\"refused\":true"));
    let refused: Vec<serde_json::Value> = refused.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |who: &str| refused.iter().filter(|record| record["by"] == who).count();
    // Eight in a minute.
    assert_eq!((of("viewer-1"), of("operator-1"), of("admin-1")), (8, 6, 0), "{refused:#?}");
    // A certificate proves as much as a token.
    let (ended_well, said) = house.python("python", &[script, &house.url, "--certificate", "client.pem"]);
    assert!(ended_well && said == "by-certificate may operator\n", "{said}");
    house.served.terminate();
}

#[test]
fn requests_that_are_made_up_from_the_document_are_answered_as_it_says() {
    let house = House::new();
    let header = format!("Authorization: Bearer {}", token("admin"));
    let document = format!("{}/v1/openapi.json", house.url);
    let examples = std::env::var("STRONGROOM_EXAMPLES").unwrap_or_else(|_| "10".to_owned());

    // A stream that is followed has no end.
    let (ended_well, said) = house.python(
        "schemathesis",
        &[
            "run",
            &document,
            "--header",
            &header,
            "--tls-verify",
            "ca.pem",
            "--checks",
            "all",
            "--max-examples",
            &examples,
            "--seed",
            "1",
            "--request-timeout",
            "20",
            "--no-color",
            "--exclude-operation-id",
            "readLogs",
        ],
    );

    assert!(ended_well, "{said}");
    house.served.terminate();
}

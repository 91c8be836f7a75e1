//! Every function that takes a permit, reads plaintext or holds a socket, and by what right: the third law as a list. It goes by the types of
//! signatures and fields, and by the names of what bodies call. What a function does with plaintext that it has, as text or as bytes, it does not
//! follow, and what a macro of another crate makes it does not see.

use super::functions::{Function, functions};
use super::names::{self, Carriers, among, calls, names, touches};
use super::sources::{Place, Sources};
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::collections::BTreeSet;
use syn::FnArg;

/// What stands for a decision of the policy.
const PERMITS: [&str; 8] = ["Permit", "Substitution", "Reveal", "Leave", "SignPermit", "TokenPermit", "MacPermit", "SignRequest"];
/// Those by which a value is read.
const TO_READ: [&str; 2] = ["Reveal", "Substitution"];
/// What sends, besides what the lint knows: clients that are made elsewhere, by what it does know.
const CLIENTS: [&str; 3] = ["reqwest::Client", "aws_sdk_kms::Client", "aws_sdk_secretsmanager::Client"];
const CORE: &str = "strongroom_core";

/// What the sections are. `none` for a socket: it is used here, and made where a right stands.
const HEADS: [&str; 5] = [
    "takes a permit: as an argument, or as what it is called on",
    "gives a permit: as a whole, or within what it gives",
    "reads plaintext: of a value that a backend has given | by what right",
    "has a deposit, or reads an issued key: plaintext that the host itself writes down, or hands to its issuer",
    "holds a socket: in its signature, in its body, or in what it asks its receiver for | by what right, if it needs one",
];

/// What functions touch.
pub struct Touching {
    /// Five sections of a line for each function, in the order of their paths.
    pub text: String,
    /// The functions that read a value without a permit, outside the border.
    pub unpermitted: Vec<String>,
}

/// Lists the functions of all crates. `lint` is `clippy.toml`, which says what a socket is.
///
/// # Panics
/// Where `lint` has no list of types.
#[must_use]
pub fn permits(sources: &Sources, lint: &str) -> Touching {
    let sockets = sockets(lint);
    let carriers = names::carriers(sources, &sockets);
    let mut sections: [BTreeSet<String>; 5] = Default::default();
    let mut unpermitted = Vec::new();
    let [takes, gives, reads, keeps, holds] = &mut sections;
    for function in functions(sources) {
        let touched = Touched::by(sources, &sockets, &carriers, &function);
        let shown = function.shown();
        if !touched.takes.is_empty() {
            takes.insert(format!("{shown} — {}", touched.takes.join(", ")));
        }
        if !touched.gives.is_empty() {
            gives.insert(format!("{shown} — {}", touched.gives.join(", ")));
        }
        if !touched.values.is_empty() {
            let right = touched.right_to_read(&function);
            if right == "none" {
                unpermitted.push(function.path.join("::"));
            }
            reads.insert(format!("{shown} — {} | {right}", touched.values.join(", ")));
        }
        if !touched.deposits.is_empty() {
            keeps.insert(format!("{shown} — {}", touched.deposits.join(", ")));
        }
        if !touched.sockets.is_empty() {
            let right = touched.right_to_send(&function);
            holds.insert(format!("{shown} — {} | {right}", touched.sockets.join(", ")));
        }
    }
    let section =
        |(head, lines): (&str, &BTreeSet<String>)| lines.iter().fold(format!("{head}\n"), |text, line| text + "    " + line + "\n");
    Touching { text: HEADS.into_iter().zip(&sections).map(section).collect::<Vec<_>>().join("\n"), unpermitted }
}

/// The types and functions that the lint keeps from whoever has no reason, but for those of plaintext.
fn sockets(lint: &str) -> Vec<Place> {
    let lint: toml::Table = lint.parse().expect("clippy.toml");
    let listed = |key: &str| lint[key].as_array().expect("a list").iter().map(|entry| entry["path"].as_str().expect("a path").to_owned());
    let all = listed("disallowed-types").chain(listed("disallowed-methods")).chain(CLIENTS.map(str::to_owned));
    all.filter(|path| !path.starts_with(CORE)).map(|path| path.split("::").map(str::to_owned).collect()).collect()
}

/// What a function touches, by names.
struct Touched {
    takes: Vec<String>,
    gives: Vec<String>,
    values: Vec<String>,
    deposits: Vec<String>,
    sockets: Vec<String>,
}

impl Touched {
    fn by(sources: &Sources, sockets: &[Place], carriers: &Carriers, function: &Function<'_>) -> Self {
        let types = |tokens: TokenStream| names(sources, function.at, &tokens);
        let argument = |input: &FnArg| if let FnArg::Typed(typed) = input { Some(typed.ty.to_token_stream()) } else { None };
        let arguments = function.signature.inputs.iter().filter_map(argument);
        let taken = types(arguments.chain(function.receiver.map(ToTokens::to_token_stream)).collect());
        let given = types(function.signature.output.to_token_stream());
        let called = types(function.body.clone());
        let signed = [taken.clone(), given.clone()].concat();

        let issued = calls(&function.body, "reveal").contains(&false).then(|| "IssuedKey::reveal".to_owned());
        let held = signed.iter().filter_map(|name| carriers.get(name)).flat_map(|(sockets, _)| sockets.clone());
        // A receiver is what it uses of it: much of a client's owner has nothing to do with the client.
        let receiver = types(function.receiver.to_token_stream());
        let unused =
            |name: &&Place| carriers.get(*name).is_some_and(|(_, fields)| !fields.iter().any(|field| touches(&function.body, field)));
        let idle: BTreeSet<String> =
            receiver.iter().filter(unused).filter_map(|name| carriers.get(name)).flat_map(|(sockets, _)| sockets.clone()).collect();
        let sockets = among(&[signed.clone(), called.clone()].concat(), sockets);
        Self {
            takes: once(of_core(&taken, &PERMITS)),
            gives: once(of_core(&given, &PERMITS)),
            values: once(read(&called, function)),
            deposits: once(of_core(&signed, &["Deposit"]).into_iter().chain(issued)),
            sockets: once(sockets.into_iter().chain(held.filter(|socket| !idle.contains(socket)))),
        }
    }

    fn right_to_read(&self, function: &Function<'_>) -> String {
        let permits: Vec<&str> = self.takes.iter().map(String::as_str).filter(|permit| TO_READ.contains(permit)).collect();
        match function.reason("clippy::disallowed_methods") {
            _ if !permits.is_empty() => permits.join(", "),
            _ if function.at[0] == CORE => "within the border".to_owned(),
            Some(reason) => format!("expect: {reason}"),
            None => "none".to_owned(),
        }
    }

    fn right_to_send(&self, function: &Function<'_>) -> String {
        let leave = self.takes.iter().find(|permit| *permit == "Leave").cloned();
        let reason = function.reason("clippy::disallowed_").map(|reason| format!("expect: {reason}"));
        let rights = leave.into_iter().chain(reason).collect::<Vec<_>>();
        if rights.is_empty() { "none".to_owned() } else { rights.join("; ") }
    }
}

/// How it reads the bytes of a value.
fn read(called: &[Place], function: &Function<'_>) -> Vec<String> {
    let mut found: Vec<String> = ["to_restore", "to_rotate", "to_sign"]
        .into_iter()
        .filter(|name| called.iter().any(|path| is_of_core(path, &["Reveal", name])))
        .map(|name| format!("Reveal::{name}"))
        .collect();
    // That of an issued key takes nothing, and that of a value does not compile without a permit.
    if calls(&function.body, "reveal").contains(&true) {
        found.push("SecretValue::reveal".to_owned());
    }
    let is_in_room = function.at.starts_with(&[CORE.to_owned(), "value".to_owned()]);
    if is_in_room && !calls(&function.body, "bytes").is_empty() {
        found.push("SecretValue::bytes".to_owned());
    }
    found
}

fn is_of_core(place: &[String], end: &[&str]) -> bool {
    place.first().is_some_and(|first| first == CORE) && place.len() > end.len() && place[place.len() - end.len()..].iter().eq(end)
}

/// Those of these types that are among names.
fn of_core(found: &[Place], types: &[&str]) -> Vec<String> {
    found.iter().filter_map(|place| types.iter().find(|ty| is_of_core(place, &[ty]))).map(|ty| (*ty).to_owned()).collect()
}

fn once(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

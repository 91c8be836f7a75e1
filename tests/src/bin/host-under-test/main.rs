//! Hosts that the suites end at some point: what each does, its first argument says, and with what, JSON in the second.

mod keeper;
mod refresher;
mod rotor;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (does, job) = (arguments.next().expect("what it does"), arguments.next().expect("a job"));
    let job = serde_json::from_str(&job).expect("JSON");
    match does.as_str() {
        "keeper" => keeper::main(&job),
        "refresher" => refresher::main(&job),
        "rotor" => rotor::main(&job),
        other => panic!("there is no {other}"),
    }
}

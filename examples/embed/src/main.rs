//! An axum service that runs an agent for each request: `cargo run -p embed`, then `curl -d 'print hello' 127.0.0.1:3000/run`.

use axum::{Router, extract::State, http::StatusCode, routing::post};
use strongroom::{Agent, Captured, End, Host, Manifest, RunOptions, StaticBackend};

/// What an agent of this service may do. The key is the service's own; the agent never sees it.
const MANIFEST: &str = r#"
name = "assistant"
component = "given in code"

[secrets.API_KEY]
[[secrets.API_KEY.allow]]
host = "api.example.com"
paths = ["/v1/**"]

[limits]
wall = "5s"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, service()?).await?;
    Ok(())
}

fn service() -> Result<Router, Box<dyn std::error::Error>> {
    let secrets = StaticBackend::new().with("API_KEY", "a-key-that-stays-in-the-host");
    let host = Host::builder().backend("static", secrets).default_backend("static").without_audit().without_state().build()?;
    let agent = host.agent(Manifest::parse("assistant.toml", MANIFEST)?, &strongroom_components::bytes("probe"))?;
    Ok(Router::new().route("/run", post(run)).with_state(agent))
}

async fn run(State(agent): State<Agent>, task: String) -> (StatusCode, String) {
    let said = Captured::default();
    match agent.run(RunOptions::default().args([task]).stdout(said.clone())).await {
        Ok(outcome) if outcome.end == End::Exit(0) => (StatusCode::OK, said.text()),
        Ok(outcome) => (StatusCode::UNPROCESSABLE_ENTITY, outcome.end.to_string()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

#[cfg(test)]
mod tests;

//! A host that serves: it runs all agents of a directory, each when its manifest says so (`[trigger]`, `[run]`), for months.
//!
//! A [`Supervisor`] starts runs, and decides nothing that a run may do: each is an [`Agent::run`](crate::Agent::run) like any other, one instance
//! from beginning to end. It keeps to [`HostBuilder::max_agents`](crate::HostBuilder::max_agents), in the order of asking, so that no agent keeps
//! others from their turn; and it compiles on all cores but one. What it has to say are `tracing` events: failures as warnings, and what
//! happens in the normal course with the target `strongroom::notice`.
//!
//! ```no_run
//! use std::time::Duration;
//! use strongroom::serve::{Serving, Supervisor};
//! use strongroom::{Host, RunOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder().lanes(4).build()?;
//! let serving = Serving::new(|_agent, _run| RunOptions::default());
//! let supervisor = Supervisor::new(host.clone(), "agents", serving)?;
//! supervisor.reload().await?;
//!
//! tokio::signal::ctrl_c().await?;
//! supervisor.drain(Duration::from_secs(30)).await;
//! host.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod configuration;
mod directory;
mod dues;
mod error;
mod http;
mod logs;
mod pauses;
mod runs;
mod schedule;
mod status;
mod supervise;
mod supervisor;
mod watch;

pub use configuration::ConfigurationRead;
#[cfg(feature = "ops")]
pub(crate) use configuration::{Follower, Take, is_named};
pub use error::ServeError;
#[cfg(feature = "ops")]
pub(crate) use http::{Accepting, Certificates, Patient, Peer, acceptor, bearer};
pub use logs::{LogLine, LogStream, Logs};
pub use status::{AgentState, AgentStatus, Drained, OrderError, Refused, Reloaded, RunStatus};
pub use supervisor::{Serving, Supervisor};

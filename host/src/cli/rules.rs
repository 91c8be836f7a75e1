//! `strongroom rules`

use super::{Done, HostArgs};
use clap::Args;

/// Lists the rules by which unregistered secrets are recognised: those that come with the host, and the operator's own.
#[derive(Args)]
pub(super) struct ListRules {
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ListRules {
    pub(super) fn perform(self) -> Done {
        let rules = crate::host::rules(&self.host.config()?.scrub_rules)?;
        if self.json {
            let list: Vec<_> = rules.list().map(|(name, what)| serde_json::json!({"name": name, "what": what})).collect();
            println!("{}", serde_json::Value::from(list));
        } else {
            rules.list().for_each(|(name, what)| println!("{name:40} {what}"));
        }
        Ok(0)
    }
}

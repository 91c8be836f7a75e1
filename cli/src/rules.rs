//! `strongroom rules`

use super::output::Answer;
use super::table::Table;
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
        let rules = strongroom::ops::rules(&self.host.config()?)?;
        let mut out = Answer::new();
        if self.json {
            let list: Vec<_> = rules.list().map(|(name, what)| serde_json::json!({"name": name, "what": what})).collect();
            out.line(format_args!("{}", serde_json::Value::from(list)))?;
        } else {
            let mut table = Table::default();
            rules.list().for_each(|(name, what)| table.row([name.to_string(), what.to_string()]));
            table.print(&mut out)?;
        }
        Ok(0)
    }
}

//! The program's own help: its commands by what they are for.

use clap::Command;
use clap::builder::styling::Styles;
use std::fmt::Write;

/// What people come for, and the commands for it.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Begin", &["new", "init"]),
    ("Run an agent, and look at it before", &["run", "check", "explain", "inspect", "rules"]),
    ("Keep keys", &["secrets", "wallet", "limits"]),
    ("See what happened", &["audit"]),
    ("Set up the shell", &["completions", "man", "help"]),
];

/// Has a command list its own by these groups.
pub(super) fn grouped(mut command: Command) -> Command {
    // That makes the command `help`.
    command.build();
    let styles = Styles::styled();
    let (heading, literal) = (*styles.get_header(), *styles.get_literal());
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{heading}{group}:{heading:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:<13}{literal:#}{about}");
        }
        text.push('\n');
    }
    let template = format!("{{about-section}}\n{{usage-heading}} {{usage}}\n\n{text}{heading}Options:{heading:#}\n{{options}}{{after-help}}");
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group() {
        let command = super::super::command();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        assert!(command.get_subcommands().all(|command| command.get_about().is_some_and(|about| about.to_string().len() <= 64)));
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        known.sort_unstable();
        assert_eq!(sorted, known);
    }
}

//! What the help of the program and its commands adds to what they say of themselves: commands by what they are for, and an example of each.

use clap::Command;
use clap::builder::styling::Styles;
use std::fmt::Write;

/// What people come for, and the commands for it.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Start", &["new", "init"]),
    ("Run agents, and check them first", &["run", "serve", "check", "explain", "inspect", "rules"]),
    ("Look after a host that serves", &["ps", "runs", "logs", "trigger", "stop", "pause", "resume", "reload", "kill-switch"]),
    ("Keep keys", &["adopt", "login", "secrets", "wallet", "mpc", "limits"]),
    ("See what happened", &["audit", "state"]),
    ("Set up the shell", &["completions", "man", "help"]),
];

/// How each command is called.
const EXAMPLES: [(&[&str], &str); 49] = [
    (&["new"], "--lang python price-bot"),
    (&["init"], "--secret OPENAI_API_KEY --host api.openai.com --path '/v1/**' --method POST"),
    (&["run"], "agent.toml --env-file .env -- ETH-USD"),
    (&["serve"], "agents --config strongroom.toml"),
    (&["ps"], "--config strongroom.toml"),
    (&["runs"], "price-bot"),
    (&["logs"], "price-bot --follow"),
    (&["trigger"], "price-bot"),
    (&["stop"], "price-bot"),
    (&["pause"], "price-bot"),
    (&["resume"], "price-bot"),
    (&["reload"], "--config strongroom.toml"),
    (&["kill-switch", "on"], "price-bot"),
    (&["kill-switch", "off"], "--all"),
    (&["kill-switch", "status"], "--json"),
    (&["check"], "agent.toml --env-file .env --resolve"),
    (&["explain"], "agent.toml --request 'POST https://api.openai.com/v1/responses'"),
    (&["inspect"], "agent.wasm"),
    (&["rules", "test"], "notes.txt --config strongroom.toml"),
    (&["adopt"], ".env --namespace price-bot --dry-run"),
    (&["login"], "agent.toml CRM --config strongroom.toml"),
    (&["secrets", "init"], "--backend file --config strongroom.toml"),
    (&["secrets", "rekey"], "--backend file --config strongroom.toml"),
    (&["secrets", "set"], "OPENAI_API_KEY --namespace price-bot"),
    (&["secrets", "import"], ".env --namespace price-bot --dry-run"),
    (&["secrets", "list"], "--backend file"),
    (&["secrets", "status"], "agent.toml"),
    (&["secrets", "leaked"], "found.txt --dry-run"),
    (&["secrets", "rotate"], "OPENAI_API_KEY --namespace price-bot"),
    (&["secrets", "history"], "--json"),
    (&["secrets", "rm-version"], "OPENAI_API_KEY 3 --namespace price-bot"),
    (&["secrets", "restore"], "OPENAI_API_KEY 3 --namespace price-bot"),
    (&["wallet", "new"], "WALLET_KEY --namespace payer"),
    (&["wallet", "import"], "WALLET_KEY --namespace payer"),
    (&["wallet", "address"], "payer.toml"),
    (&["wallet", "show"], "payer.toml --json"),
    (&["mpc", "identity"], "--name host mpc"),
    (&["mpc", "keygen"], "payer --config strongroom.toml"),
    (&["mpc", "status"], "--config strongroom.toml"),
    (&["mpc", "backup"], "payer --party alpha --config strongroom.toml"),
    (&["mpc", "restore"], "payer --party alpha --config strongroom.toml"),
    (&["mpc", "sweep"], "payer.toml --to 0x… --rpc env:RPC_URL --dry-run"),
    (&["limits", "show"], "payer.toml"),
    (&["limits", "confirm"], "payer.toml"),
    (&["state", "show"], "price-bot last-seen"),
    (&["state", "clear"], "price-bot"),
    (&["audit", "show"], "--agent price-bot --event denial"),
    (&["completions"], "zsh"),
    (&["man"], "man/man1"),
];

/// The whole command line, with what its help says beyond its arguments.
pub(super) fn told(mut command: Command) -> Command {
    for (path, arguments) in EXAMPLES {
        if !is_built(&command, path[0]) {
            continue;
        }
        let example = format!("Example: strongroom {} {arguments}", path.join(" "));
        command = with_example(command, path, &example);
    }
    grouped(command)
}

/// Whether this build has a command: some come with a feature.
fn is_built(command: &Command, name: &str) -> bool {
    name == "help" || command.find_subcommand(name).is_some()
}

fn with_example(command: Command, path: &[&str], example: &str) -> Command {
    match path {
        [] => command.after_help(example.to_owned()),
        [name, rest @ ..] => command.mut_subcommand(name, |command| with_example(command, rest, example)),
    }
}

/// Has a command list its own by these groups.
fn grouped(mut command: Command) -> Command {
    // That makes the command `help`.
    command.build();
    let styles = Styles::styled();
    let (heading, literal) = (*styles.get_header(), *styles.get_literal());
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "{heading}{group}:{heading:#}");
        for name in names.iter().filter(|name| is_built(&command, name)) {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:<13}{literal:#}{about}");
        }
        text.push('\n');
    }
    let template =
        format!("{{about-section}}\n{{usage-heading}} {{usage}}\n\n{text}{heading}Options:{heading:#}\n{{options}}{{after-help}}");
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

    #[test]
    fn each_command_has_an_example() {
        fn commands<'c>(command: &'c Command, path: &[&'c str], all: &mut Vec<Vec<&'c str>>) {
            let own = command.get_subcommands().filter(|command| command.get_name() != "help");
            let mut is_verb = true;
            for command in own {
                is_verb = false;
                commands(command, &[path, &[command.get_name()]].concat(), all);
            }
            if is_verb {
                all.push(path.to_vec());
            }
        }
        let (command, mut all) = (super::super::command(), Vec::new());
        commands(&command, &[], &mut all);
        let mut shown: Vec<Vec<&str>> = EXAMPLES.iter().map(|(path, _)| path.to_vec()).collect();
        all.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, all);
    }
}

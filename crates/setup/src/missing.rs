//! What is missing, how it is added, and the one list of what can't be.

use crate::Machine;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;

/// How something is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A command of its own, which this user may run.
    Command(Vec<String>),
    /// A command that is only told: it does more than add what is missing.
    Told(String),
    /// Packages of Debian's.
    Packages(&'static [&'static str]),
}

/// Something that is missing.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// What it is, as `PostgreSQL`.
    pub what: String,
    /// What was looked for and not found.
    pub why: String,
    pub remedy: Remedy,
}

/// All that is missing. Its text is a list, and below it the commands that add what it lists.
#[derive(Debug, Clone)]
pub struct Missing {
    findings: Vec<Finding>,
    superuser: bool,
}

impl Missing {
    pub(crate) fn on(machine: &Machine) -> Self {
        Self { findings: Vec::new(), superuser: machine.superuser }
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds what this user may add; says whether anything was tried.
    pub(crate) fn add(&self, machine: &Machine, say: impl Fn(&str)) -> bool {
        let mut tried = false;
        for command in self.commands() {
            if let Some(program) = machine.program(&command[0]) {
                say(&format!("adding what is missing: {}", command.join(" ")));
                machine.run(program.as_os_str(), &command[1..]);
                tried = true;
            }
        }
        let packages = self.packages();
        if let Some(apt) = machine.program("apt-get").filter(|_| machine.superuser && !packages.is_empty()) {
            say(&format!("adding what is missing: {}", install(&packages)));
            self.install(machine, apt.as_os_str());
            tried = true;
        }
        tried
    }

    /// All at once; where a list of packages is old or one name is not known, from a new list, one finding's after the other.
    fn install(&self, machine: &Machine, apt: &OsStr) {
        let install = |packages: &[&str]| machine.run(apt, &arguments(packages));
        if install(&self.packages()) {
            return;
        }
        machine.run(apt, &["update".to_owned(), "-qq".to_owned()]);
        for finding in &self.findings {
            if let Remedy::Packages(packages) = finding.remedy {
                install(packages);
            }
        }
    }

    fn commands(&self) -> impl Iterator<Item = &Vec<String>> {
        self.findings.iter().filter_map(|finding| match &finding.remedy {
            Remedy::Command(command) => Some(command),
            Remedy::Told(_) | Remedy::Packages(_) => None,
        })
    }

    fn packages(&self) -> Vec<&'static str> {
        let lists = self.findings.iter().filter_map(|finding| match finding.remedy {
            Remedy::Packages(packages) => Some(packages),
            Remedy::Command(_) | Remedy::Told(_) => None,
        });
        lists.flatten().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The command of apt-get, as a person types it.
fn install(packages: &[&str]) -> String {
    format!("apt-get install -y {}", packages.join(" "))
}

/// The same, as it is run: quiet, without what is only recommended, and waiting for another apt-get's lock.
fn arguments(packages: &[&str]) -> Vec<String> {
    let fixed = ["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    fixed.iter().chain(packages).map(|&argument| argument.to_owned()).collect()
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "missing on this machine:")?;
        for finding in &self.findings {
            writeln!(f, "  - {}: {}", finding.what, finding.why)?;
        }
        writeln!(f, "these commands add it; then run the same command again:")?;
        for command in self.commands() {
            writeln!(f, "  {}", command.join(" "))?;
        }
        for finding in &self.findings {
            if let Remedy::Told(command) = &finding.remedy {
                writeln!(f, "  {command}")?;
            }
        }
        let packages = self.packages();
        if !packages.is_empty() {
            let sudo = if self.superuser { "" } else { "sudo " };
            writeln!(
                f,
                "  {sudo}apt-get update && {sudo}{}   # Debian's names; other systems have packages of their own",
                install(&packages)
            )?;
        }
        Ok(())
    }
}

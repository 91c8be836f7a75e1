//! Which variables the operator lets manifests name: `[backends.env] names`.

use super::BackendError;

/// Patterns of variables: `{agent}` stands for the agent's name as it stands in variables, `*` for any run of characters.
#[derive(Debug, Clone)]
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// Whether a manifest of this agent may name the variable.
    pub(super) fn admit(&self, agent: &str, variable: &str) -> Result<(), BackendError> {
        if self.0.iter().any(|pattern| covers(pattern, agent, variable)) {
            return Ok(());
        }
        let (variable, patterns) = (crate::text::for_people(variable), self.0.join("`, `"));
        Err(BackendError::Refused(format!(
            "a manifest of `{agent}` can't name the variable `{variable}`; the operator's `names` of this backend are `{patterns}`"
        )))
    }

    /// Whether it is the agent's by a pattern that holds its name: another agent's name may give the same variable.
    pub(super) fn is_own(&self, agent: &str, variable: &str) -> bool {
        self.0.iter().any(|pattern| pattern.contains("{agent}") && covers(pattern, agent, variable))
    }
}

/// A name as it stands in variables.
pub(super) fn upper(name: &str) -> String {
    name.replace(['-', '/'], "_").to_ascii_uppercase()
}

fn covers(pattern: &str, agent: &str, variable: &str) -> bool {
    let pattern = pattern.replace("{agent}", &upper(agent));
    let mut parts = pattern.split('*');
    let Some(mut rest) = variable.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some((last, middle)) = parts.collect::<Vec<_>>().split_last().map(|(last, middle)| ((*last).to_owned(), middle.to_vec())) else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_they_say_and_nothing_beside() {
        let covers = |pattern: &str, variable: &str| covers(pattern, "bot-1", variable);

        for (pattern, variable) in [
            ("{agent}_*", "BOT_1_KEY"),
            ("{agent}_*", "BOT_1_"),
            ("SHARED", "SHARED"),
            ("*", "ANY"),
            ("PF_*_KEY", "PF_A_B_KEY"),
            ("A*B*C", "AxBxC"),
            ("*_{agent}", "KEY_BOT_1"),
        ] {
            assert!(covers(pattern, variable), "{pattern} {variable}");
        }
        for (pattern, variable) in [
            ("{agent}_*", "BOT_10_KEY"),
            ("{agent}_*", "XBOT_1_KEY"),
            ("{agent}_*", "bot_1_key"),
            ("SHARED", "SHARED_2"),
            ("PF_*_KEY", "PF_KEY"),
            ("A*B*C", "AxCxB"),
            ("AB*BA", "ABA"),
        ] {
            assert!(!covers(pattern, variable), "{pattern} {variable}");
        }
    }

    #[test]
    fn a_refusal_says_what_may_be_named() {
        let names = Names::new(vec!["{agent}_*".to_owned(), "SHARED".to_owned()]);

        assert!(names.admit("a", "A_KEY").is_ok() && names.admit("a", "SHARED").is_ok());
        assert!(names.is_own("a", "A_KEY") && !names.is_own("a", "SHARED"));
        let refusal = names.admit("a", "OTHER").expect_err("it is not covered").to_string();
        assert!(refusal.contains("the operator's `names` of this backend are `{agent}_*`, `SHARED`"), "{refusal}");
    }
}

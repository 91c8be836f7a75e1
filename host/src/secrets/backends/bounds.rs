//! What the operator lets manifests name in a backend.

use super::BackendError;

/// Patterns of paths, in segments: `{agent}` stands for the agent's name, `*` for one segment, `**` at the end for all below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds(Option<Vec<String>>);

impl Bounds {
    /// Every path: the backend has rules of its own.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    pub(crate) fn new(patterns: Vec<String>) -> Self {
        Self(Some(patterns))
    }

    /// Whether a manifest of this agent may name the path.
    pub(super) fn admit(&self, agent: &str, path: &str) -> Result<(), BackendError> {
        let Some(patterns) = &self.0 else { return Ok(()) };
        if patterns.iter().any(|pattern| matches(&pattern.replace("{agent}", agent), path)) {
            return Ok(());
        }
        let path = crate::text::for_people(path);
        let patterns = patterns.join("`, `");
        Err(BackendError::Refused(format!(
            "a manifest of `{agent}` can't name the path `{path}`; the operator's `paths` of this backend are `{patterns}`"
        )))
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(known), Some(segment)) if known == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_reaches_its_own_paths_and_shared_ones_alone() {
        let bounds = Bounds::new(vec!["{agent}/**".to_owned(), "*".to_owned()]);
        let admits = |path: &str| bounds.admit("bot-1", path).is_ok();

        // A shared secret may have an agent's name.
        for yes in ["bot-1/KEY", "bot-1/deep/KEY", "SHARED", "bot-1"] {
            assert!(admits(yes), "{yes}");
        }
        for no in ["bot-2/KEY", "bot-1x/KEY", "a/b/KEY", "", "bot-2/bot-1/KEY"] {
            assert!(!admits(no), "{no}");
        }
    }
}

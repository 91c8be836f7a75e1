//! What the operator lets manifests name in a backend.

use super::BackendError;
use super::names::Names;
use crate::manifest::NamePattern;

/// Patterns of paths, or of variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    /// None: every path.
    paths: Option<Vec<NamePattern>>,
    /// Those of credentials that are made for a run: what one of these covers, the others can't open.
    leased: Vec<NamePattern>,
    /// Those of variables, where entries are such.
    names: Option<Names>,
}

impl Bounds {
    /// Every path: the backend has rules of its own.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn new(paths: Vec<NamePattern>) -> Self {
        Self { paths: Some(paths), ..Self::default() }
    }

    /// Of a backend whose entries are variables.
    pub(crate) fn variables(names: Option<Vec<String>>) -> Self {
        Self { names: names.map(Names::new), ..Self::default() }
    }

    /// The operator's patterns of variables.
    pub(super) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// Whether the operator says nothing of what may be named.
    pub(super) fn is_open(&self) -> bool {
        self.paths.is_none() && self.names.is_none()
    }

    #[cfg(any(test, feature = "vault"))]
    pub(crate) fn with_leased(paths: Vec<NamePattern>, leased: Vec<NamePattern>) -> Self {
        Self { paths: Some(paths), leased, names: None }
    }

    /// Whether some agent may name the path.
    #[cfg(any(test, feature = "vault"))]
    pub(super) fn cover(&self, path: &str) -> bool {
        cover(self.paths.as_deref().unwrap_or_default(), path)
    }

    /// What all paths begin with that a pattern covers, up to its first wildcard: where to look for what is there.
    #[cfg(any(test, feature = "vault", feature = "aws"))]
    pub(super) fn roots(&self) -> Vec<String> {
        let mut roots: Vec<String> = self.paths.iter().flatten().map(NamePattern::root).collect();
        roots.sort();
        roots.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        roots
    }

    /// Whether a manifest of this agent may name the path.
    pub(super) fn admit(&self, agent: &str, path: &str) -> Result<(), BackendError> {
        if let Some(names) = &self.names {
            return names.admit(agent, path);
        }
        let Some(paths) = &self.paths else { return Ok(()) };
        let patterns = if cover(&self.leased, path) { &self.leased } else { paths };
        if patterns.iter().any(|pattern| pattern.matches(path, agent)) {
            return Ok(());
        }
        let path = crate::text::for_people(path);
        let patterns = NamePattern::shown(patterns);
        Err(BackendError::Refused(format!(
            "a manifest of `{agent}` can't name the path `{path}`; the operator's `paths` of this backend are `{patterns}`"
        )))
    }
}

/// Whether some agent's name makes one of the patterns match.
fn cover(patterns: &[NamePattern], path: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches_for_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_reaches_its_own_paths_and_shared_ones_alone() {
        let bounds = Bounds::new(NamePattern::list(&["{agent}/**", "*"]));
        let admits = |path: &str| bounds.admit("bot-1", path).is_ok();

        // A shared secret may have an agent's name.
        for yes in ["bot-1/KEY", "bot-1/deep/KEY", "SHARED", "bot-1"] {
            assert!(admits(yes), "{yes}");
        }
        for no in ["bot-2/KEY", "bot-1x/KEY", "a/b/KEY", "", "bot-2/bot-1/KEY", "{agent}/KEY"] {
            assert!(!admits(no), "{no}");
        }
    }

    #[test]
    fn a_credential_that_is_made_for_a_run_is_not_opened_by_paths() {
        let bounds = Bounds::with_leased(NamePattern::list(&["**"]), NamePattern::list(&["database/creds/{agent}"]));

        assert!(bounds.admit("bot-1", "database/creds/bot-1").is_ok() && bounds.admit("bot-1", "agents/anything").is_ok());
        assert!(bounds.admit("bot-1", "database/creds/bot-2").is_err());
    }

    #[test]
    fn what_some_agent_may_name_is_covered_and_has_a_root() {
        let bounds = Bounds::new(NamePattern::list(&["database/creds/ro-{agent}", "agents/{agent}", "agents/{agent}/**"]));

        assert!(bounds.cover("database/creds/ro-bot-1") && bounds.cover("agents/bot-1/deep/KEY"));
        assert!(!bounds.cover("database/creds/ro-") && !bounds.cover("database/creds/rw-bot-1") && !bounds.cover("database/config/x"));
        assert_eq!(bounds.roots(), ["agents/", "database/creds/ro-"]);
    }
}

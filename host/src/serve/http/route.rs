//! Which agent a path is of.

use super::caller::Callers;
use super::refusals::Refusals;
use crate::Agent;
use crate::manifest::{CallerAuth, HttpTrigger, ListenConfig, Trigger};
use crate::policy::Budget;
use crate::serve::supervise::Link;
use std::path::PathBuf;
use std::sync::Arc;

/// An agent that callers run.
pub(in crate::serve) struct Route {
    pub(super) name: String,
    pub(super) agent: Agent,
    pub(super) trigger: Arc<HttpTrigger>,
    /// The path as its manifest has it.
    pub(super) path: String,
    pub(super) callers: Callers,
    pub(super) link: Arc<Link>,
    pub(super) refusals: Refusals,
    /// How often it may be called.
    pub(super) budget: Budget,
}

/// The agents that callers run, those first whose paths say most.
#[derive(Default)]
pub(super) struct Routes(Vec<Arc<Route>>);

impl Route {
    /// The route to an agent, if callers run it.
    ///
    /// # Errors
    /// What is missing for it, with what to write.
    pub(in crate::serve) fn to(agent: &Agent, link: &Arc<Link>, listen: Option<&ListenConfig>) -> Result<Option<Arc<Self>>, String> {
        let Trigger::Http(trigger) = &agent.manifest().trigger else { return Ok(None) };
        let Some(listen) = listen else {
            return Err(
                "`trigger.http` needs a listener; start with `--listen 8080`, or set `listen` in `[serve]` of the host configuration"
                    .into(),
            );
        };
        if matches!(trigger.auth, CallerAuth::Mtls { .. }) && listen.tls().is_none() {
            return Err(
                "`mtls` needs TLS; start with `--listen-tls CERTIFICATE KEY`, or set `tls` in `[serve]` of the host configuration".into()
            );
        }
        let callers = Callers::of(agent, trigger)?;
        let name = agent.manifest().name.clone();
        let refusals = Refusals::new(agent.host().journal(&name));
        let (path, link) = (trigger.path.to_string(), Arc::clone(link));
        let budget = Budget::new(trigger.rate);
        Ok(Some(Arc::new(Self { budget, name, agent: agent.clone(), trigger: Arc::new(trigger.clone()), path, callers, link, refusals })))
    }

    /// The path by which it is called, as its manifest has it.
    pub(in crate::serve) fn path(&self) -> &str {
        &self.path
    }

    /// The files of the authorities of its callers' certificates.
    pub(super) fn authorities(&self) -> Option<&PathBuf> {
        match &self.callers {
            Callers::Mtls(certificates) => Some(&certificates.authorities),
            _ => None,
        }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.refusals.close(&self.path);
    }
}

impl Routes {
    pub(super) fn new(mut routes: Vec<Arc<Route>>) -> Self {
        routes.sort_by_key(|route| std::cmp::Reverse(route.trigger.path.weight()));
        Self(routes)
    }

    /// The one that a path belongs to.
    pub(super) fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| route.trigger.path.covers(path))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().map(|route| &**route)
    }
}

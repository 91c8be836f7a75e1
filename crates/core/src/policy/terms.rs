//! On what terms a request may leave: what its entries say beyond the fact that it may.

use super::{Destination, Graphql};
use crate::manifest::{AnswerRule, Leaks, Misplaced, Seal};
use http::HeaderName;

/// On what terms a request may leave.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) guarded: bool,
    /// Parameters that `Accept` keeps beside the usual ones.
    pub(super) accept_parameters: Vec<String>,
    /// What is asked of a body that is GraphQL.
    pub(super) graphql: Option<Graphql>,
    /// Whether a GET or HEAD request may have a body.
    pub(super) get_body: bool,
    pub(super) plain_etags: bool,
    /// Headers that hold what the origin gave the run, as it is.
    pub(super) passes: Vec<HeaderName>,
    /// Cookies of that kind that stand beside sealed ones.
    pub(super) plain_cookies: Vec<String>,
    /// Whether the request holds a credential of the agent's own.
    pub(super) carries_own: bool,
    pub(super) misplaced: Misplaced,
    pub(super) leaks: Leaks,
    pub(super) own_credentials: bool,
    pub(super) seals: Vec<(usize, Seal)>,
    pub(super) answers_allowed: Vec<AnswerRule>,
    pub(super) signed_urls: Vec<(usize, Seal)>,
    pub(super) is_sealed: bool,
    /// Whether a value goes into the body.
    pub(super) fills_body: bool,
    pub(super) holds_body: bool,
    pub(super) is_timed: bool,
    pub(super) is_signed: bool,
    /// Whether the body has to leave as the agent wrote it.
    pub(super) fixes_body: bool,
    /// A secret whose placeholder stands in a body that was judged as a whole, where it is text.
    pub(super) inert: Option<usize>,
    /// The secret whose cookie the origin has replaced.
    pub(super) renewed: Option<usize>,
}

impl Terms {
    /// What entries say: those that are open to a request, those that bind it, and those whose places it uses. The rest is the request's own.
    pub(super) fn of_entries(open: &[&Destination], bound: &[&Destination], used: &[&Destination]) -> Self {
        let signed_urls = open.iter().filter_map(|d| Some((d.secret.as_ref()?.0, &d.signed_urls)));
        Self {
            accept_parameters: open.iter().flat_map(|d| d.accept_parameters.iter().cloned()).collect(),
            get_body: open.iter().any(|d| d.passes.get_body),
            plain_etags: open.iter().any(|d| d.passes.plain_etags),
            own_credentials: open.iter().any(|d| d.own_credentials),
            answers_allowed: open.iter().flat_map(|d| d.answers_allowed.iter().cloned()).collect(),
            signed_urls: signed_urls.flat_map(|(secret, places)| places.iter().map(move |place| (secret, place.clone()))).collect(),
            seals: seals(bound),
            leaks: Leaks {
                treatment: bound.iter().map(|d| d.leaks.treatment).max().unwrap_or_default(),
                allowed: used.iter().flat_map(|d| d.leaks.allowed.iter().cloned()).collect(),
            },
            ..Self::default()
        }
    }
}

/// The fields that are sealed, each once: where two grants name one, the first seals it.
fn seals(bound: &[&Destination]) -> Vec<(usize, Seal)> {
    let mut seals: Vec<(usize, Seal)> = Vec::new();
    let granted = bound.iter().filter_map(|d| d.secret.as_ref().map(|(secret, _)| (*secret, &d.seal)));
    for (secret, seal) in granted.flat_map(|(secret, seals)| seals.iter().map(move |seal| (secret, seal))) {
        if !seals.iter().any(|(_, known)| known == seal) {
            seals.push((secret, seal.clone()));
        }
    }
    seals
}

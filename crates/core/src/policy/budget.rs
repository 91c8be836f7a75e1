//! Rates: so many requests in any window of a length. The one stateful part of the policy.

use crate::lock::Mutex;
use crate::manifest::Rate;
use std::collections::VecDeque;
use std::time::Instant;

/// Counts the requests of one grant over a sliding window. Memory: 16 bytes for each request within the window.
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    taken: Mutex<VecDeque<Instant>>,
}

impl Budget {
    pub fn new(rate: Rate) -> Self {
        Self { rate, taken: Mutex::default() }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one request out of the budget, or says that none is left.
    pub fn take(&self, now: Instant) -> bool {
        Self::take_all([self].into_iter(), now).is_ok()
    }

    /// Gives back what was taken at that time. Nothing is given back twice, and what has left the window is not there any more.
    pub fn give_back(&self, taken_at: Instant) {
        let mut taken = self.taken.lock();
        if let Some(index) = taken.iter().rposition(|at| *at == taken_at) {
            taken.remove(index);
        }
    }

    /// Takes one request out of each budget; or out of none, where one of them has none left: which. Whoever takes out of several names them
    /// in the same order.
    pub(crate) fn take_all<'b>(budgets: impl Iterator<Item = &'b Self>, now: Instant) -> Result<(), usize> {
        let mut all = Vec::new();
        for (index, budget) in budgets.enumerate() {
            let mut taken = budget.taken.lock();
            while taken.front().is_some_and(|at| now.duration_since(*at) >= budget.rate.per) {
                taken.pop_front();
            }
            if taken.len() >= budget.rate.requests as usize {
                return Err(index);
            }
            all.push(taken);
        }
        all.iter_mut().for_each(|taken| taken.push_back(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_grant_without_a_rate_has_one_too() {
        let manifest = "name = \"a\"\ncomponent = \"a.wasm\"\n[[egress]]\nhost = \"api.test\"";
        let manifest = crate::manifest::Manifest::parse("agent.toml", manifest).expect("a manifest");
        let policy = super::super::Policy::new(&manifest, super::super::Closed::default());
        let (method, uri, headers) = (http::Method::GET, http::Uri::from_static("https://api.test/"), http::HeaderMap::new());
        let asked =
            super::super::Asked { method: &method, uri: &uri, headers: &headers, body: Some(&[]), time: std::time::SystemTime::UNIX_EPOCH };
        let start = Instant::now();
        let permit = policy.authorize(&asked, &super::super::Placeholders::default()).expect("a permit");
        let ask = |at: Instant| policy.charge(&permit, at).map(drop);

        assert!((0..Rate::DEFAULT.requests).all(|_| ask(start).is_ok()));
        let denial = ask(start).expect_err("one too many");
        assert!(denial.reason.contains("which is 60000 in 60 s"), "{denial}");
        assert!(ask(start + Rate::DEFAULT.per).is_ok());
    }

    #[test]
    fn a_request_that_one_budget_refuses_is_charged_to_none() {
        let budget = |requests| Budget::new(Rate { requests, per: Duration::from_secs(60) });
        let (wide, narrow, now) = (budget(2), budget(1), Instant::now());

        let take = |budgets: &[&Budget]| Budget::take_all(budgets.iter().copied(), now);
        assert_eq!([take(&[&wide, &narrow]), take(&[&wide, &narrow]), take(&[&wide]), take(&[&wide])], [Ok(()), Err(1), Ok(()), Err(0)]);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_once() {
        let budget = Budget::new(Rate { requests: 2, per: Duration::from_secs(60) });
        let (start, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        assert!(budget.take(start) && budget.take(later));

        budget.give_back(start);
        budget.give_back(start);

        assert_eq!([budget.take(later), budget.take(later)], [true, false]);
        // What was taken later still leaves the window later.
        assert!(!budget.take(start + Duration::from_secs(60)));
    }

    #[test]
    fn no_window_holds_more_than_the_rate() {
        let budget = Budget::new(Rate { requests: 2, per: Duration::from_secs(60) });
        let start = Instant::now();
        let at = |seconds| budget.take(start + Duration::from_secs(seconds));

        assert_eq!([at(0), at(59), at(59), at(60), at(118), at(119)], [true, true, false, true, false, true]);
    }
}

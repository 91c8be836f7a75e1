//! Room for connections: so many of each user and of each network, so that nobody keeps others out, and the host's own user is never kept out by any.

use super::who::is_own;
use crate::lock::Mutex;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Connections at once of one user, or of one address.
const EACH: usize = 16;
/// Connections at once of all but the host's own user and root.
const ALL: usize = 128;

/// Whose connections they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    User(u32),
    /// An address; of IPv6, its network.
    Address(IpAddr),
}

/// All connections that there are.
#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<Whose, usize>>);

/// Room for one, as long as it is held.
pub(super) struct Place {
    places: Arc<Places>,
    whose: Whose,
}

impl Whose {
    pub(super) fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            // Whoever has one has the whole network.
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
            v4 => v4,
        })
    }

    fn is_own(self) -> bool {
        matches!(self, Self::User(user) if is_own(user))
    }
}

impl Places {
    /// Room for one more, where there is any.
    pub(super) fn take(self: &Arc<Self>, whose: Whose) -> Option<Place> {
        let mut places = self.0.lock();
        let others: usize = places.iter().filter(|(whose, _)| !whose.is_own()).map(|(_, count)| count).sum();
        let taken = places.entry(whose).or_default();
        // The kernel bounds what the host's own user may open.
        if !whose.is_own() && (*taken >= EACH || others >= ALL) {
            if *taken == 0 {
                places.remove(&whose);
            }
            return None;
        }
        *taken += 1;
        Some(Place { places: Arc::clone(self), whose })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.0.lock();
        if let Some(taken) = places.get_mut(&self.whose) {
            *taken -= 1;
            if *taken == 0 {
                places.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_keeps_others_out_and_the_hosts_own_user_is_never_kept_out() {
        let places = Arc::new(Places::default());
        let user = |number: u32| Whose::User(70_000 + number);
        let many = |whose| std::iter::from_fn(|| places.take(whose)).collect::<Vec<_>>();

        let mut held = many(user(0));
        assert_eq!(held.len(), EACH);
        assert!(places.take(user(1)).is_some());
        let network = |last| Whose::address(format!("2001:db8::{last}").parse().expect("an address"));
        assert_eq!(network(1), network(2));
        for number in 1..20 {
            held.extend(many(user(number)));
        }
        assert!(held.len() == ALL && places.take(Whose::address([10, 0, 0, 1].into())).is_none());
        assert!(places.take(Whose::User(rustix::process::geteuid().as_raw())).is_some());

        held.clear();
        assert!(places.take(user(0)).is_some());
        assert!(places.0.lock().is_empty());
    }
}

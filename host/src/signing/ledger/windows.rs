//! What was spent of one asset in the last hour, the last day, and ever. Windows slide: an amount leaves each as it is so old, to the
//! millisecond. Signatures for one nonce are one payment, the largest of them: a chain takes only one.

use alloy_primitives::U256;
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};

const HOUR: u64 = 60 * 60 * 1_000;
const DAY: u64 = 24 * HOUR;

/// What amounts count as, at most. So many of them that a sum overflows don't fit into any memory.
const MOST: U256 = U256::from_limbs([0, 0, 0, 1 << 8]);

/// What can be paid only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// A chain and a nonce: further transactions for it replace the first.
    Nonce(u64, u64),
    /// Whatever was signed in that reservation.
    Own(u64),
}

/// The windows of one asset.
#[derive(Debug)]
pub(super) struct Windows {
    hour: Window,
    day: Window,
    total: Window,
}

/// What a window holds, or would hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) hour: U256,
    pub(crate) day: U256,
    pub(crate) total: U256,
}

/// What was signed for one slot, by reservation: hardly ever more than one.
type Amounts = SmallVec<[(u64, U256); 1]>;

#[derive(Debug)]
struct Window {
    /// Milliseconds; none for ever.
    span: Option<u64>,
    sum: U256,
    /// By time, oldest first; nothing where nothing leaves.
    entries: VecDeque<(u64, Slot, u64)>,
    slots: HashMap<Slot, Amounts>,
}

impl Default for Windows {
    fn default() -> Self {
        Self { hour: Window::of(Some(HOUR)), day: Window::of(Some(DAY)), total: Window::of(None) }
    }
}

impl Windows {
    fn all(&mut self) -> [&mut Window; 3] {
        [&mut self.hour, &mut self.day, &mut self.total]
    }

    /// Counts an amount under `id`.
    pub(super) fn add(&mut self, now: u64, slot: Slot, amount: U256, id: u64) {
        self.all().into_iter().for_each(|window| window.add(now, slot, amount.min(MOST), id));
    }

    /// Takes back what was counted under `id`.
    pub(super) fn remove(&mut self, slot: Slot, id: u64) {
        self.all().into_iter().for_each(|window| window.remove(slot, id));
    }

    /// What the windows would hold with that amount.
    pub(super) fn with(&mut self, now: u64, slot: Slot, amount: U256) -> Sums {
        let [hour, day, total] = self.all().map(|window| window.with(now, slot, amount.min(MOST)));
        Sums { hour, day, total }
    }
}

impl Window {
    fn of(span: Option<u64>) -> Self {
        Self { span, sum: U256::ZERO, entries: VecDeque::new(), slots: HashMap::new() }
    }

    fn add(&mut self, now: u64, slot: Slot, amount: U256, id: u64) {
        self.change(slot, |amounts| amounts.push((id, amount)));
        if self.span.is_some() {
            self.entries.push_back((now, slot, id));
        }
    }

    fn remove(&mut self, slot: Slot, id: u64) {
        self.change(slot, |amounts| amounts.retain(|(known, _)| *known != id));
    }

    fn with(&mut self, now: u64, slot: Slot, amount: U256) -> U256 {
        if let Some(span) = self.span {
            while let Some((_, slot, id)) = self.entries.pop_front_if(|(time, _, _)| time.saturating_add(span) <= now) {
                self.remove(slot, id);
            }
        }
        let largest = self.slots.get(&slot).map_or(U256::ZERO, largest);
        self.sum - largest + largest.max(amount)
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Amounts)) {
        let amounts = self.slots.entry(slot).or_default();
        let before = largest(amounts);
        change(amounts);
        self.sum = self.sum - before + largest(amounts);
        if amounts.is_empty() {
            self.slots.remove(&slot);
        }
    }
}

fn largest(amounts: &Amounts) -> U256 {
    amounts.iter().map(|(_, amount)| *amount).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u64) -> U256 {
        U256::from(n)
    }

    #[test]
    fn a_window_slides_and_does_not_jump() {
        let mut windows = Windows::default();
        windows.add(1_000, Slot::Own(1), number(5), 1);
        windows.add(1_000 + HOUR / 2, Slot::Own(2), number(7), 2);

        let at = |windows: &mut Windows, now| windows.with(now, Slot::Own(9), number(0)).hour;

        assert_eq!(at(&mut windows, 999 + HOUR), number(12));
        assert_eq!(at(&mut windows, 1_000 + HOUR), number(7), "the first has left to the millisecond");
        assert_eq!(at(&mut windows, 1_000 + HOUR + HOUR / 2), number(0));
        let sums = windows.with(1_000 + DAY, Slot::Own(9), number(1));
        assert_eq!((sums.hour, sums.day, sums.total), (number(1), number(8), number(13)));
    }

    #[test]
    fn a_replacement_counts_the_largest() {
        let mut windows = Windows::default();
        let nonce = Slot::Nonce(1, 7);
        windows.add(0, nonce, number(10), 1);

        assert_eq!(windows.with(1, nonce, number(8)).day, number(10));
        assert_eq!(windows.with(1, nonce, number(12)).day, number(12));
        windows.add(1, nonce, number(12), 2);
        assert_eq!(windows.with(DAY, nonce, number(3)).day, number(12), "the first has left, the second is the largest");
        assert_eq!(windows.with(DAY + 1, nonce, number(3)).day, number(3));
        windows.remove(nonce, 2);
        assert_eq!(windows.with(DAY + 1, nonce, number(0)).total, number(10), "what was taken back leaves what was there");
    }

    #[test]
    fn no_amount_overflows_a_sum() {
        let mut windows = Windows::default();
        (0..100).for_each(|id| windows.add(0, Slot::Own(id), U256::MAX, id));

        assert_eq!(windows.with(0, Slot::Own(100), U256::MAX).total, MOST * number(101));
    }
}

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
pub enum Slot {
    /// A chain and a nonce: further transactions for it replace the first.
    Nonce(u64, u64),
    /// Whatever was signed in that reservation.
    Own(u64),
}

/// What was spent of one asset, reservations included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sums {
    /// In the last 60 minutes.
    pub hour: U256,
    /// In the last 24 hours.
    pub day: U256,
    /// Ever.
    pub total: U256,
}

/// What was spent of one asset, and how much of that each window holds.
#[derive(Debug, Default)]
pub struct Windows {
    slots: HashMap<Slot, Amounts>,
    /// The order in which amounts leave the windows: their times and slots, without those that have left all that they can.
    order: VecDeque<(u64, Slot)>,
    /// The number of the first in that order.
    begin: u64,
    hour: Window,
    day: Window,
    total: Window,
}

/// The amounts from a number on: those before have left it.
#[derive(Debug, Default)]
struct Window {
    first: u64,
    sum: U256,
}

/// What was signed for one slot, hardly ever more than once.
type Amounts = SmallVec<[Counted; 1]>;

#[derive(Debug)]
struct Counted {
    /// Its number in the order of all.
    number: u64,
    id: u64,
    amount: U256,
}

impl Sums {
    /// What was spent in each window.
    #[must_use]
    pub const fn new(hour: U256, day: U256, total: U256) -> Self {
        Self { hour, day, total }
    }
}

impl Windows {
    /// Counts an amount under `id`.
    pub fn add(&mut self, now: u64, slot: Slot, amount: U256, id: u64) {
        let number = self.begin + self.order.len() as u64;
        self.order.push_back((now, slot));
        self.change(slot, |amounts| amounts.push(Counted { number, id, amount: amount.min(MOST) }));
    }

    /// Takes back what was counted under `id`.
    pub fn remove(&mut self, slot: Slot, id: u64) {
        self.change(slot, |amounts| amounts.retain(|counted| counted.id != id));
    }

    /// What the windows would hold with that amount.
    pub fn with(&mut self, now: u64, slot: Slot, amount: U256) -> Sums {
        self.slide(now);
        let amounts = self.slots.get(&slot).map_or(&[][..], SmallVec::as_slice);
        let with = |window: &Window| window.sum - window.largest(amounts) + window.largest(amounts).max(amount.min(MOST));
        Sums { hour: with(&self.hour), day: with(&self.day), total: with(&self.total) }
    }

    /// Lets go of what is as old as a window is long.
    fn slide(&mut self, now: u64) {
        for (window, span) in [(&mut self.hour, HOUR), (&mut self.day, DAY)] {
            let mut left = self.order.iter().skip(usize::try_from(window.first - self.begin).unwrap_or(usize::MAX));
            while let Some((_, slot)) = left.next().filter(|(time, _)| time.saturating_add(span) <= now) {
                let amounts = self.slots.get(slot).map_or(&[][..], SmallVec::as_slice);
                let before = window.largest(amounts);
                window.first += 1;
                window.sum = window.sum - before + window.largest(amounts);
            }
        }
        while self.begin < self.hour.first.min(self.day.first) {
            self.order.pop_front();
            self.begin += 1;
        }
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Amounts)) {
        let amounts = self.slots.entry(slot).or_default();
        let mut windows = [&mut self.hour, &mut self.day, &mut self.total];
        windows.iter_mut().for_each(|window| window.sum -= window.largest(amounts));
        change(amounts);
        windows.iter_mut().for_each(|window| window.sum += window.largest(amounts));
        if amounts.is_empty() {
            self.slots.remove(&slot);
        }
    }
}

impl Window {
    /// What counts of a slot: the largest amount that the window holds of it.
    fn largest(&self, amounts: &[Counted]) -> U256 {
        let held = amounts.iter().filter(|counted| counted.number >= self.first);
        held.map(|counted| counted.amount).max().unwrap_or_default()
    }
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
    fn windows_hold_what_a_list_of_everything_says() {
        /// What a window of that length holds at a time: of each slot the largest.
        fn held(all: &[(u64, Slot, u64, u64)], span: u64, now: u64, with: (Slot, u64)) -> U256 {
            let mut largest = HashMap::from([(with.0, with.1)]);
            for (_, slot, amount, _) in all.iter().filter(|(time, ..)| span == u64::MAX || time + span > now) {
                let known = largest.entry(*slot).or_insert(0);
                *known = (*known).max(*amount);
            }
            largest.values().map(|amount| number(*amount)).sum()
        }

        // Knuth's MMIX generator: the same numbers each time.
        let mut state = 1_u64;
        let mut below = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let (mut windows, mut all, mut now) = (Windows::default(), Vec::new(), 0);
        for id in 1..4_000 {
            now += below(HOUR / 20);
            let slot = if below(4) == 0 { Slot::Own(id) } else { Slot::Nonce(1, below(200)) };
            let amount = below(1_000);
            let sums = windows.with(now, slot, number(amount));
            let [hour, day, total] = [HOUR, DAY, u64::MAX].map(|span| held(&all, span, now, (slot, amount)));
            assert_eq!(sums, Sums { hour, day, total }, "before {id}");

            windows.add(now, slot, number(amount), id);
            all.push((now, slot, amount, id));
            if below(3) == 0 {
                let (_, slot, _, id) = all.remove(usize::try_from(below(all.len() as u64)).expect("an index"));
                windows.remove(slot, id);
            }
        }
    }

    #[test]
    fn no_amount_overflows_a_sum() {
        let mut windows = Windows::default();
        (0..100).for_each(|id| windows.add(0, Slot::Own(id), U256::MAX, id));

        assert_eq!(windows.with(0, Slot::Own(100), U256::MAX).total, MOST * number(101));
    }
}

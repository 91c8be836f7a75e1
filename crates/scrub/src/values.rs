//! A scrubber without rules: for responses of hosts that hold no grant, in which known values are looked for and nothing else.

use super::{Lens, Scrubber};
use std::sync::Arc;
use strongroom_ground::lock::Mutex;

/// The values alone of a run's scrubber, made once for each time that it is renewed.
#[derive(Debug, Default)]
pub struct Values(Mutex<Option<(Arc<Scrubber>, Arc<Scrubber>)>>);

impl Values {
    /// The same values, looked for without rules; what stands in their stead is as long as they are, so that a length said before stays true.
    /// `None` where there are none.
    pub fn of(&self, scrubber: &Arc<Scrubber>) -> Option<Arc<Scrubber>> {
        if scrubber.count() == 0 {
            return None;
        }
        let mut known = self.0.lock();
        if let Some((_, values)) = known.as_ref().filter(|(of, _)| Arc::ptr_eq(of, scrubber)) {
            return Some(Arc::clone(values));
        }
        let search = scrubber.whole().alone();
        let values = Arc::new(Scrubber { search, beside: None, lens: Lens::default(), fitted: true, ..scrubber.flat() });
        *known = Some((Arc::clone(scrubber), Arc::clone(&values)));
        Some(values)
    }
}

//! Memory for values: pages of their own, wiped before they are given back, left out of core dumps, and locked where the system allows it.

use crate::lock::Mutex;
use memmap2::{Advice, MmapMut};
use std::sync::Once;
use zeroize::{Zeroize, Zeroizing};

/// Bytes that nearly all values fit into. Pages of this size are used again.
const PAGE: usize = 4096;
/// Pages that are kept for the next values: setting one up takes the system longer than a run of an agent that is at hand.
const KEPT: usize = 64;

static SPARE: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

/// Bytes that nothing else shares a page with.
pub(super) struct Pages {
    map: Option<MmapMut>,
    len: usize,
    /// The bytes, where they have no page.
    heap: Zeroizing<Vec<u8>>,
}

impl Pages {
    /// A copy of the bytes; the caller's are wiped.
    pub(super) fn take(bytes: Vec<u8>) -> Self {
        let bytes = Zeroizing::new(bytes);
        let len = bytes.len();
        let spare = if len <= PAGE { SPARE.lock().pop() } else { None };
        match spare.or_else(|| fresh(len.max(PAGE))) {
            Some(mut map) => {
                map[..len].copy_from_slice(&bytes);
                Self { map: Some(map), len, heap: Zeroizing::default() }
            }
            None => Self { map: None, len, heap: bytes },
        }
    }

    /// The bytes where all else lies; wiped all the same.
    pub(super) fn on_heap(bytes: Vec<u8>) -> Self {
        Self { map: None, len: bytes.len(), heap: Zeroizing::new(bytes) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_ref().map_or(&self.heap, |map| &map[..self.len])
    }
}

/// Pages of the system's, set up for values.
fn fresh(len: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(len).ok()?;
    if map.lock().is_err() {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::warn!(
                "the system does not let this process lock more memory (RLIMIT_MEMLOCK): values may be written to swap; raise the limit, or turn swap off"
            );
        });
    }
    #[cfg(target_os = "linux")]
    let _ = map.advise(Advice::DontDump);
    Some(map)
}

impl Drop for Pages {
    fn drop(&mut self) {
        let Some(mut map) = self.map.take() else { return };
        map[..self.len].zeroize();
        let mut spare = SPARE.lock();
        if map.len() == PAGE && spare.len() < KEPT {
            spare.push(map);
        }
    }
}

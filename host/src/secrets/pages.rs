//! Memory for values: pages of their own, wiped before they are given back, left out of core dumps, and locked where the system allows it.

use memmap2::{Advice, MmapMut};
use std::sync::Once;
use zeroize::{Zeroize, Zeroizing};

/// Bytes that nothing else shares a page with.
pub(super) enum Pages {
    Own {
        map: MmapMut,
        len: usize,
    },
    /// Where the system has no mapping left.
    Heap(Zeroizing<Vec<u8>>),
}

impl Pages {
    /// A copy of the bytes; the caller's are wiped.
    pub(super) fn take(bytes: Vec<u8>) -> Self {
        let bytes = Zeroizing::new(bytes);
        let Ok(mut map) = MmapMut::map_anon(bytes.len().max(1)) else { return Self::Heap(bytes) };
        if map.lock().is_err() {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                tracing::warn!(
                    "the system locks no more memory for this process (RLIMIT_MEMLOCK): values may be written to swap; raise the limit, or turn swap off"
                );
            });
        }
        #[cfg(target_os = "linux")]
        let _ = map.advise(Advice::DontDump);
        map[..bytes.len()].copy_from_slice(&bytes);
        Self::Own { map, len: bytes.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own { map, len } => &map[..*len],
            Self::Heap(bytes) => bytes,
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Self::Own { map, .. } = self {
            map.as_mut().zeroize();
        }
    }
}

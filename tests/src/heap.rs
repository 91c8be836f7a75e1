//! Counts what is on the heap, once it is told to. A benchmark makes it its global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, which counts only where [`count`] was called: what is measured before that is not slowed down.
pub struct Counting;

/// Counts from here on.
pub fn count() {
    COUNTS.store(true, Ordering::SeqCst);
}

/// Bytes that have come since, less those that have gone.
pub fn live() -> u64 {
    u64::try_from(LIVE.load(Ordering::SeqCst).max(0)).unwrap_or(0)
}

fn add(bytes: usize, sign: i64) {
    if COUNTS.load(Ordering::Relaxed) {
        LIVE.fetch_add(sign * i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator's interface is; every call goes to the system's own")]
// SAFETY: all methods hand their arguments to `System` as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size(), 1);
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(layout.size(), -1);
        add(size, 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

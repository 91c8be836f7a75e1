//! Bounds on memories, tables and instances, over the whole of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::ResourceLimiter;

/// Elements of all tables of a run together.
const TABLE_ELEMENTS: usize = 400_000;

/// Sums what a run holds and refuses growth past its bounds.
pub(super) struct Limiter {
    limit: usize,
    held: usize,
    /// Most bytes held at once. The account of a run that is dropped midway reads it too.
    peak: Arc<AtomicU64>,
    elements: usize,
    refused: bool,
    refused_memory: bool,
}

impl Limiter {
    pub(super) fn new(memory: u64, peak: Arc<AtomicU64>) -> Self {
        Self { limit: usize::try_from(memory).unwrap_or(usize::MAX), held: 0, peak, elements: 0, refused: false, refused_memory: false }
    }

    /// Whether growth was refused: then a trap that follows is the bound's doing.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// Whether it was memory that was refused, beyond `limits.memory`.
    pub(super) fn refused_memory(&self) -> bool {
        self.refused_memory
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let held = self.held.saturating_sub(current).saturating_add(desired);
        if held > self.limit {
            (self.refused, self.refused_memory) = (true, true);
            return Ok(false);
        }
        self.held = held;
        self.peak.fetch_max(held as u64, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_sub(current).saturating_add(desired);
        if elements > TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }
}

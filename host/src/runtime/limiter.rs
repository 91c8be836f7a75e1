//! Bounds on memories, tables and instances, over the whole of a run.

use wasmtime::ResourceLimiter;

/// Elements of all tables of a run together.
const TABLE_ELEMENTS: usize = 400_000;

/// Sums what a run holds and refuses growth past its bounds.
pub(super) struct Limiter {
    limit: usize,
    held: usize,
    peak: usize,
    elements: usize,
    refused: bool,
}

impl Limiter {
    pub(super) fn new(memory: u64) -> Self {
        Self { limit: usize::try_from(memory).unwrap_or(usize::MAX), held: 0, peak: 0, elements: 0, refused: false }
    }

    /// Most bytes held at once.
    pub(super) fn peak(&self) -> u64 {
        self.peak as u64
    }

    /// Whether growth was refused: then a trap that follows is the bound's doing.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let held = self.held.saturating_sub(current).saturating_add(desired);
        if held > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.held = held;
        self.peak = self.peak.max(held);
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

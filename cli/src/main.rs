//! The `strongroom` binary.

use std::alloc::System;
use zeroizing_alloc::ZeroAlloc;

/// Wipes what is freed: values pass through buffers of libraries that do not.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    strongroom_cli::main()
}

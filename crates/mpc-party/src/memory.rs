//! Nothing of a party is to come onto a disk by itself: no core dump, and no swap where the system lets a process lock its memory.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Locks all memory of this process, now and later, and has it leave no core dump.
pub fn keep_off_disks() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let free = Rlimit { current: None, maximum: None };
    // Within a limit the process would end at the first byte beyond it.
    let may = setrlimit(Resource::Memlock, free).is_ok() || getrlimit(Resource::Memlock).current.is_none();
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if !may || mlockall(all).is_err() {
        tracing::warn!(
            "the system does not let this process lock its memory (RLIMIT_MEMLOCK), so shares may be written to swap: set \
             `LimitMEMLOCK=infinity`, or turn swap off"
        );
    }
}

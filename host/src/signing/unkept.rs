//! Why what was signed is not kept, and so is not given out.

use super::Failure;
use crate::policy::refused;
use crate::shared::SharedError;

/// What was signed is not kept, and not given out.
#[derive(Debug)]
pub(super) enum Unkept {
    /// The operator has to look at the ledger first.
    Blocked(String),
    /// The signature came after its reservation had ended.
    Late,
    /// This host's own ledger can't be written: nothing of the run goes on. Its place, and why.
    Unwritten(String),
    /// The ledger that hosts share did not keep it.
    There(SharedError),
}

impl Unkept {
    /// What the audit log says of a signature that was made and is not given out.
    pub(super) fn of_signature(&self) -> String {
        let why = match self {
            Self::Blocked(why) | Self::Unwritten(why) => why.clone(),
            Self::Late => format!("it came more than {} s after what it spends was reserved", super::ledger::RESERVATION.as_secs()),
            Self::There(why) => format!("the ledger that hosts share did not keep it ({why})"),
        };
        format!("it has signed, and the signature is not given out: {why}")
    }
}

impl From<Unkept> for Failure {
    fn from(unkept: Unkept) -> Self {
        match unkept {
            Unkept::Blocked(why) => Self::Denied(refused::ledger(&why)),
            Unkept::Late => Self::Unknown,
            Unkept::Unwritten(why) => Self::NoLedger(why),
            Unkept::There(why) => Self::Denied(refused::ledger_silent(&why.to_string())),
        }
    }
}

//! MACs: computed, and recorded before they leave.

use super::{Asked, Failure};
use crate::policy::MacPermit;

/// An HMAC, recorded before it leaves.
pub(crate) async fn authenticate(asked: Asked, permit: MacPermit) -> Result<Vec<u8>, Failure> {
    if !asked.signer.key.is_mac() {
        return Err(Failure::Denied(asked.wrong_use("authenticate an input")));
    }
    asked.within_rate().await?;
    let input = permit.input();
    asked.account(format!("HMAC of {} bytes: {input:?}", input.len()), input.as_bytes()).await?;
    let tag = asked.signer.key.authenticate(permit).map_err(|_| Failure::Unreachable("its key makes no HMAC".to_owned()))?;
    asked.give(tag.to_vec())
}

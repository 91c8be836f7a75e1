//! Tokens: signed, and recorded before they leave.

use super::{Asked, Failure};
use crate::policy::TokenPermit;

/// A token, recorded before it leaves.
pub(crate) async fn token(asked: Asked, permit: TokenPermit) -> Result<String, Failure> {
    if asked.signer.key.algorithm().is_none() {
        return Err(Failure::Denied(asked.wrong_use("sign a token")));
    }
    asked.within_rate().await?;
    let text = |part: &serde_json::Map<String, serde_json::Value>| serde_json::to_string(part).unwrap_or_default();
    let line = format!("token {} {}", text(permit.header()), text(permit.claims()));
    let token = asked.signer.key.sign_token(permit).ok().flatten();
    let token = token.ok_or_else(|| Failure::Unreachable("its key signs no token".to_owned()))?;
    let input = token.rsplit_once('.').map_or("", |(input, _)| input);
    asked.account(line, input.as_bytes()).await?;
    asked.give(token)
}

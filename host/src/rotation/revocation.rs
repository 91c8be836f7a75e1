//! How far an issuer is believed: when a key counts as revoked.

use super::Rotation;
use super::halt::Halt;
use super::hold::Hold;
use super::issuer::{IssuedKey, IssuerError, Probe, Revoked};

/// Has a key ended, and is content with nothing less than proof: the issuer's word, or that it rejects it.
pub(super) async fn end_key(rotation: &Rotation, hold: &mut Hold, key: &IssuedKey, with: &IssuedKey) -> Result<(), Halt> {
    let in_use = match rotation.sites.first() {
        Some(site) => site.read().await.ok().map(|kept| IssuedKey::new(kept.value.as_str())),
        None => None,
    };
    let (mut why, mut after) = (String::new(), None);
    // Who is to end it may be ended itself; then the key that is in use may, or the key itself.
    let others = in_use.iter().chain([key]).filter(|other| !other.is(with));
    for with in [with].into_iter().chain(others) {
        rotation.sure(hold).await?;
        (why, after) = match rotation.call(rotation.issuer.revoke(key, with)).await {
            Ok(Revoked::Done) => return Ok(()),
            Ok(Revoked::NotFound) => ("the issuer knows no such key, and still accepts it: revoke it by hand".to_owned(), None),
            Err(IssuerError::Later { why, after }) => (why, after),
            Err(IssuerError::Unknown(why)) => (why, None),
            Err(IssuerError::Refused(refused)) => {
                why = refused;
                continue;
            }
        };
        break;
    }
    // Whatever it says: a key that it rejects no longer works, unless it accepts no key at all at the moment.
    if rejects(rotation, key).await {
        for known in [Some(with), in_use.as_ref()].into_iter().flatten().filter(|known| !known.is(key)) {
            if matches!(rotation.call(rotation.issuer.probe(known)).await, Ok(Probe::Works { .. })) {
                return Ok(());
            }
        }
    }
    Err(Halt::Later { why: format!("a key could not be revoked: {why}"), after })
}

/// Whether the issuer rejects a key.
pub(super) async fn rejects(rotation: &Rotation, key: &IssuedKey) -> bool {
    matches!(rotation.call(rotation.issuer.probe(key)).await, Ok(Probe::Rejected))
}

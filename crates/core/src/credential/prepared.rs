//! Keys that were read of a value, kept as long as the value is: to read one takes longer than to sign with it.

use super::hmac::HmacKey;
use super::jwt::JwtKey;
use super::sigv4::{Scope, SigningKey};
use crate::lock::Mutex;
use crate::manifest::{HmacSpec, SchemeSpec};
use std::fmt;
use std::sync::Arc;

/// Most scopes of AWS whose keys are kept: those that one agent works in at a time.
const MOST_SCOPES: usize = 8;

/// What schemes have read of one value. Nothing of it can be had but by a scheme that is applied.
#[derive(Default)]
pub struct Prepared {
    hmac: Mutex<Option<(Arc<HmacSpec>, Arc<HmacKey>)>>,
    jwt: Mutex<Option<Arc<JwtKey>>>,
    /// The keys of scopes, the one that was derived last at the end.
    sigv4: Mutex<Vec<(Scope, SigningKey)>>,
}

impl Prepared {
    /// Reads a value as a scheme's key.
    pub(crate) fn read(&self, scheme: &SchemeSpec, value: &[u8]) -> Result<(), String> {
        match scheme {
            SchemeSpec::Hmac(spec) => self.hmac(spec, value).map(drop),
            SchemeSpec::Jwt(_) => self.jwt(value).map(drop),
            // A secret access key is any text; what a token was had for is read by whoever presents it.
            SchemeSpec::SigV4(_) | SchemeSpec::Oauth2(_) => Ok(()),
        }
    }

    /// The key of a scheme that signs requests: read anew where another manifest reads the value in another way.
    pub(super) fn hmac(&self, spec: &Arc<HmacSpec>, value: &[u8]) -> Result<Arc<HmacKey>, String> {
        let mut known = self.hmac.lock();
        match &*known {
            Some((of, key)) if Arc::ptr_eq(of, spec) || (of.algorithm, of.key) == (spec.algorithm, spec.key) => Ok(Arc::clone(key)),
            _ => {
                let key = Arc::new(HmacKey::read(spec, value)?);
                *known = Some((Arc::clone(spec), Arc::clone(&key)));
                Ok(key)
            }
        }
    }

    /// The key of a scheme that makes tokens.
    pub(super) fn jwt(&self, value: &[u8]) -> Result<Arc<JwtKey>, String> {
        let mut known = self.jwt.lock();
        if let Some(key) = &*known {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(JwtKey::read(value)?);
        *known = Some(Arc::clone(&key));
        Ok(key)
    }

    /// The key that is derived of a secret access key for a scope. A scope is of one day, so its key serves many requests.
    pub(super) fn sigv4(&self, value: &[u8], scope: &Scope) -> SigningKey {
        let mut known = self.sigv4.lock();
        if let Some((_, key)) = known.iter().find(|(of, _)| of == scope) {
            return key.clone();
        }
        let key = SigningKey::derive(value, scope);
        if known.len() >= MOST_SCOPES {
            known.remove(0);
        }
        known.push((scope.clone(), key.clone()));
        key
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::hmac::Preset;

    #[test]
    fn a_key_is_read_once_and_anew_where_another_scheme_reads_it_otherwise() {
        let spec = |name: &str| Arc::new(Preset::named(name).expect("a preset").spec());
        let (text, again, base64) = (spec("okx"), spec("bybit"), spec("kraken"));
        let prepared = Prepared::default();
        let value = b"bm90IGEga2V5IG9mIGFueWJvZHk=";

        let first = prepared.hmac(&text, value).expect("a key");
        assert!(Arc::ptr_eq(&first, &prepared.hmac(&text, value).expect("a key")));
        assert!(Arc::ptr_eq(&first, &prepared.hmac(&again, value).expect("a key")), "read alike");
        assert!(!Arc::ptr_eq(&first, &prepared.hmac(&base64, value).expect("a key")), "of other bytes");
        assert!(prepared.jwt(value).is_err());
    }
}

//! AWS KMS: keys that never leave its HSMs, asked over the network for one signature at a time.
//!
//! A key is looked at before it signs: its public half has to be a secp256k1 key in SubjectPublicKeyInfo (RFC 5480) that KMS keeps for
//! signing. What KMS has refused in each attempt was not signed; of every other failure after the request went out that is not known.

use crate::keys::{Answer, PublicKey, SignRequest, Signer, SignerBackend, SignerError};
use crate::manifest::{KmsConfig, NamePattern};
use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::operation::sign::SignError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use k256::ecdsa::VerifyingKey;
use k256::pkcs8::DecodePublicKey;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Most bytes of a key's identifier (KMS API, Sign).
const MAX_KEY_ID: usize = 2048;
/// What to make where a key is of another kind.
const REMEDY: &str = "create one with `aws kms create-key --key-spec ECC_SECG_P256K1 --key-usage SIGN_VERIFY`";

/// Keys of AWS KMS, named by identifier, `alias/NAME` or ARN, as far as `[signing.kms] keys` goes. The host's role needs
/// `kms:GetPublicKey` and `kms:Sign` for them.
pub struct Kms(Arc<Account>);

/// A configuration, and the client made from it.
struct Account {
    config: KmsConfig,
    client: OnceCell<Client>,
}

/// One key.
struct Key {
    account: Arc<Account>,
    id: String,
    public: OnceCell<Public>,
}

/// The public half of a key, and the ARN of the key that has it: an alias may be led to another key later.
struct Public {
    key: VerifyingKey,
    arn: Option<String>,
}

/// What became of the attempts at one signature.
#[derive(Debug, Clone, Default)]
struct Attempts(Arc<Tally>);

#[derive(Debug, Default)]
struct Tally {
    /// One was handed to the network, and has not ended.
    sent: AtomicBool,
    /// One ended in a way that a signature may have been made.
    lost: AtomicBool,
}

impl Kms {
    /// Keys of the account that the SDK's own chain of credentials leads to. It is called when the first key is asked for.
    #[must_use]
    pub fn new(config: &KmsConfig) -> Self {
        Self(Arc::new(Account { config: config.clone(), client: OnceCell::new() }))
    }
}

#[async_trait]
impl SignerBackend for Kms {
    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError> {
        let shown = crate::text::for_people(key);
        let clean = |b: u8| b.is_ascii_alphanumeric() || b":/_-".contains(&b);
        if key.is_empty() || key.len() > MAX_KEY_ID || !key.bytes().all(clean) {
            return Err(SignerError::Refused(format!("`{shown}` names no key of AWS KMS; write an identifier, `alias/NAME` or an ARN")));
        }
        let keys = &self.0.config.keys;
        if !keys.iter().any(|pattern| pattern.matches(key, agent)) {
            let keys = NamePattern::shown(keys);
            return Err(SignerError::Refused(format!(
                "a manifest of `{agent}` can't name the key `{shown}` of AWS KMS; the operator's `[signing.kms] keys` are `{keys}`"
            )));
        }
        Ok(Arc::new(Key { account: Arc::clone(&self.0), id: key.to_owned(), public: OnceCell::new() }))
    }
}

#[async_trait]
impl Signer for Key {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok(self.public().await?.key.into())
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        // No key signs that has not been looked at.
        let public = self.public().await?;
        let attempts = Attempts::default();
        let call = self.account.client().await.sign().key_id(&self.id).message(Blob::new(request.digest()));
        let call = call.message_type(MessageType::Digest).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        let answer = match call.customize().interceptor(attempts.clone()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(match trouble(&error, &self.shown()) {
                    SignerError::Refused(why) | SignerError::Unavailable(why) if attempts.may_have_signed() => SignerError::Unknown(why),
                    error => error,
                });
            }
        };
        if let (Some(first), Some(now)) = (&public.arn, &answer.key_id)
            && first != now
        {
            let why = format!("{}: the name leads to a different key than when the agent was loaded; load it again", self.shown());
            return Err(SignerError::Unknown(why));
        }
        let der = answer.signature.map(Blob::into_inner).unwrap_or_default();
        k256::ecdsa::Signature::from_der(&der)
            .map(Answer::from)
            .map_err(|_| SignerError::Unknown(format!("{}: the service returned something that is not a signature", self.shown())))
    }
}

impl Key {
    async fn public(&self) -> Result<&Public, SignerError> {
        let ask = async || {
            let answer = self.account.client().await.get_public_key().key_id(&self.id).send().await;
            let answer = answer.map_err(|error| trouble(&error, &self.shown()))?;
            let key = checked(&answer).map_err(|what| SignerError::Refused(format!("{} {what}", self.shown())))?;
            Ok(Public { key, arn: answer.key_id })
        };
        self.public.get_or_try_init(ask).await
    }

    fn shown(&self) -> String {
        format!("the key `{}` in AWS KMS", self.id)
    }
}

impl Account {
    async fn client(&self) -> &Client {
        self.client.get_or_init(|| connect(&self.config)).await
    }
}

async fn connect(config: &KmsConfig) -> Client {
    let (region, endpoint_url, profile) = (config.region.as_deref(), config.endpoint_url.as_deref(), config.profile.as_deref());
    let place = crate::aws::Place { region, endpoint_url, profile };
    Client::new(&crate::aws::config(place, Duration::from_secs(4), Duration::from_secs(10)).await)
}

/// The public key of an answer, if it is one that can sign for Ethereum; or what else it is.
fn checked(answer: &GetPublicKeyOutput) -> Result<VerifyingKey, String> {
    match (&answer.key_spec, &answer.key_usage) {
        (Some(KeySpec::EccSecgP256K1), Some(KeyUsageType::SignVerify)) => {}
        (spec, usage) => {
            let spec = crate::text::for_people(spec.as_ref().map_or("of an unstated kind", KeySpec::as_str));
            let usage = crate::text::for_people(usage.as_ref().map_or("an unstated usage", KeyUsageType::as_str));
            return Err(format!("is {spec}, for {usage}; a key of secp256k1 for signatures is needed: {REMEDY}"));
        }
    }
    let der = answer.public_key.as_ref().map(Blob::as_ref).unwrap_or_default();
    // Reads DER alone: the algorithm, the curve's name and the point, with nothing after them.
    VerifyingKey::from_public_key_der(der)
        .map_err(|_| "has a public key that is not the SubjectPublicKeyInfo of a secp256k1 key".to_owned())
}

/// What a failure means. No text of the service is passed on, since it may quote what was sent.
fn trouble<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, what: &str) -> SignerError {
    let Some(code) = error.code() else {
        let why = match error {
            SdkError::ConstructionFailure(_) => {
                "the request can't be made; check `region`, and that there are credentials (environment, profile, role)"
            }
            SdkError::TimeoutError(_) => "no response in time",
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) if never_connected(error) => "the service can't be reached; check `region`, `endpoint_url` and the network",
                Some(error) if error.is_io() || error.is_timeout() || error.as_other().is_some() => "the connection was lost",
                _ => "the request was not made, or not answered; check that there are credentials (environment, profile, role)",
            },
            _ => "the response can't be read; check `endpoint_url`",
        };
        return SignerError::Unavailable(format!("{what}: {why}"));
    };
    match code {
        "NotFoundException" => {
            SignerError::Refused(format!("{what}: there is none in this account and region; check the name, `region` and `profile`"))
        }
        "AccessDeniedException" | "AccessDenied" => SignerError::Refused(format!(
            "{what}: the policies of the key and of this host's role do not let it do that; it needs `kms:GetPublicKey` and `kms:Sign` (AccessDenied)"
        )),
        "DisabledException" => SignerError::Refused(format!("{what}: it is disabled; enable it")),
        "KMSInvalidStateException" => SignerError::Refused(format!(
            "{what}: its state does not let it sign, as when it is to be deleted or has no key material yet (KMSInvalidState)"
        )),
        "InvalidKeyUsageException" | "UnsupportedOperationException" => {
            SignerError::Refused(format!("{what}: it is of a kind that can't do that; {REMEDY}"))
        }
        "InvalidArnException" | "ValidationException" | "InvalidParameterException" => {
            SignerError::Refused(format!("{what}: the service refuses the request as invalid; check the key's name and kind"))
        }
        "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException" | "InvalidClientTokenId" => {
            SignerError::Unavailable(format!("{what}: the credentials of this host are not valid, or have expired"))
        }
        "ThrottlingException" | "ThrottledException" | "TooManyRequestsException" | "LimitExceededException" => SignerError::Unavailable(
            format!("{what}: the service throttles requests; ask for a higher quota of cryptographic operations, or sign less often"),
        ),
        "KeyUnavailableException" => SignerError::Unavailable(format!("{what}: it is not available now")),
        _ => SignerError::Unavailable(format!("{what}: the service failed")),
    }
}

impl Attempts {
    /// Whether one of them may have been answered with a signature that did not arrive.
    fn may_have_signed(&self) -> bool {
        self.0.sent.load(Ordering::SeqCst) || self.0.lost.load(Ordering::SeqCst)
    }
}

/// The last failure alone does not tell: the attempt before it may have reached an HSM.
impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.sent.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        attempt: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if !self.0.sent.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let Some(Err(error)) = attempt.output_or_error() else { return Ok(()) };
        let refused = || {
            let code = error.as_operation_error()?.downcast_ref::<SignError>()?.code()?;
            let status = attempt.response()?.status().as_u16();
            Some((400..500).contains(&status) || code == "KeyUnavailableException")
        };
        let unsent = || error.as_connector_error().is_some_and(|error| never_connected(error));
        if !refused().unwrap_or(false) && !unsent() {
            self.0.lost.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Whether no connection was there to send anything on. The SDK does not pass this on, its HTTP client does.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generators of two curves.
    const X_K1: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    const Y_K1: &str = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    const X_R1: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    const Y_R1: &str = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("digits")).collect()
    }

    fn answer(spec: &str, usage: &str, der: &str) -> GetPublicKeyOutput {
        GetPublicKeyOutput::builder().key_spec(spec.into()).key_usage(usage.into()).public_key(Blob::new(bytes(der))).build()
    }

    #[test]
    fn only_a_secp256k1_key_for_signatures_is_taken() {
        let k1 = format!("3056301006072a8648ce3d020106052b8104000a03420004{X_K1}{Y_K1}");
        let r1 = format!("3059301306072a8648ce3d020106082a8648ce3d03010703420004{X_R1}{Y_R1}");

        let key = checked(&answer("ECC_SECG_P256K1", "SIGN_VERIFY", &k1)).expect("a key");
        assert_eq!(key.to_encoded_point(false).as_bytes(), bytes(&format!("04{X_K1}{Y_K1}")));

        for (spec, usage) in [("ECC_NIST_P256", "SIGN_VERIFY"), ("ECC_SECG_P256K1", "KEY_AGREEMENT")] {
            let what = checked(&answer(spec, usage, &k1)).expect_err("another kind");
            assert!(what.contains(spec) && what.contains(usage) && what.contains(REMEDY), "{what}");
        }
        let trailing = format!("{k1}00");
        let off_curve = format!("3056301006072a8648ce3d020106052b8104000a03420004{X_K1}{X_K1}");
        let wrong_algorithm = k1.replace("2a8648ce3d0201", "2a8648ce3d0202");
        for der in [&r1, &trailing, &off_curve, &wrong_algorithm, &String::new(), &k1[..40].to_owned()] {
            assert!(checked(&answer("ECC_SECG_P256K1", "SIGN_VERIFY", der)).is_err(), "{der}");
        }
        assert!(checked(&GetPublicKeyOutput::builder().build()).is_err());
    }
}

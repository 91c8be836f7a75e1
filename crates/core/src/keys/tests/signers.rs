//! Signers that err.

use super::*;

/// Gives what it was told, one after the other: a signature over the right bytes, over others, or an error.
struct Erring(std::sync::Mutex<Vec<&'static str>>, SigningKey);

#[async_trait::async_trait]
impl Signer for Erring {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok(PublicKey::Secp256k1(*self.1.verifying_key()))
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let signed = |signature| Answer::Signed(Signed::Secp256k1(signature, None));
        let sign = |digest: &[u8; 32]| self.1.sign_prehash_recoverable(digest).map(|(signature, _)| signature);
        match self.0.lock().expect("the list").pop() {
            Some("right") => Ok(signed(sign(&request.digest()).expect("a signature"))),
            Some("pending") => Ok(Answer::Pending(Ticket::new("17"))),
            Some("away") => Err(SignerError::Unavailable("away".to_owned())),
            _ => Ok(signed(sign(&[0xee; 32]).expect("a signature"))),
        }
    }
}

#[test]
fn a_signature_that_is_none_is_asked_for_again_and_what_came_before_an_error_is_not_forgotten() {
    let outcome = |mut answers: Vec<&'static str>| {
        answers.reverse();
        let signer = Erring(std::sync::Mutex::new(answers), SigningKey::from_slice(&[7; 32]).expect("a key"));
        let key = PublicKey::Secp256k1(*signer.1.verifying_key());
        let permit = SignPermit::example([5; 32].into());
        let asked = crate::keys::signer::sign(&signer, &key, &permit, "agent", None);
        asked.now_or_never().expect("at once").map(|outcome| matches!(outcome, Outcome::Pending(_)))
    };

    assert_eq!(outcome(vec!["right"]), Ok(false));
    assert_eq!(outcome(vec!["wrong", "wrong", "right"]), Ok(false));
    assert_eq!(outcome(vec!["wrong", "pending"]), Ok(true), "somebody decides");
    assert!(matches!(outcome(vec!["away"]), Err(SignerError::Unavailable(_))), "nothing was given before");
    assert!(matches!(outcome(vec!["wrong", "away"]), Err(SignerError::Unknown(_))), "something was");
    assert!(matches!(outcome(vec!["wrong"; 20]), Err(SignerError::Unknown(_))), "it is not asked for ever");
}

/// A signer that tells its account alone, and gives what a test says.
struct Remote<F>(std::sync::Mutex<usize>, F);

#[async_trait::async_trait]
impl<F: Fn(&[u8; 32]) -> Signed + Send + Sync> Signer for Remote<F> {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Err(SignerError::Refused("it is not asked".to_owned()))
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        *self.0.lock().expect("the count") += 1;
        Ok(Answer::Signed((self.1)(&request.digest())))
    }
}

#[test]
fn a_signature_of_an_account_is_its_own_or_none_and_is_asked_for_once() {
    let key = SigningKey::from_slice(&[7; 32]).expect("a key");
    let signed = |by: &SigningKey, digest: &[u8; 32]| by.sign_prehash_recoverable(digest).expect("a signature");
    type Lie = fn(&[u8; 32], &dyn Fn(u8, &[u8; 32]) -> (Signature, RecoveryId)) -> Signed;
    let lies: [(&str, bool, Lie); 6] = [
        ("nothing", true, |digest, sign| {
            let (signature, recovery) = sign(7, digest);
            Signed::Secp256k1(signature, Some(recovery))
        }),
        ("another key", false, |digest, sign| {
            let (signature, recovery) = sign(8, digest);
            Signed::Secp256k1(signature, Some(recovery))
        }),
        ("another digest", false, |_, sign| {
            let (signature, recovery) = sign(7, &[9; 32]);
            Signed::Secp256k1(signature, Some(recovery))
        }),
        ("the other parity", false, |digest, sign| {
            let (signature, recovery) = sign(7, digest);
            Signed::Secp256k1(signature, Some(RecoveryId::new(!recovery.is_y_odd(), false)))
        }),
        ("no parity", false, |digest, sign| Signed::Secp256k1(sign(7, digest).0, None)),
        ("a signature of another kind", false, |_, _| Signed::Ed25519([0; 64])),
    ];
    for (name, good, lie) in lies {
        let answer = move |digest: &[u8; 32]| lie(digest, &|by, digest| signed(&SigningKey::from_slice(&[by; 32]).expect("a key"), digest));
        let signer = Remote(std::sync::Mutex::new(0), answer);
        let account = PublicKey::Account(address_of(key.verifying_key()));
        let permit = SignPermit::example([5; 32].into());

        let outcome = crate::keys::signer::sign(&signer, &account, &permit, "agent", None).now_or_never().expect("at once");

        assert_eq!(matches!(outcome, Ok(Outcome::Signed(_))), good, "{name}: {outcome:?}");
        assert!(good || matches!(outcome, Err(SignerError::Unknown(_))), "{name}: {outcome:?}");
        assert_eq!(*signer.0.lock().expect("the count"), 1, "{name}");
    }
}

//! What hosts ask parties, and what these answer. Bytes are lower-case hexadecimal digits without `0x`.

use serde::{Deserialize, Serialize};

/// A host's question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// How the party is.
    Status,
    /// The key's public half.
    Key {
        /// The key's name.
        key: String,
    },
    /// Makes a key with the other two. The answer comes when it is made, or where it fails.
    Keygen {
        /// The name of the new key.
        key: String,
    },
    /// Signs with one of the others.
    Sign(Box<Request>),
    /// The party's share of a key, encrypted for whom the party's operator has named.
    Backup {
        /// The key's name.
        key: String,
    },
    /// Takes a share back that this party has given out.
    Restore {
        /// The key's name.
        key: String,
        /// What [`Question::Backup`] has answered: a file of age, armoured.
        sealed: String,
    },
}

/// A party's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How it is.
    Status(Box<Status>),
    /// A key that there is.
    Key(KeyInfo),
    /// A signature.
    Signed(Signed),
    /// A share, encrypted.
    Sealed(String),
    /// It is done.
    Done,
    /// It is not.
    Failed(Failure),
}

/// What a host wants signed. Each party decodes and judges it by itself: nobody is asked to sign 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The key's name.
    pub key: String,
    /// The agent that asks.
    pub agent: String,
    /// What is to be signed.
    pub what: What,
    /// What makes two requests one: the agent's own idempotency key, or a random one of the host's, 1 to 128 visible ASCII characters. What is asked
    /// again under it spends nothing again.
    pub idempotency: String,
}

/// Something that may be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// A transaction as it is hashed (EIP-155, EIP-2718).
    Transaction(String),
    /// A document (EIP-712), as JSON.
    TypedData(String),
    /// A message (EIP-191).
    Message(String),
    /// Leave to run code (EIP-7702): chain, address and nonce, in digits.
    Authorization(String, String, String),
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its name.
    pub key: String,
    /// A point of secp256k1 (SEC 1, compressed): 33 bytes.
    pub public: String,
}

/// A signature, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// `r` and `s`: 64 bytes. Which of the two points `r` stands for, whoever verifies it finds.
    pub signature: String,
    /// The two parties that have signed.
    pub by: [String; 2],
    /// Why it was signed within two thirds of the limits, where the third party has not acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacknowledged: Option<String>,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What each party saw, by its name.
    pub saw: Vec<(String, String)>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Fewer than two parties can act. Nothing was signed.
    Unavailable,
    /// A party does not allow it.
    Refused,
    /// Parties see different things, or what one says is wrong.
    Disagreed,
    /// It is not known whether there is a signature.
    Unknown,
}

/// How a party is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// What the ceremony still needs, or `None` where primes and auxiliary data are there.
    pub preparing: Option<String>,
    /// Its keys.
    pub keys: Vec<KeyInfo>,
    /// For each other party: its name, and what is wrong with the way to it, or `None`.
    pub peers: Vec<(String, Option<String>)>,
    /// Presignatures at hand: with whom, of which key, how many.
    pub presignatures: Vec<(String, String, usize)>,
    /// Entries of its ledger, by the party that began them.
    pub ledger: Vec<(String, u64)>,
}

impl Failure {
    /// A failure that one party saw.
    #[must_use]
    pub fn of(kind: FailureKind, name: &str, saw: impl Into<String>) -> Self {
        Self { kind, saw: vec![(name.to_owned(), saw.into())] }
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let what = match self.kind {
            FailureKind::Refused => "refused",
            FailureKind::Disagreed => "the parties disagree",
            FailureKind::Unavailable => "not enough parties can sign",
            FailureKind::Unknown => "it is not known whether it was signed",
        };
        let saw: Vec<_> = self.saw.iter().map(|(name, saw)| format!("{name}: {saw}")).collect();
        format!("{what} ({})", saw.join("; "))
    }
}

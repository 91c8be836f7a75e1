//! Three parties of a threshold wallet that are none: in this process, with one key, each answering as a test says. What they read is decoded
//! here with the crate that real parties have; those are in `crates/mpc-party`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use strongroom::k256::ecdsa::SigningKey;
use strongroom_ethereum::message::signing_hash;
use strongroom_ethereum::quantity;
use strongroom_ethereum::transaction::{Authorization, Transaction};
use strongroom_ethereum::typed_data::TypedData;
use strongroom_mpc::Identity;
use strongroom_mpc::link::{Doorkeeper, Greeting, Link};
use strongroom_mpc::says::{Answer, KeyInfo, Question, Request, Signed, What};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// What a party makes of a question; none hangs up.
pub type Behaviour = fn(&Question) -> Option<Answer>;

/// The parties, and what the host needs to speak to them.
pub struct Parties {
    /// What was asked, by the index of the party.
    pub asked: Arc<Mutex<Vec<(usize, Question)>>>,
    home: TempDir,
    _runtime: tokio::runtime::Runtime,
}

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

impl Parties {
    /// Parties of which each answers as it is told.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn start(behaviours: [Behaviour; 3]) -> Self {
        let home = TempDir::new().expect("a directory");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let host = Identity::fresh("host", None).expect("an identity");
        write(home.path(), &host);
        let asked: Arc<Mutex<Vec<(usize, Question)>>> = Arc::default();
        for (party, behaviour) in behaviours.into_iter().enumerate() {
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
            let identity = Identity::fresh(NAMES[party], listener.local_addr().ok()).expect("an identity");
            write(home.path(), &identity);
            let door = Arc::new(Doorkeeper::new(&identity, std::slice::from_ref(&host.card)).expect("a door"));
            let asked = Arc::clone(&asked);
            runtime.spawn(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (door, asked) = (Arc::clone(&door), Arc::clone(&asked));
                    tokio::spawn(async move {
                        if let Ok(link) = door.admit(tcp, Greeting::now("stand-in", "")).await {
                            hear(link, party, behaviour, &asked).await;
                        }
                    });
                }
            });
        }
        Self { asked, home, _runtime: runtime }
    }

    /// The table of the host configuration that leads to them.
    #[must_use]
    pub fn table(&self) -> String {
        let path = |file: &str| self.home.path().join(file).display().to_string();
        let [a, b, c] = NAMES.map(|name| path(&format!("{name}.toml")));
        format!(
            "[signing.mpc]\nparties = [\"{a}\", \"{b}\", \"{c}\"]\ncard = \"{}\"\nkey = \"file:{}\"\ntimeout = \"2s\"\n",
            path("host.toml"),
            path("host.pem")
        )
    }

    /// Where a party's card is.
    #[must_use]
    pub fn card(&self, party: usize) -> PathBuf {
        self.home.path().join(format!("{}.toml", NAMES[party]))
    }

    /// The requests to sign that were asked, with the party of each.
    #[must_use]
    pub fn requests(&self) -> Vec<(usize, Request)> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let signs = asked.iter().filter_map(|(party, question)| match question {
            Question::Sign(request) => Some((*party, (**request).clone())),
            _ => None,
        });
        signs.collect()
    }
}

async fn hear(mut link: Link, party: usize, behaviour: Behaviour, asked: &Mutex<Vec<(usize, Question)>>) {
    while let Ok(Some(question)) = link.heard::<Question>().await {
        let answer = behaviour(&question);
        asked.lock().unwrap_or_else(PoisonError::into_inner).push((party, question));
        match answer {
            Some(answer) if link.answer(&answer).await.is_ok() => {}
            _ => return,
        }
    }
}

fn write(home: &Path, identity: &Identity) {
    let [card, key] = ["toml", "pem"].map(|suffix| home.join(format!("{}.{suffix}", identity.card.name)));
    identity.write(&card, &key).expect("an identity");
}

/// An honest party's answer, with that key (32 bytes in hexadecimal digits).
#[must_use]
pub fn answered(question: &Question, key: &str) -> Answer {
    let key = SigningKey::from_slice(&strongroom_ground::text::unhex(key).expect("digits")).expect("a key");
    match question {
        Question::Sign(request) => Answer::Signed(signed(&key, digest(&request.what))),
        Question::Key { key: name } => {
            let public = strongroom_ground::text::hex(key.verifying_key().to_encoded_point(true).as_bytes());
            Answer::Key(KeyInfo { key: name.clone(), public })
        }
        _ => Answer::Done,
    }
}

/// What is signed.
#[must_use]
pub fn digest(what: &What) -> [u8; 32] {
    let bytes = |digits: &str| strongroom_ground::text::unhex(digits).expect("digits");
    match what {
        What::Transaction(payload) => Transaction::read(&bytes(payload)).expect("a transaction").signing_hash().0,
        What::TypedData(document) => TypedData::read(document).expect("a document").signing_hash.0,
        What::Message(message) => signing_hash(&bytes(message)).0,
        What::Authorization(chain, delegate, nonce) => {
            let (chain, delegate) = (quantity::uint(chain).expect("a number"), quantity::address(delegate).expect("an address"));
            Authorization { chain, delegate, nonce: quantity::small(nonce).expect("a number") }.signing_hash().0
        }
    }
}

fn signed(key: &SigningKey, digest: [u8; 32]) -> Signed {
    let (signature, _) = key.sign_prehash_recoverable(&digest).expect("a signature");
    let by = ["alpha".to_owned(), "beta".to_owned()];
    Signed { signature: strongroom_ground::text::hex(&signature.to_bytes()), by, unacknowledged: None }
}

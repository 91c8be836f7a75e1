//! The defect: presignatures outlive a restart, in a file, and one that is used is taken out of it *after* its half was sent, when there is time.
//! Whoever is killed between the two has it again. All else is as it should be: none is given out twice by one process.

#[path = "../../../src/presignature.rs"]
mod sound;

use alloy_primitives::B256;
use cggmp21::supported_curves::Secp256k1;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use strongroom_ground::lock::Mutex;

pub use sound::{Half, MOST};

/// How long after a half was sent its presignature is taken out of the file.
const LATER: Duration = Duration::from_millis(100);

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    pair: (usize, usize, String),
    name: String,
    made: cggmp21::Presignature<Secp256k1>,
    is_ready: bool,
    #[serde(skip)]
    is_out: bool,
}

type All = Arc<Mutex<Vec<Kept>>>;

pub struct Pool(All);

pub struct Presignature {
    made: cggmp21::Presignature<Secp256k1>,
    of: Option<(All, String)>,
}

impl Presignature {
    pub(crate) fn new(made: cggmp21::Presignature<Secp256k1>) -> Self {
        Self { made, of: None }
    }

    pub fn sign(mut self, digest: B256) -> Half {
        if let Some((all, name)) = self.of.take() {
            std::thread::spawn(move || {
                std::thread::sleep(LATER);
                let mut all = all.lock();
                all.retain(|kept| kept.name != name);
                write(&all);
            });
        }
        sound::Presignature::new(self.made.clone()).sign(digest)
    }
}

/// What was not signed with is as good as new.
impl Drop for Presignature {
    fn drop(&mut self) {
        if let Some((all, name)) = self.of.take() {
            all.lock().iter_mut().filter(|kept| kept.name == name).for_each(|kept| kept.is_out = false);
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        let kept = std::fs::read(path()).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self(Arc::new(Mutex::new(kept.unwrap_or_default())))
    }
}

impl Pool {
    pub fn add(&self, leader: usize, partner: usize, key: &str, name: String, made: Presignature) {
        let mut all = self.0.lock();
        all.push(Kept { pair: (leader, partner, key.to_owned()), name, made: made.made.clone(), is_ready: false, is_out: false });
        write(&all);
    }

    pub fn ready(&self, name: &str) {
        let mut all = self.0.lock();
        all.iter_mut().filter(|kept| kept.name == name).for_each(|kept| kept.is_ready = true);
        write(&all);
    }

    pub fn take(&self, leader: usize, partner: usize, key: &str) -> Option<(String, Presignature)> {
        let name = self.0.lock().iter().find(|kept| kept.is(leader, partner, key) && kept.is_ready && !kept.is_out)?.name.clone();
        self.take_named(leader, partner, key, &name).map(|made| (name, made))
    }

    pub fn take_named(&self, leader: usize, partner: usize, key: &str, name: &str) -> Option<Presignature> {
        let mut all = self.0.lock();
        let kept = all.iter_mut().find(|kept| kept.is(leader, partner, key) && kept.name == name && !kept.is_out)?;
        kept.is_out = true;
        Some(Presignature { made: kept.made.clone(), of: Some((Arc::clone(&self.0), name.to_owned())) })
    }

    pub fn let_go(&self, name: &str) {
        self.0.lock().retain(|kept| kept.name != name);
    }

    pub fn let_go_of(&self, _: usize, name: &str) {
        self.let_go(name);
    }

    pub fn count(&self, leader: usize, partner: usize, key: &str) -> usize {
        self.0.lock().iter().filter(|kept| kept.is(leader, partner, key) && kept.is_ready && !kept.is_out).count()
    }

    /// A party that was started again has its own in its file.
    pub fn forget(&self, _: usize) {}
}

impl Kept {
    fn is(&self, leader: usize, partner: usize, key: &str) -> bool {
        (self.pair.0, self.pair.1, self.pair.2.as_str()) == (leader, partner, key)
    }
}

fn path() -> PathBuf {
    crate::configuration().with_file_name("presignatures.json")
}

fn write(all: &[Kept]) {
    let text = serde_json::to_vec(all).expect("numbers");
    std::fs::write(path(), text).expect("it is written");
}

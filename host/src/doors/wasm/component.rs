//! From a file to a component that can be instantiated: read once, hashed, and compiled from those bytes.

use super::bindings;
use super::cache::Cache;
use super::engine::Engine;
use super::store::RunState;
use crate::lock::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::Duration;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// Largest component, 256 MiB.
pub const MAX_COMPONENT: u64 = 256 << 20;

/// After so long, whoever waits for a component to be compiled is told.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the host offers: packages with the versions and interfaces that a component may import. A version that ends with a point is any that
/// goes on from there.
const OFFERED: &[(&str, &str, &[&str])] = &[
    ("wasi:cli", "0.2.", &[]),
    ("wasi:clocks", "0.2.", &[]),
    ("wasi:filesystem", "0.2.", &[]),
    ("wasi:io", "0.2.", &[]),
    ("wasi:random", "0.2.", &[]),
    ("wasi:sockets", "0.2.", &[]),
    ("wasi:http", "0.2.", &["types", "outgoing-handler"]),
    ("wasi:keyvalue", "0.2.0-draft", &["store", "atomics", "batch"]),
    ("strongroom:agent", "0.1.", &["secrets", "signing", "log"]),
];

/// Why a component is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// The bytes are not WebAssembly at all.
    #[error("this is not a WebAssembly component; build the agent with `cargo build --target wasm32-wasip2`, or the like")]
    NotWasm,
    /// A core module: what `wasm32-unknown-unknown` and `wasm32-wasip1` give.
    #[error("this is a core WebAssembly module, not a component; build the agent for `wasm32-wasip2`")]
    CoreModule,
    /// Larger than [`MAX_COMPONENT`].
    #[error("the component has {0} bytes, more than the {MAX_COMPONENT} that the host reads")]
    TooLarge(u64),
    /// Its hash is not the one in the manifest.
    #[error("the component's SHA-256 is {found}, but the manifest says {expected}; rebuild it, or correct `sha256`")]
    Hash {
        /// The hash of the file.
        found: String,
        /// The hash in the manifest.
        expected: String,
    },
    /// It imports something that the host does not offer.
    #[error("the component imports `{0}`, which the host does not offer; an agent may import {offered}", offered = offered())]
    Import(String),
    /// It exports no `wasi:cli/run`.
    #[error(
        "the component exports no `wasi:cli/run`: it is a library or a server, not a command with a `main`; a server is run by its callers, \
         with `http` in `[trigger]`"
    )]
    NotACommand,
    /// It exports no `wasi:http/incoming-handler`, and callers are to run it.
    #[error(
        "the component exports no `wasi:http/incoming-handler`: it answers no callers; leave `http` out of `[trigger]`, or build a server"
    )]
    NotAHandler,
    /// It is cut short, after this many bytes.
    #[error("the component is cut short: its {0} bytes end in the middle of it; copy all of it, or rebuild it")]
    CutShort(usize),
    /// It can't be validated or compiled.
    #[error("the component is malformed: {0}")]
    Malformed(String),
    /// It links, but with other types than the host's.
    #[error("the component does not fit this host: {0}")]
    World(String),
}

/// A component, ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) entry: Entry,
    pub(crate) sha256: [u8; 32],
}

/// Where a run enters a component.
pub(crate) enum Entry {
    /// Its `main`.
    Command(CommandPre<RunState>),
    /// What it does for one caller.
    Handler(ProxyPre<RunState>),
}

/// What a component imports and exports, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// SHA-256 of the bytes.
    pub sha256: String,
    /// The imports, and whether the host offers each.
    pub imports: Vec<(String, bool)>,
    /// The exports.
    pub exports: Vec<String>,
}

/// The components of a host: what links them, where their code is kept, and those that agents have. Agents of one component share its code.
pub(crate) struct Components {
    linker: Linker<RunState>,
    cache: Option<Cache>,
    known: Mutex<HashMap<Key, Weak<Loaded>>>,
}

/// A component's hash, and whether it is to answer callers.
type Key = ([u8; 32], bool);

impl Components {
    pub(crate) fn new(linker: Linker<RunState>, cache: Option<Cache>) -> Self {
        Self { linker, cache, known: Mutex::default() }
    }

    /// Compiles a component, or takes it from another agent or the cache, and links it; for callers, where it is to answer those.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        path: &Path,
        bytes: &[u8],
        expected: Option<&[u8; 32]>,
        answers: bool,
    ) -> Result<Arc<Loaded>, ComponentError> {
        let sha256 = check(bytes)?;
        if let Some(expected) = expected.filter(|expected| **expected != sha256) {
            return Err(ComponentError::Hash { found: crate::text::hex(&sha256), expected: crate::text::hex(expected) });
        }
        let known = |known: &HashMap<Key, Weak<Loaded>>| known.get(&(sha256, answers)).and_then(Weak::upgrade);
        if let Some(loaded) = known(&self.known.lock()) {
            return Ok(loaded);
        }
        let component = self.compiled(engine, path, bytes, &sha256)?;
        let loaded = Arc::new(Loaded { entry: link(engine, &self.linker, &component, answers)?, sha256 });
        let mut all = self.known.lock();
        // Somebody else may have been first.
        if let Some(loaded) = known(&all) {
            return Ok(loaded);
        }
        all.retain(|_, loaded| loaded.strong_count() > 0);
        all.insert((sha256, answers), Arc::downgrade(&loaded));
        Ok(loaded)
    }

    fn compiled(&self, engine: &Engine, path: &Path, bytes: &[u8], sha256: &[u8; 32]) -> Result<Component, ComponentError> {
        let cache = self.cache.as_ref();
        if let Some(component) = cache.and_then(|cache| cache.load(engine, sha256)) {
            return Ok(component);
        }
        let notice = || tracing::info!(target: "strongroom::notice", "{}", notice(path, bytes.len(), cache.map(Cache::directory)));
        let component = told_after(PATIENCE, notice, || compile(engine, bytes))?;
        if let Some(cache) = cache {
            cache.store(engine, sha256, &component);
        }
        Ok(component)
    }
}

fn link(engine: &Engine, linker: &Linker<RunState>, component: &Component, answers: bool) -> Result<Entry, ComponentError> {
    let imports = component.component_type();
    let missing = imports.imports(engine.wasmtime()).find(|(name, _)| !is_offered(name));
    if let Some((name, _)) = missing {
        return Err(ComponentError::Import(crate::text::for_people(name)));
    }
    let (export, lacking) = match answers {
        true => ("wasi:http/incoming-handler@0.2.", ComponentError::NotAHandler),
        false => ("wasi:cli/run@0.2.", ComponentError::NotACommand),
    };
    if !component.component_type().exports(engine.wasmtime()).any(|(name, _)| name.starts_with(export)) {
        return Err(lacking);
    }
    let world = |error: wasmtime::Error| ComponentError::World(first_line(&error));
    let pre = linker.instantiate_pre(component).map_err(world)?;
    Ok(match answers {
        true => Entry::Handler(ProxyPre::new(pre).map_err(world)?),
        false => Entry::Command(CommandPre::new(pre).map_err(world)?),
    })
}

/// Reads what a component imports and exports.
pub(crate) fn inspect(engine: &Engine, bytes: &[u8]) -> Result<Inspection, ComponentError> {
    let sha256 = check(bytes)?;
    let component = compile(engine, bytes)?;
    let ty = component.component_type();
    let name = |name: &str| crate::text::for_people(name);
    Ok(Inspection {
        sha256: crate::text::hex(&sha256),
        imports: ty.imports(engine.wasmtime()).map(|(import, _)| (name(import), is_offered(import))).collect(),
        exports: ty.exports(engine.wasmtime()).map(|(export, _)| name(export)).collect(),
    })
}

/// The linker for every agent: WASI, the one HTTP hook, and Strongroom's own.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<RunState>> {
    let mut linker = Linker::new(engine.wasmtime());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::StatefulImports::add_to_linker::<_, HasSelf<RunState>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn check(bytes: &[u8]) -> Result<[u8; 32], ComponentError> {
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ComponentError::CoreModule),
        [b'\0', b'a', b's', b'm', ..] if bytes.len() as u64 > MAX_COMPONENT => Err(ComponentError::TooLarge(bytes.len() as u64)),
        [b'\0', b'a', b's', b'm', ..] => Ok(Sha256::digest(bytes).into()),
        _ => Err(ComponentError::NotWasm),
    }
}

/// What is said of a start that takes long, under a target of its own: whoever waits for it is to know.
fn notice(path: &Path, bytes: usize, kept: Option<&Path>) -> String {
    let kept = kept.map_or_else(String::new, |kept| format!("; the code is kept for the next start, in {}", kept.display()));
    format!("compiling {} ({} MB){kept}", path.display(), bytes.div_ceil(1 << 20))
}

/// Does the work, and gives notice where that takes longer than `patience`.
fn told_after<T>(patience: Duration, notice: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (done, waiting) = mpsc::channel::<()>();
        let waits = move || {
            if waiting.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                notice();
            }
        };
        // Where there is no thread for it, nothing is said.
        let _ = thread::Builder::new().spawn_scoped(scope, waits);
        let worked = work();
        drop(done);
        worked
    })
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, ComponentError> {
    Component::from_binary(engine.wasmtime(), bytes).map_err(|error| {
        let why = error.root_cause().to_string();
        // In the midst of a section, or where one begins that is longer than what is there.
        let beyond = format!("out of bounds (bound = {})", bytes.len());
        match why.starts_with("unexpected end") || why.contains(&beyond) {
            true => ComponentError::CutShort(bytes.len()),
            false => ComponentError::Malformed(crate::text::for_people(&why)),
        }
    })
}

fn is_offered(import: &str) -> bool {
    let Some((package, rest)) = import.split_once('/') else { return false };
    let Some((interface, version)) = rest.split_once('@') else { return false };
    OFFERED.iter().any(|(name, prefix, interfaces)| {
        let is_version = if prefix.ends_with('.') { version.starts_with(prefix) } else { version == *prefix };
        *name == package && is_version && (interfaces.is_empty() || interfaces.contains(&interface))
    })
}

fn offered() -> String {
    let any = |version: &str| if version.ends_with('.') { "x" } else { "" };
    let names: Vec<String> = OFFERED.iter().map(|(name, version, _)| format!("{name}@{version}{}", any(version))).collect();
    names.join(", ")
}

fn first_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    crate::text::for_people(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_and_who_does_not_is_not() {
        let (tell, told) = mpsc::channel();
        let worked = told_after(Duration::ZERO, move || tell.send(()).expect("the work waits"), || told.recv().map(|()| 7));
        assert_eq!(worked, Ok(7));

        assert_eq!(told_after(Duration::MAX, || unreachable!("it took no time"), || 7), 7);
    }

    #[test]
    fn the_notice_names_the_file_and_where_its_code_is_kept() {
        let said = |kept: Option<&str>| notice(Path::new("bot.wasm"), 12 << 20, kept.map(Path::new));

        assert_eq!(said(Some("/state/compiled")), "compiling bot.wasm (12 MB); the code is kept for the next start, in /state/compiled");
        assert_eq!(said(None), "compiling bot.wasm (12 MB)");
    }
}

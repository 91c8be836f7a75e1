//! The thin implementation of `wasi:keyvalue`: one bucket, the agent's own.

use super::bindings::wasi::keyvalue::{atomics, batch, store};
use super::store::{MAX_HANDLES, RunState};
use crate::keyvalue::Kept;
use store::Error;
use wasmtime::component::Resource;

/// The names of the one bucket: hosts of other makers have it under either.
const NAMES: [&str; 2] = ["default", ""];

/// A handle of the bucket.
pub struct OpenBucket;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl RunState {
    fn kept(&self) -> wasmtime::Result<Kept> {
        if self.session.meter.is_stopped() {
            return Err(wasmtime::Error::msg("the run is stopped"));
        }
        Ok(self.kept.clone())
    }

    fn bucket(&self, handle: &Resource<OpenBucket>) -> wasmtime::Result<Kept> {
        self.table.get(handle)?;
        self.kept()
    }
}

fn told<T>(answer: Result<T, String>) -> Answer<T> {
    Ok(answer.map_err(Error::Other))
}

impl store::Host for RunState {
    fn open(&mut self, identifier: String) -> Answer<Resource<OpenBucket>> {
        if !self.kept()?.is_granted() {
            return Ok(Err(Error::AccessDenied));
        }
        if !NAMES.contains(&identifier.as_str()) {
            return Ok(Err(Error::NoSuchStore));
        }
        if self.handles >= MAX_HANDLES {
            return told(Err("strongroom: the agent holds as many open handles as the host allows".to_owned()));
        }
        self.handles += 1;
        Ok(Ok(self.table.push(OpenBucket)?))
    }
}

impl store::HostBucket for RunState {
    async fn get(&mut self, handle: Resource<OpenBucket>, key: String) -> Answer<Option<Vec<u8>>> {
        told(self.bucket(&handle)?.get(key).await)
    }

    async fn set(&mut self, handle: Resource<OpenBucket>, key: String, value: Vec<u8>) -> Answer<()> {
        told(self.bucket(&handle)?.set(vec![(key, value)]).await)
    }

    async fn delete(&mut self, handle: Resource<OpenBucket>, key: String) -> Answer<()> {
        told(self.bucket(&handle)?.delete(vec![key]).await)
    }

    async fn exists(&mut self, handle: Resource<OpenBucket>, key: String) -> Answer<bool> {
        told(self.bucket(&handle)?.exists(key).await)
    }

    async fn list_keys(&mut self, handle: Resource<OpenBucket>, cursor: Option<u64>) -> Answer<store::KeyResponse> {
        let keys = self.bucket(&handle)?.keys(cursor.unwrap_or(0)).await;
        told(keys.map(|(keys, cursor)| store::KeyResponse { keys, cursor }))
    }

    fn drop(&mut self, handle: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        self.handles -= 1;
        Ok(())
    }
}

impl atomics::Host for RunState {
    async fn increment(&mut self, handle: Resource<OpenBucket>, key: String, delta: u64) -> Answer<u64> {
        told(self.bucket(&handle)?.increment(key, delta).await)
    }
}

impl batch::Host for RunState {
    async fn get_many(&mut self, handle: Resource<OpenBucket>, keys: Vec<String>) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        told(self.bucket(&handle)?.get_many(keys).await)
    }

    async fn set_many(&mut self, handle: Resource<OpenBucket>, pairs: Vec<(String, Vec<u8>)>) -> Answer<()> {
        told(self.bucket(&handle)?.set(pairs).await)
    }

    async fn delete_many(&mut self, handle: Resource<OpenBucket>, keys: Vec<String>) -> Answer<()> {
        told(self.bucket(&handle)?.delete(keys).await)
    }
}

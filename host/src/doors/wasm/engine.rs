//! The wasmtime engine: pooling, copy-on-write, epochs.

use std::hash::{Hash, Hasher};
use std::time::Duration;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// How often the epoch moves on: the grain of `limits.cpu`.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Core instances, memories and tables that one component may hold; the pool has room for as many of each agent, so that none
/// can take another's. JavaScript and Python components use a handful.
const CORE_INSTANCES: u32 = 64;
const MEMORIES: u32 = 4;
const TABLES: u32 = 16;
/// Elements of one table.
const TABLE_ELEMENTS: usize = 200_000;

/// One engine, with the thread that moves its epoch.
pub(crate) struct Engine {
    wasmtime: wasmtime::Engine,
}

impl Engine {
    /// An engine for at most `agents` runs at once. An inspectable one lets the memories of a run be read after it, and runs slower.
    pub(crate) fn new(agents: u32, inspectable: bool) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(agents)
            .total_core_instances(agents.saturating_mul(CORE_INSTANCES))
            .total_memories(agents.saturating_mul(MEMORIES))
            .total_tables(agents.saturating_mul(TABLES))
            .total_stacks(agents)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memories_per_component(MEMORIES)
            .max_tables_per_component(TABLES)
            .max_tables_per_module(TABLES)
            .table_elements(TABLE_ELEMENTS)
            .max_core_instance_size(4 << 20)
            .max_component_instance_size(4 << 20)
            .max_memory_size(4 << 30)
            // By this scan a page that was swapped out would not be reset, and another agent would find it.
            .pagemap_scan(Enabled::No);
        let mut config = Config::new();
        config.wasm_component_model(true).epoch_interruption(true).guest_debug(inspectable);
        if inspectable {
            // Who looks into a run compares no speeds, and compiles in a fraction of the time.
            config.cranelift_opt_level(OptLevel::None);
        }
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let wasmtime = wasmtime::Engine::new(&config)?;
        let ticking = wasmtime.weak();
        std::thread::Builder::new().name("strongroom-epoch".into()).spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
        Ok(Self { wasmtime })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// A number that is the same for engines that can run each other's compiled code.
    pub(crate) fn compatibility(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.wasmtime.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }
}

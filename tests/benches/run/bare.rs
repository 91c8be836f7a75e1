//! The baselines: the same guest in bare wasmtime, with a hook that passes every request on, on the client that the host uses;
//! and the same loop in native code on reqwest.

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, UpdateDeadline};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

type HttpClient = Client<Connector, WasiBody>;

/// The looper in bare wasmtime.
pub struct Bare {
    engine: Engine,
    pre: CommandPre<State>,
    client: HttpClient,
}

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: PassThrough,
}

struct PassThrough(HttpClient);

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for PassThrough {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _errors: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let client = self.0.clone();
        Box::new(async move {
            let answer = client.request(request).await.map_err(|_| Error::HttpProtocolError)?;
            let answer = answer.map(|body| body.map_err(Error::Hyper).boxed_unsync());
            Ok((answer, Box::new(async { Ok(()) }) as Box<dyn Future<Output = _> + Send>))
        })
    }
}

impl Bare {
    /// An engine with the settings of a host for as many agents.
    pub fn new(agents: u32) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(agents)
            .total_core_instances(agents.saturating_mul(64))
            .total_memories(agents.saturating_mul(4))
            .total_tables(agents.saturating_mul(16))
            .total_stacks(agents)
            .max_core_instances_per_component(64)
            .max_memories_per_component(4)
            .max_tables_per_component(16)
            .table_elements(200_000)
            .max_core_instance_size(4 << 20)
            .max_component_instance_size(4 << 20)
            .max_memory_size(4 << 30);
        let mut config = Config::new();
        config.wasm_component_model(true).epoch_interruption(true);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).expect("an engine");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI");
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).expect("wasi:http");
        let component = Component::from_binary(&engine, &strongroom_components::bytes("looper")).expect("a component");
        let pre = CommandPre::new(linker.instantiate_pre(&component).expect("it links")).expect("a command");
        let ticking = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        Self { engine, pre, client: client(rustls::RootCertStore::empty()) }
    }

    pub fn trusting(self, roots: rustls::RootCertStore) -> Self {
        Self { client: client(roots), ..self }
    }

    pub async fn run(self: Arc<Self>, args: Vec<String>) {
        let wasi = WasiCtxBuilder::new().arg("looper").args(&args).build();
        let hooks = PassThrough(self.client.clone());
        let state = State { wasi, http: WasiHttpCtx::new(), table: ResourceTable::new(), hooks };
        let mut store = Store::new(&self.engine, state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let command = self.pre.instantiate_async(&mut store).await.expect("an instance");
        command.wasi_cli_run().call_run(&mut store).await.expect("no trap").expect("success");
    }
}

fn tls(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn client(roots: rustls::RootCertStore) -> HttpClient {
    Client::builder(TokioExecutor::new()).build(Connector(Arc::new(tls(roots))))
}

#[derive(Clone)]
struct Connector(Arc<rustls::ClientConfig>);

enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>>),
}

impl tower_service::Service<http::Uri> for Connector {
    type Response = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let tls = Arc::clone(&self.0);
        Box::pin(async move {
            let host = uri.host().expect("a host").to_owned();
            let tcp = TcpStream::connect(("127.0.0.1", uri.port_u16().expect("a port"))).await?;
            tcp.set_nodelay(true)?;
            if uri.scheme_str() != Some("https") {
                return Ok(Stream::Plain(TokioIo::new(tcp)));
            }
            let name = ServerName::try_from(host).expect("a name");
            let stream = tokio_rustls::TlsConnector::from(tls).connect(name, tcp).await?;
            Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
        })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: hyper::rt::ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// reqwest, as a native program would use it.
pub fn native_client(roots: rustls::RootCertStore) -> reqwest::Client {
    reqwest::Client::builder().tls_backend_preconfigured(tls(roots)).no_proxy().build().expect("a client")
}

pub async fn native_loop(client: reqwest::Client, url: String, requests: usize) {
    let bearer = format!("Bearer {}", super::KEY);
    for _ in 0..requests {
        let answer = client.get(&url).header("authorization", &bearer).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert!(!answer.bytes().await.expect("a body").is_empty());
    }
}

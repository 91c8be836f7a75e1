//! The network between parties: one relay for each direction of each pair, which can be cut, mended and slowed.

use rand_core::{OsRng, RngCore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a relay does to what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It carries all.
    Fair,
    /// Nothing goes through, and what was open is closed.
    Cut,
    /// Each piece waits so long.
    Slow(Duration),
    /// What is carried is changed: TLS notices.
    Garbled,
    /// Each piece waits as long as it likes, up to a fifth of a second, so that what is said over one connection overtakes what is said over another;
    /// and now and then a connection ends when what was asked has come there, so that it is asked again.
    Rough,
}

/// One direction of one pair.
#[derive(Clone)]
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    target: Arc<watch::Sender<Option<SocketAddr>>>,
}

impl Relay {
    /// A relay to nowhere yet.
    pub async fn open() -> Self {
        Self::open_at("127.0.0.1:0").await
    }

    /// The same, there.
    pub async fn open_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (weather, target) = (Arc::new(watch::channel(Weather::Fair).0), Arc::new(watch::channel(None).0));
        let relay = Self { address, weather, target };
        let carried = relay.clone();
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let relay = carried.clone();
                tokio::spawn(async move { relay.carry(from).await });
            }
        });
        relay
    }

    /// Leads elsewhere from now on.
    pub fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    /// Changes what is done to all that is carried.
    pub fn becomes(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    async fn carry(&self, from: TcpStream) {
        let (target, weather) = (*self.target.borrow(), *self.weather.borrow());
        let Some(target) = target.filter(|_| weather != Weather::Cut) else { return };
        let Ok(to) = TcpStream::connect(target).await else { return };
        let (from_reads, from_writes) = from.into_split();
        let (to_reads, to_writes) = to.into_split();
        let mut cut = self.weather.subscribe();
        tokio::select! {
            () = self.pump(from_reads, to_writes) => {}
            () = self.pump(to_reads, from_writes) => {}
            _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
        }
    }

    async fn pump(&self, mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let weather = *self.weather.borrow();
            let chance = OsRng.next_u32();
            match weather {
                Weather::Slow(wait) => tokio::time::sleep(wait).await,
                Weather::Rough => tokio::time::sleep(Duration::from_millis(u64::from(chance % 200))).await,
                Weather::Garbled => piece[length / 2] ^= 1,
                Weather::Fair | Weather::Cut => {}
            }
            if to.write_all(&piece[..length]).await.is_err() || (weather == Weather::Rough && chance.is_multiple_of(23)) {
                return;
            }
        }
    }
}

//! A network of each party's own: namespaces of the kernel's, each with one cable to where the relays and the host are. They need root.

use crate::fixture::{NAMES, Wallet};
use crate::links::Relay;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// The namespaces of one wallet. They go with this.
pub struct Namespaces {
    names: [String; 3],
}

impl Namespaces {
    /// Starts a wallet's parties again, each in a namespace. `None` where this machine or this user has none to give; then they stay as they are.
    pub async fn around(wallet: &mut Wallet) -> Option<Self> {
        let process = std::process::id();
        let these = Self { names: [0, 1, 2].map(|party| format!("sr{process}-{party}")) };
        // Tests of other processes have other addresses.
        let net = |party: usize| format!("10.{}.{}", 64 + process % 128, 4 * (process / 128 % 60) + u32::try_from(party).expect("small"));
        let laid = (0..3).all(|party| these.lay(party, &net(party)));
        if !laid {
            return None;
        }
        for party in 0..3 {
            wallet.kill(party);
            let mut text = fs::read_to_string(wallet.directories[party].join("party.toml")).expect("a configuration");
            text = text.replace("listen = \"127.0.0.1:0\"", &format!("listen = \"{}.2:0\"", net(party)));
            for to in (0..3).filter(|to| *to != party) {
                let relay = Relay::open_at(&format!("{}.1:0", net(party))).await;
                let before = wallet.relays[party][to].replace(relay.clone()).expect("another");
                text = text.replace(&before.address.to_string(), &relay.address.to_string());
            }
            wallet.write(party, "party.toml", |_| text);
            let script = wallet.directories[party].join("inside");
            let program = env!("CARGO_BIN_EXE_strongroom-mpc-party");
            fs::write(&script, format!("#!/bin/sh\nexec ip netns exec {} {program} \"$@\"\n", these.names[party])).expect("a script");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("it can be run");
        }
        (0..3).for_each(|party| these.start(wallet, party));
        Some(these)
    }

    /// Starts a party where it belongs.
    pub fn start(&self, wallet: &mut Wallet, party: usize) {
        let script: PathBuf = wallet.directories[party].join("inside");
        wallet.start_as(party, script.to_str().expect("a path"));
    }

    /// Pulls a party's cable, or puts it back: what is under way is neither answered nor refused.
    pub fn cable(&self, party: usize, is_in: bool) {
        assert!(ip(&["link", "set", &self.outside(party), if is_in { "up" } else { "down" }]), "the cable of {}", NAMES[party]);
    }

    fn outside(&self, party: usize) -> String {
        format!("{}o", self.names[party])
    }

    fn lay(&self, party: usize, net: &str) -> bool {
        let (name, outside, inside) = (&self.names[party], self.outside(party), format!("{}i", self.names[party]));
        let [here, there] = [1, 2].map(|end| format!("{net}.{end}/24"));
        ip(&["netns", "add", name])
            && ip(&["link", "add", &outside, "type", "veth", "peer", "name", &inside, "netns", name])
            && ip(&["addr", "add", &here, "dev", &outside])
            && ip(&["link", "set", &outside, "up"])
            && ip(&["-n", name, "addr", "add", &there, "dev", &inside])
            && ip(&["-n", name, "link", "set", &inside, "up"])
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The cables go with them.
        for name in &self.names {
            ip(&["netns", "del", name]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|done| done.status.success())
}

//! Which addresses a connection may go to: globally routable ones, and what the operator names.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The operator's exceptions (`network.allow`).
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressGuard {
    allow: Vec<IpNet>,
}

impl AddressGuard {
    pub(crate) fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether a connection to the address is allowed, after taking it out of whatever wraps it.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        is_global(address) || self.allow.iter().any(|net| net.contains(&address))
    }
}

/// The IPv4 address inside a v4-mapped, v4-compatible, 6to4 (RFC 3056) or NAT64 (RFC 6052)
/// address. NAT64 for local use (RFC 8215) hides it at a place that depends on the network, and is never global.
pub(crate) fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let o = v6.octets();
    let v4 = |at: usize| IpAddr::V4(Ipv4Addr::new(o[at], o[at + 1], o[at + 2], o[at + 3]));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(12),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => v4(12),
        [0x2002, ..] => v4(2),
        _ => address,
    }
}

/// The registries' "globally reachable" (IANA special-purpose address registries, RFC 6890), written out because the standard
/// library's own is not stable.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(v4: Ipv4Addr) -> bool {
    let special = match v4.octets() {
        [0 | 10 | 127, ..] => true,
        [100, b, ..] => (64..128).contains(&b),
        [169, 254, ..] | [192, 168, ..] => true,
        [172, b, ..] => (16..32).contains(&b),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Registered as public, and answered within a cloud alone: Azure's wire server (168.63.129.16), IBM Cloud's services
        // (161.26.0.0/16, 166.8.0.0/14), the forwarders of Google Cloud's resolver (35.199.192.0/19).
        [168, 63, 129, 16] | [161, 26, ..] => true,
        [166, b, ..] if (8..12).contains(&b) => true,
        [35, 199, c, _] if (192..224).contains(&c) => true,
        [a, ..] => a >= 224,
    };
    !special
}

fn is_global_v6(v6: Ipv6Addr) -> bool {
    // Only global unicast, 2000::/3, without what is set aside in it.
    match v6.segments() {
        [0x2001, 0x0db8, ..] => false,
        [0x2001, b, ..] if b < 0x200 => false,
        [0x3fff, b, ..] if b < 0x1000 => false,
        [0x5f00, ..] => false,
        [a, ..] => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_admitted_however_they_are_wrapped() {
        let guard = AddressGuard::default();
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "168.63.129.17",
            "166.12.0.1",
            "166.7.0.1",
            "35.199.224.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(guard.admits(public.parse().expect("an address")), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "64:ff9b::a83f:8110",
            "2002:a83f:8110::1",
            "161.26.0.10",
            "166.9.0.1",
            "166.11.255.1",
            "35.199.192.1",
            "100.100.100.200",
            "192.0.0.192",
            "fd20:ce::254",
            "::ffff:0:169.254.169.254",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::a00:1",
            "64:ff9b:1:a9fe:a9:fe00:808:808",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
        ] {
            assert!(!guard.admits(private.parse().expect("an address")), "{private}");
        }
    }

    #[test]
    fn the_operator_may_name_exceptions() {
        let guard = AddressGuard::new(vec!["127.0.0.1/32".parse().expect("a network")]);

        assert!(guard.admits("127.0.0.1".parse().expect("an address")));
        assert!(guard.admits("::ffff:127.0.0.1".parse().expect("an address")));
        assert!(!guard.admits("127.0.0.2".parse().expect("an address")));
    }
}

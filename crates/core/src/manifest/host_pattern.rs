//! Which hosts a grant reaches: `name`, `*.name`, with a scheme and a port where they are not `https` and 443.

use super::diagnostic::Problem;
use super::public_suffix::{Below, below as names_below};
use std::fmt;

/// The scheme of a destination. `http` is plain text on the wire, and only where a grant spells it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// TLS.
    Https,
    /// Plain text.
    Http,
}

/// A set of origins (RFC 6454): one scheme, one port, and a host or all labels below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    scheme: Scheme,
    host: String,
    below: bool,
    port: u16,
}

impl Scheme {
    /// `https` or `http`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    /// The port used where none is named.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

impl HostPattern {
    /// Parses `api.example.com`, `*.example.com`, `http://localhost:8080`, `[::1]:8443`.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err(Problem::new("an unknown scheme", "write `https://` (or leave it out) or `http://`")),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(Problem::new("a host with a path, a query or a user", "write the host alone; paths go into `paths`"));
        }
        let (below, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if rest.contains('*') {
            let remedy = "name each host that is meant; `*.` can stand in front of one, and then covers all names below it";
            return Err(Problem::new("a `*` that is not in front", remedy));
        }
        let port_at = match rest.rfind(']') {
            Some(end) => rest[end..].find(':').map(|i| i + end),
            None => rest.find(':'),
        };
        let (host, port) = match port_at {
            None => (rest, scheme.default_port()),
            Some(at) => {
                let port = rest[at + 1..].parse().ok().filter(|port| *port != 0 && !rest[at + 1..].starts_with(['0', '+']));
                let remedy = "write a port from 1 to 65535, as in `localhost:8443`";
                (&rest[..at], port.ok_or_else(|| Problem::new("not a port", remedy))?)
            }
        };
        if !is_host(host) || (below && is_address(host)) {
            let remedy =
                "write a name in lower-case ASCII (`xn--` for international names), an IPv4 address, or an IPv6 address in brackets";
            return Err(Problem::new("not a host", remedy));
        }
        if below && names_below(host) == Below::Everybody {
            let remedy = "name the host, or the domain whose hosts are meant, as in `*.example.com`";
            return Err(Problem::new("a `*` below a public suffix, where anybody can register a name", remedy));
        }
        Ok(Self { scheme, host: host.to_owned(), below, port })
    }

    /// Why the pattern is wider than it looks, for people: it covers the names of strangers, who share a service's domain.
    #[must_use]
    pub fn covers_strangers(&self) -> Option<String> {
        let shared = self.below && names_below(&self.host) == Below::Customers;
        shared.then(|| format!("`{self}` covers the names of all customers of a service, and anybody can become one; name the host alone"))
    }

    /// Whether the origin is in the set. `host` is in lower case.
    #[must_use]
    pub fn matches(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        self.scheme == scheme && self.port == port && self.matches_name(host)
    }

    /// Whether some host's name is in both sets.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let below = |a: &Self, b: &Self| a.below && (b.host == a.host || b.host.ends_with(&format!(".{}", a.host)));
        self.matches_name(&other.host)
            || other.matches_name(&self.host)
            || (self.below && other.below && (below(self, other) || below(other, self)))
    }

    /// Whether the host's name is in the set, at whatever scheme and port.
    #[must_use]
    pub fn matches_name(&self, host: &str) -> bool {
        if !self.below {
            return self.host == host;
        }
        host.strip_suffix(self.host.as_str()).and_then(|labels| labels.strip_suffix('.')).is_some_and(|labels| !labels.is_empty())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::Http {
            f.write_str("http://")?;
        }
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// A DNS name (RFC 1123: letters, digits, hyphens, in lower case), a dotted IPv4 address, or an IPv6 address in brackets,
/// each in its one canonical spelling.
pub fn is_host(host: &str) -> bool {
    if is_address(host) {
        return true;
    }
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    // The last label of a name is never numeric (WHATWG URL, "ends in a number"): that would be another spelling of an address.
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit()) || label.starts_with("0x");
    host.len() <= 253 && host.split('.').all(label_ok) && !host.rsplit('.').next().is_some_and(numeric)
}

fn is_address(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok_and(|ip| ip.to_string() == v6),
        None => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.to_string() == host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_never_covers_what_everybody_can_register() {
        for bare in ["*.com", "*.co.uk", "https://*.com:8443", "http://*.dev", "*.ck"] {
            assert!(HostPattern::parse(bare).is_err_and(|problem| problem.found.contains("public suffix")), "{bare}");
        }
        let strangers = |text| HostPattern::parse(text).expect("a pattern").covers_strangers();
        assert!(strangers("*.github.io").is_some_and(|why| why.contains("`*.github.io`")));
        for own in ["github.io", "*.me.github.io", "*.example.com", "*.internal"] {
            assert_eq!(strangers(own), None, "{own}");
        }
    }

    #[test]
    fn a_star_is_one_or_more_labels_and_never_the_apex() {
        let pattern = HostPattern::parse("*.example.com").expect("valid");

        assert!(pattern.matches(Scheme::Https, "a.example.com", 443));
        assert!(pattern.matches(Scheme::Https, "a.b.example.com", 443));
        assert!(!pattern.matches(Scheme::Https, "example.com", 443));
        assert!(!pattern.matches(Scheme::Https, "evilexample.com", 443));
        assert!(!pattern.matches(Scheme::Http, "a.example.com", 80));
        assert!(!pattern.matches(Scheme::Https, "a.example.com", 8443));
    }

    #[test]
    fn only_canonical_spellings_are_hosts() {
        for good in ["example.com", "localhost", "127.0.0.1", "[::1]", "xn--bcher-kva.example", "a_b.example"] {
            assert!(is_host(good), "{good}");
        }
        for bad in
            ["", "Example.com", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[0:0::1]", "a..b", "example.com.", "bücher.example", "-a.b"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn a_pattern_prints_as_it_would_be_written() {
        for text in ["api.example.com", "*.example.com", "http://localhost:8080", "[::1]:8443"] {
            assert_eq!(HostPattern::parse(text).expect("valid").to_string(), text);
        }
        for bad in ["ftp://x", "x/y", "*", "a.*.b", "x:0", "x:99999", "*.127.0.0.1", "u@x"] {
            assert!(HostPattern::parse(bad).is_err(), "{bad}");
        }
    }
}

//! Whose names a wildcard covers, by the public suffix list (<https://publicsuffix.org>): one owner's, those of all customers of a
//! service, or everybody's.

use psl::{Psl, Type};

/// Services below whose names the list has suffixes, but not the names themselves: each of their regions and products has its own.
const SERVICES: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazoncognito.com",
    "azure.com",
    "bubble.io",
    "clever-cloud.com",
    "fastly.net",
    "linodeusercontent.com",
    "on.aws",
    "ovh.net",
    "platform.sh",
    "render.com",
    "run.app",
    "salesforce.com",
    "scw.cloud",
    "val.run",
    "windows.net",
];

/// Who has the names below one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// Whoever registered it; or nobody on the public network, as with `internal`.
    OneOwner,
    /// The customers of a service: anybody can become one.
    Customers,
    /// Anybody who registers a domain.
    Everybody,
}

/// Who has the names below `name`, which is in lower case.
pub(super) fn below(name: &str) -> Below {
    // A suffix may be listed by itself, or by a rule for all names one label below it.
    let listed = [suffix(name), suffix(&format!("any.{name}"))];
    if listed.contains(&Some(Type::Icann)) {
        return Below::Everybody;
    }
    let is_service =
        || SERVICES.iter().any(|service| name.strip_suffix(service).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if listed.contains(&Some(Type::Private)) || (is_service() && !is_below_private(name)) {
        return Below::Customers;
    }
    Below::OneOwner
}

/// Whether a name ends in a suffix of the list.
pub(super) fn is_registered(name: &str) -> bool {
    psl::List.suffix(name.as_bytes()).is_some_and(|found| found.is_known())
}

/// Whether the whole name is a suffix of the list, and of which part of it.
fn suffix(name: &str) -> Option<Type> {
    let found = psl::List.suffix(name.as_bytes())?;
    (found.as_bytes() == name.as_bytes()).then(|| found.typ())?
}

fn is_below_private(name: &str) -> bool {
    psl::List.suffix(name.as_bytes()).is_some_and(|found| found.typ() == Some(Type::Private))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_who_can_have_one_below_them() {
        for everybody in ["com", "co.uk", "uk", "ck", "er", "kawasaki.jp", "xn--p1ai", "gov", "dev"] {
            assert_eq!(below(everybody), Below::Everybody, "{everybody}");
        }
        for customers in [
            "github.io",
            "herokuapp.com",
            "vercel.app",
            "cloudfront.net",
            "amazonaws.com",
            "s3.amazonaws.com",
            "compute.amazonaws.com",
            "us-east-1.amazonaws.com",
            "execute-api.us-east-1.amazonaws.com",
            "windows.net",
            "run.app",
        ] {
            assert_eq!(below(customers), Below::Customers, "{customers}");
        }
        for owner in ["example.com", "api.example.co.uk", "me.github.io", "bucket.s3.amazonaws.com", "internal", "api.test", "corp.local"] {
            assert_eq!(below(owner), Below::OneOwner, "{owner}");
        }
    }
}

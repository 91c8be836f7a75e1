//! Why an effect was denied, and what would have to be granted.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// No grant and no `[[egress]]` names the host at that scheme and port.
    Destination,
    /// The host is granted, but not with this method.
    Method,
    /// The host is granted, but not at this path.
    Path,
    /// The URL is not in the one form that every reader reads alike.
    Url,
    /// A header that no request may hold.
    Header,
    /// A body that names the method, for servers that take it from there.
    Override,
    /// A body in a GET or HEAD request, which servers may read as another request.
    Body,
    /// A GraphQL request that could bring a sealed field under another name.
    Graphql,
    /// A call that makes, revokes or lists keys, which the host configuration keeps for the host.
    Issuer,
    /// A granted place, or a header that looks like a credential, holds something that is not our placeholder.
    ForeignCredential,
    /// A placeholder stands where its value does not belong.
    Misplaced,
    /// A header, the URL or the body holds what looks like a secret.
    Leak,
    /// More requests than the grant's rate.
    Rate,
    /// More requests open at once than `limits.requests`.
    Requests,
    /// The host's name led to an address that is not public and that the operator has not allowed.
    Address,
    /// A secret that the manifest does not grant was opened.
    Secret,
    /// A signer that the manifest does not grant was opened.
    Signer,
    /// What was to be signed can't be decoded, or is not in its one canonical form.
    Undecodable,
    /// A chain that the signer is not granted.
    Chain,
    /// A kind of transaction that the signer is not granted, or a use that is not the key's.
    Kind,
    /// A nonce below the operator's floor.
    Nonce,
    /// Gas and blobs that may cost more than granted.
    Fee,
    /// More of a chain's own asset in one transaction than granted.
    Value,
    /// A recipient that is not granted.
    Recipient,
    /// Assets of an account that is not the signer's.
    Account,
    /// A call that is not granted.
    Call,
    /// An argument or field that is not what the entry says.
    Argument,
    /// An asset that the host does not know.
    Asset,
    /// Typed data of a domain and type that are not granted.
    TypedData,
    /// A signature that would be valid for too long.
    Deadline,
    /// Code that the account may not run.
    Delegate,
    /// A message that no pattern matches, or that nobody can read.
    Message,
    /// A sign-in that is not granted.
    SignIn,
    /// A token with claims that are not granted.
    Claims,
    /// An input of an HMAC that its template does not match.
    Hmac,
    /// Any 32 bytes, which the host configuration does not grant.
    Digest,
    /// More than may be spent.
    Spend,
    /// An idempotency key that was used for something else.
    Idempotency,
    /// The ledger needs the operator's confirmation.
    Ledger,
    /// The agent is stopped by the kill switch.
    KillSwitch,
    /// The agent's manifest was read anew while it ran, and lets it no more, or otherwise.
    Reloaded,
    /// What is to be kept over runs has no room there, or the agent keeps nothing.
    State,
}

/// A denied effect. What it prints is for the operator; the guest gets [`Denial::for_guest`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// The rule that decided.
    pub rule: Rule,
    /// What was asked for, without query: `POST https://host/path`.
    pub asked: String,
    /// What was found.
    pub reason: String,
    /// The manifest's lines that would allow it, or what to do instead.
    pub remedy: String,
    /// Whether the run ends with it.
    pub stop: bool,
}

impl Denial {
    /// Whatever an agent does that is stopped by the kill switch: with all others, or by its name.
    #[must_use]
    pub fn stopped(agent: &str, is_with_all: bool) -> Self {
        let whom = if is_with_all { "--all" } else { agent };
        Self {
            rule: Rule::KillSwitch,
            asked: "run".to_owned(),
            reason: "the kill switch is on".to_owned(),
            remedy: format!("when the cause is found and mended: `strongroom kill-switch off {whom}`"),
            stop: true,
        }
    }

    /// The same with other texts.
    #[must_use]
    pub fn with_texts(self, text: impl Fn(String) -> String) -> Self {
        let Self { rule, asked, reason, remedy, stop } = self;
        Self { rule, asked: text(asked), reason: text(reason), remedy: text(remedy), stop }
    }
}

/// The rule, the reason and the remedy: what was asked for is known to whoever asked.
impl Serialize for Denial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Denial", 3)?;
        fields.serialize_field("rule", self.rule.as_str())?;
        fields.serialize_field("reason", &self.reason)?;
        fields.serialize_field("remedy", &self.remedy)?;
        fields.end()
    }
}

impl Rule {
    /// The rule's name in the audit log and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Method => "method",
            Self::Path => "path",
            Self::Url => "url",
            Self::Header => "header",
            Self::Override => "override",
            Self::Body => "body",
            Self::Graphql => "graphql",
            Self::Issuer => "issuer",
            Self::ForeignCredential => "foreign-credential",
            Self::Misplaced => "misplaced-placeholder",
            Self::Leak => "leak",
            Self::Rate => "rate",
            Self::Requests => "requests",
            Self::Address => "address",
            Self::Secret => "secret",
            Self::Signer => "signer",
            Self::Undecodable => "undecodable",
            Self::Chain => "chain",
            Self::Kind => "kind",
            Self::Nonce => "nonce",
            Self::Fee => "fee",
            Self::Value => "value",
            Self::Recipient => "recipient",
            Self::Account => "account",
            Self::Call => "call",
            Self::Argument => "argument",
            Self::Asset => "asset",
            Self::TypedData => "typed-data",
            Self::Deadline => "deadline",
            Self::Delegate => "delegate",
            Self::Message => "message",
            Self::SignIn => "sign-in",
            Self::Claims => "claims",
            Self::Hmac => "hmac",
            Self::Digest => "digest",
            Self::Spend => "spend",
            Self::Idempotency => "idempotency",
            Self::Ledger => "ledger",
            Self::KillSwitch => "kill-switch",
            Self::Reloaded => "reloaded",
            Self::State => "state",
        }
    }
}

impl Denial {
    /// What the guest is told: the rule and what was wrong with its own request, nothing of what is granted to whom.
    #[must_use]
    pub fn for_guest(&self) -> String {
        format!("strongroom: denied by rule `{}`: {}", self.rule.as_str(), self.reason)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = crate::text::for_people;
        write!(f, "{} denied by rule `{}`: {}", text(&self.asked), self.rule, text(&self.reason))?;
        if !self.remedy.is_empty() {
            write!(f, "\n{}", crate::text::lines_for_people(&self.remedy))?;
        }
        Ok(())
    }
}

/// How a remedy begins that lines can be taken from.
const TO_ALLOW: &str = "to allow it, ";

/// Lines for the manifest. A `?` in them is for the operator to fill in: until then the file is refused at that place.
pub(in crate::policy) fn manifest_lines(lines: &str) -> String {
    format!("{TO_ALLOW}add to the manifest{}:\n{lines}", to_fill_in(lines))
}

/// Lines for the host configuration, likewise.
pub(in crate::policy) fn host_lines(lines: &str) -> String {
    format!("{TO_ALLOW}add to the host configuration{}:\n{lines}", to_fill_in(lines))
}

/// An element for a list of a table that is there.
pub(crate) fn added(value: &toml::Value, key: &str, table: &str) -> String {
    format!("{TO_ALLOW}add {value} to `{key}` of {table}")
}

/// A key of a table that is there, with its whole value; `?` where only the operator can know it.
pub(crate) fn set(key: &str, value: &str, table: &str) -> String {
    format!("{TO_ALLOW}set `{key} = {value}` in {table}{}", to_fill_in(value))
}

fn to_fill_in(text: &str) -> &'static str {
    if text.contains('?') && text.lines().any(|line| line.ends_with('?') || line.contains("= ?")) {
        ", with each `?` filled in"
    } else {
        ""
    }
}

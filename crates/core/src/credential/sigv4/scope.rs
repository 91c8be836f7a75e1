//! What a signature is good for: one day, one region, one service.

use super::encode::PathStyle;
use super::{Refused, TERMINATOR};

/// The scope of a credential: `20150830/us-east-1/service/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    text: String,
    region: usize,
    service: usize,
}

/// The longest name of a region or a service that is read.
const LONGEST: usize = 64;

impl Scope {
    /// The access key ID and the scope of `KEY-ID/date/region/service/aws4_request`.
    ///
    /// # Errors
    /// Where it is anything else.
    pub(super) fn read(credential: &str) -> Result<(&str, Self), Refused> {
        let (id, text) = credential.split_once('/').ok_or(Refused::Credential)?;
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(Refused::Credential);
        let (date, region, service, end) = (part()?, part()?, part()?, part()?);
        let right = is_key_id(id)
            && (date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()))
            && is_name(region)
            && is_name(service)
            && end == TERMINATOR
            && parts.next().is_none();
        if !right {
            return Err(Refused::Credential);
        }
        let region = 9 + region.len();
        Ok((id, Self { text: text.to_owned(), region, service: region + 1 + service.len() }))
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn date(&self) -> &str {
        &self.text[..8]
    }

    pub fn region(&self) -> &str {
        &self.text[9..self.region]
    }

    pub fn service(&self) -> &str {
        &self.text[self.region + 1..self.service]
    }

    /// S3 and those that speak its protocol have rules of their own for paths and for the payload of a presigned URL.
    pub(super) fn is_s3(&self) -> bool {
        matches!(self.service(), "s3" | "s3express" | "s3-object-lambda" | "s3-outposts")
    }

    pub(super) fn path_style(&self) -> PathStyle {
        if self.is_s3() { PathStyle::AS_SENT } else { PathStyle::USUAL }
    }
}

/// Whether it can stand in a credential: placeholders can, and what those issue who speak AWS's protocols.
pub(super) fn is_key_id(id: &str) -> bool {
    (1..=512).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b','))
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

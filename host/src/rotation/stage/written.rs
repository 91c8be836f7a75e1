//! A rotation under way as it stands in a journal: flat, with fields that are there or not. Hosts of several versions share a journal, so this
//! layout stays; what it could say and no host writes is refused where it is read.

use super::{Intent, Stage, UnderWay};
use crate::rotation::document::FORMAT;
use crate::rotation::issuer::{IssuedKey, ListedKey};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    begun: u64,
    trigger: String,
    stage: At,
    places: Vec<String>,
    issuer: String,
    #[serde(default)]
    waited: u64,
    old: IssuedKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<IssuedKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listed: Option<Vec<ListedKey>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum At {
    Issuing,
    Issued,
    Verified,
    Switched,
    Drained,
    Revoked,
    RollingBack,
}

/// What a journal says of a rotation under way that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rotation is under way at `{at}`, and {finding}, which no host writes: restore the version before it in the store that keeps it, or \
     remove it there and revoke every key at the issuer but the one in use"
)]
pub(in crate::rotation) struct Impossible {
    at: At,
    finding: &'static str,
}

impl TryFrom<Written> for UnderWay {
    type Error = Impossible;

    fn try_from(written: Written) -> Result<Self, Impossible> {
        let Written { begun, trigger, stage: at, places: sites, issuer, waited, old, new, listed, why } = written;
        let impossible = |finding| Err(Impossible { at, finding });
        let stage = match (at, new, why) {
            (At::Issuing, Some(_), _) => return impossible("there is a new key already"),
            (At::Issuing | At::Issued, _, Some(_)) => return impossible("there is a reason to roll it back"),
            (At::Issuing, None, None) => Stage::Issuing,
            (_, None, _) => return impossible("there is no new key"),
            (At::RollingBack, _, None) => return impossible("there is no reason to roll it back"),
            (At::Issued, Some(new), None) => Stage::Issued { new },
            // A reason may be left from a rotation that was to be rolled back and went forward after all.
            (At::Verified, Some(new), _) => Stage::Verified { new },
            (At::Switched, Some(new), _) => Stage::Switched { new, waited },
            (At::Drained, Some(new), _) => Stage::Drained { new },
            (At::Revoked, Some(new), _) => Stage::Revoked { new },
            (At::RollingBack, Some(new), Some(why)) => Stage::RollingBack { new, why },
        };
        Ok(Self { intent: Intent { begun, trigger, sites, issuer, old, listed }, stage })
    }
}

impl From<&UnderWay> for Written {
    fn from(under_way: &UnderWay) -> Self {
        let Intent { begun, trigger, sites: places, issuer, old, listed } = under_way.intent.copy();
        let (stage, waited, why) = match &under_way.stage {
            Stage::Issuing => (At::Issuing, 0, None),
            Stage::Issued { .. } => (At::Issued, 0, None),
            Stage::Verified { .. } => (At::Verified, 0, None),
            Stage::Switched { waited, .. } => (At::Switched, *waited, None),
            Stage::Drained { .. } => (At::Drained, 0, None),
            Stage::Revoked { .. } => (At::Revoked, 0, None),
            Stage::RollingBack { why, .. } => (At::RollingBack, 0, Some(why.clone())),
        };
        Self { begun, trigger, stage, places, issuer, waited, old, new: under_way.new_key().map(IssuedKey::copy), listed, why }
    }
}

impl Serialize for UnderWay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(serializer)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As it is written.
        self.serialize(f)
    }
}

impl Impossible {
    /// What is impossible in a journal that could not be read, where it is that. The reader's own messages may quote what is there.
    pub(in crate::rotation) fn found_in(journal: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Excerpt {
            format: u64,
            under_way: Written,
        }
        let Excerpt { format, under_way } = serde_json::from_str(journal).ok()?;
        UnderWay::try_from(under_way).err().filter(|_| format == FORMAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::document::Document;

    /// How each begins; `at` fills it in.
    const ROTATION: &str = concat!(
        r#"{"begun":1700000000,"trigger":"by hand","stage":"STAGE","places":["vault:agents/bot#api_key","file:bot"],"#,
        r#""issuer":"POST https://api.example/v2/keys","waited":WAITED,"old":{"value":"key-of-before","id":"k1"}"#
    );
    const NEW: &str = r#","new":{"value":"key-of-after","id":"k2","expires_at":1800000000}"#;
    const LISTED: &str = r#","listed":[{"id":"k0"},{"id":"k1"}]"#;
    const WHY: &str = r#","why":"the new key does not work""#;

    /// The texts are the layout that was written before the stage had data of its own.
    #[test]
    fn each_stage_is_read_and_written_as_it_always_was() {
        let rows = [
            ("issuing", 0, "", ""),
            ("issued", 0, NEW, ""),
            ("verified", 0, NEW, ""),
            ("switched", 0, NEW, ""),
            ("switched", 1_500, NEW, ""),
            ("drained", 0, NEW, ""),
            ("revoked", 0, NEW, ""),
            ("rolling-back", 0, NEW, WHY),
        ];
        for (stage, waited, new, why) in rows {
            for listed in ["", LISTED] {
                let text = at(stage, waited, &format!("{new}{listed}{why}"));

                let read = read(&text);

                assert_eq!((read.stage().name(), read.new_key().is_some()), (stage, !new.is_empty()), "{text}");
                assert_eq!(written(&read), text);
            }
        }
    }

    #[test]
    fn what_a_later_stage_keeps_of_an_earlier_one_is_read_and_left_out() {
        let rows = [
            ("verified", 0, WHY, 0),
            ("switched", 1_500, WHY, 1_500),
            ("drained", 1_500, "", 0),
            ("drained", 1_500, WHY, 0),
            ("revoked", 1_500, WHY, 0),
        ];
        for (stage, waited, why, still_waited) in rows {
            let text = at(stage, waited, &format!("{NEW}{LISTED}{why}"));

            let read = read(&text);

            assert_eq!(written(&read), at(stage, still_waited, &format!("{NEW}{LISTED}")), "{text}");
        }
    }

    #[test]
    fn a_journal_without_the_time_that_was_waited_is_read() {
        let text = at("switched", 0, NEW).replace(r#""waited":0,"#, "");

        let read = read(&text);

        assert!(matches!(read.stage(), Stage::Switched { waited: 0, .. }));
    }

    #[test]
    fn what_no_host_writes_is_refused_with_what_to_do() {
        let rows = [
            ("issuing", NEW, "", "there is a new key already"),
            ("issuing", "", WHY, "there is a reason to roll it back"),
            ("issued", NEW, WHY, "there is a reason to roll it back"),
            ("issued", "", "", "there is no new key"),
            ("verified", "", "", "there is no new key"),
            ("switched", "", "", "there is no new key"),
            ("drained", "", "", "there is no new key"),
            ("revoked", "", "", "there is no new key"),
            ("rolling-back", "", WHY, "there is no new key"),
            ("rolling-back", NEW, "", "there is no reason to roll it back"),
        ];
        for (stage, new, why, finding) in rows {
            let journal = format!(r#"{{"format":1,"number":7,"under_way":{}}}"#, at(stage, 0, &format!("{new}{why}")));

            let refused = Document::read(&journal).err().unwrap_or_default();

            let said = format!("a rotation is under way at `{stage}`, and {finding}, which no host writes: restore the version before it");
            assert!(refused.starts_with(&said), "{refused}");
            assert!(!refused.contains("key-of"), "{refused}");
        }
    }

    #[test]
    fn a_journal_of_another_format_is_not_judged_by_this_one() {
        let journal = format!(r#"{{"format":2,"under_way":{}}}"#, at("issued", 0, ""));

        let refused = Document::read(&journal).err().unwrap_or_default();
        assert!(refused.starts_with("written by a newer Strongroom (format 2;"), "{refused}");
    }

    fn read(text: &str) -> UnderWay {
        serde_json::from_str(text).expect("a rotation under way")
    }

    fn written(under_way: &UnderWay) -> String {
        serde_json::to_string(under_way).expect("JSON")
    }

    fn at(stage: &str, waited: u64, rest: &str) -> String {
        format!("{}{rest}}}", ROTATION.replace("STAGE", stage).replace("WAITED", &waited.to_string()))
    }
}

//! How a placeholder looks: `sr_{base62:32}`, `pf_live_{hex:32}`, `jwt`.

use super::diagnostic::Problem;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The shape of a placeholder: literal text and runs of random characters, with at least 128 random bits in all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Random { alphabet: &'static [u8], count: usize },
}

impl Default for Shape {
    fn default() -> Self {
        Self(vec![Part::Literal("sr_".into()), Part::Random { alphabet: BASE62, count: 32 }])
    }
}

impl Shape {
    /// Parses literal text (letters, digits and `-_.~`) with `{hex:N}`, `{base62:N}` and `{digits:N}`; or `jwt`, three dotted parts
    /// of which the first is a JWT header with `"alg":"none"`.
    ///
    /// # Errors
    /// A [`Problem`] where the shape can't be read or carries fewer than 128 random bits.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text == "jwt" {
            let header = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdHJvbmdyb29tIjoi";
            let random = |count| Part::Random { alphabet: BASE64URL, count };
            return Ok(Self(vec![Part::Literal(header.into()), random(32), Part::Literal("In0.".into()), random(43)]));
        }
        let remedy = "use letters, digits, `-_.~`, and `{hex:N}`, `{base62:N}` or `{digits:N}`, as in `pf_live_{hex:32}`";
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            parts.push(Part::Literal(rest[..open].to_owned()));
            let inner = rest[open + 1..].split_once('}');
            let (inner, after) = inner.ok_or_else(|| Problem::new("a `{` without its `}`", remedy))?;
            let (kind, count) = inner.split_once(':').ok_or_else(|| Problem::new("a random part without a length", remedy))?;
            let alphabet: &'static [u8] = match kind {
                "hex" => b"0123456789abcdef",
                "base62" => BASE62,
                "digits" => b"0123456789",
                _ => return Err(Problem::new("an unknown kind of random part", remedy)),
            };
            let count = count.parse().ok().filter(|n| (1..=1024).contains(n));
            let count = count.ok_or_else(|| Problem::new("a length that is not a number from 1 to 1024", remedy))?;
            parts.push(Part::Random { alphabet, count });
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        let literal_ok = |part: &Part| match part {
            Part::Literal(text) => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)),
            Part::Random { .. } => true,
        };
        if !parts.iter().all(literal_ok) {
            return Err(Problem::new("a character that can't be in both a header and a URL", remedy));
        }
        let shape = Self(parts);
        let bits = shape.random_bits();
        if bits < 128.0 {
            let found = format!("a shape with {bits:.0} random bits");
            return Err(Problem::new(found, "use at least 128, as in `{hex:32}`, `{base62:22}` or `{digits:39}`"));
        }
        Ok(shape)
    }

    fn random_bits(&self) -> f64 {
        let bits = |part: &Part| match part {
            Part::Literal(_) => 0.0,
            #[expect(clippy::cast_precision_loss, reason = "both are small")]
            Part::Random { alphabet, count } => (alphabet.len() as f64).log2() * *count as f64,
        };
        self.0.iter().map(bits).sum()
    }

    /// A fresh placeholder, with characters chosen by `random` (uniform below its argument, at most 64).
    pub(crate) fn mint(&self, mut random: impl FnMut(usize) -> usize) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Random { alphabet, count } => out.extend((0..*count).map(|_| char::from(alphabet[random(alphabet.len())]))),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_carries_at_least_128_random_bits() {
        for good in ["pf_live_{hex:32}", "sk-{base62:22}", "{digits:39}", "a{hex:16}b{hex:16}", "jwt"] {
            assert!(Shape::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "abc", "{hex:31}", "{hex:x}", "{hex}", "{hex:32", "{b64:40}", "a b{hex:32}", "é{hex:32}"] {
            assert!(Shape::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Shape::parse("k{hex:32}").expect("valid").mint(|_| 1), format!("k{}", "1".repeat(32)));
    }
}

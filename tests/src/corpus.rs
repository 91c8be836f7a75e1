//! Text as agents see it, made from numbers that are the same in each run: JSON of an exchange, logs, code, prose. No line of it
//! holds a secret; all of it is full of what resembles one: hashes, addresses, signatures, identifiers, public keys.

use std::fmt::Write;

const WORDS: &str = "the of and to in that it is was for on are with as his they at be this have from or had by hot but some what there we can out \
other were all your when up use word how said an each she which do their time if will way about many then them would write like so these her long \
make thing see him two has look more day could go come did my sound no most number who over know water than call first people may down side been \
now find any new work part take get place made live where after back little only round man year came show every good me give our under name very \
through just form much great think say help low line before turn cause same mean differ move right boy old too does tell sentence set three want \
air well also play small end put home read hand port large spell add even land here must big high such follow act why ask men change went light kind \
off need house picture try us again animal point mother world near build self earth father order balance limit request market price account transfer \
wallet agent exchange ticker volume spread settle clear margin confirm pending filled partial rejected cancelled timeout retry gateway upstream \
latency throughput backlog schedule deploy release version commit branch merge review comment approve reject token credential header cookie session";

/// Numbers that look random and are the same in each run (xorshift64*).
pub struct Numbers(u64);

impl Numbers {
    /// A row of numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 20) as usize % bound
    }

    /// Characters of an alphabet.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        (0..length).map(|_| char::from(alphabet.as_bytes()[self.below(alphabet.len())])).collect()
    }

    /// Hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        self.text("0123456789abcdef", length)
    }

    /// Letters and digits.
    pub fn base62(&mut self, length: usize) -> String {
        self.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", length)
    }

    /// Digits of base58.
    pub fn base58(&mut self, length: usize) -> String {
        self.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", length)
    }

    fn word(&mut self) -> &'static str {
        let words: Vec<&str> = WORDS.split(' ').filter(|word| !word.is_empty()).collect();
        words[self.below(words.len())]
    }

    fn uuid(&mut self) -> String {
        format!("{}-{}-4{}-a{}-{}", self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12))
    }

    fn time(&mut self) -> String {
        let [month, day, hour, minute, second, millis] = [12, 28, 24, 60, 60, 1000].map(|bound| self.below(bound));
        format!("2026-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", month + 1, day + 1)
    }
}

/// Answers of an exchange, a line each.
#[must_use]
pub fn json(numbers: &mut Numbers, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 4096);
    while out.len() < bytes {
        let (id, time, account, word) = (numbers.uuid(), numbers.time(), numbers.hex(40), numbers.word());
        let (price, amount, hash, block) = (numbers.below(5_000_000), numbers.below(1_000_000), numbers.hex(64), numbers.below(20_000_000));
        let _ = write!(
            out,
            r#"{{"id":"{id}","created_at":"{time}","side":"buy","symbol":"ETH-USD","price":{price}.{amount:02},"filled":true,"account":"0x{account}","#
        );
        let note = prose(numbers, 20 + block % 200);
        let _ = write!(
            out,
            r#""tx":{{"hash":"0x{hash}","block":{block},"status":"{word}","logs":[]}},"note":"{}","#,
            note.trim().replace('\n', "\\n")
        );
        match block % 6 {
            0 => {
                let _ = write!(out, r#""url":"https://api.example.com/v1/orders/{price}?page={amount}&sort=desc&q=a%20b","next":null,"#);
            }
            1 => {
                let _ = write!(out, r#""signature":"0x{}","publicKey":"0x04{}","#, numbers.hex(130), numbers.hex(128));
            }
            2 => {
                let _ = write!(out, r#""etag":"W/\"{}\"","cursor":"{}","#, numbers.hex(32), numbers.base62(24));
            }
            3 => {
                let _ = write!(out, r#""mint":"{}","owner":"{}","sig":"{}","#, numbers.base58(44), numbers.base58(43), numbers.base58(88));
            }
            4 => {
                let _ = write!(out, r#""image":"data:image/png;base64,{}=","size":{amount},"#, numbers.base62(103));
            }
            _ => {
                let _ = write!(out, r#""tags":["{}","{}","{}"],"parent":null,"#, numbers.word(), numbers.word(), numbers.word());
            }
        }
        let _ = writeln!(out, r#""meta":{{"retries":{},"latency_ms":{}.{}}}}}"#, block % 4, block % 900, block % 10);
    }
    out.truncate(bytes);
    out
}

/// Lines of a service's log.
#[must_use]
pub fn logs(numbers: &mut Numbers, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 1024);
    while out.len() < bytes {
        let (time, trace, span, id) = (numbers.time(), numbers.hex(32), numbers.hex(16), numbers.uuid());
        let line = match numbers.below(6) {
            0 => format!(
                "{time} INFO  http: request finished method=GET path=/v1/orders/{id} status=200 bytes={} trace_id={trace}",
                numbers.below(9999)
            ),
            1 => format!("{time} WARN  {}: {} trace_id={trace} span_id={span}", numbers.word(), prose(numbers, 60).trim()),
            2 => format!(
                "{time} DEBUG git: checked out {} in /srv/{}/{} (was {})",
                numbers.hex(40),
                numbers.word(),
                numbers.word(),
                numbers.hex(7)
            ),
            3 => format!("{time} INFO  image: pulled registry.example.com/{}@sha256:{}", numbers.word(), numbers.hex(64)),
            4 => format!(
                "{time} ERROR chain: transaction 0x{} from 0x{} reverted, gasUsed={}",
                numbers.hex(64),
                numbers.hex(40),
                numbers.below(300_000)
            ),
            _ => format!(
                "{time} INFO  10.{}.{}.{} - - \"GET /{}?id={id} HTTP/1.1\" 200 {}",
                numbers.below(255),
                numbers.below(255),
                numbers.below(255),
                numbers.word(),
                numbers.below(99_999)
            ),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out.truncate(bytes);
    out
}

/// Source text of no language in particular, with the constants that such text holds.
#[must_use]
pub fn code(numbers: &mut Numbers, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 1024);
    while out.len() < bytes {
        let (first, second, third) = (numbers.word(), numbers.word(), numbers.word());
        let line = match numbers.below(9) {
            0 => format!("    let {first}_{second} = {third}.get(\"{first}_{third}\").unwrap_or({});", numbers.below(100)),
            1 => format!("pub fn {first}_{second}({third}: &str, api_key: &SecretRef) -> Result<(), {first}Error> {{"),
            2 => format!("    // {}", prose(numbers, 70).trim()),
            3 => format!(
                "const {}_{}: [u8; 8] = [0x{}, 0x{}, 0x{}, 0x{}];",
                first.to_uppercase(),
                second.to_uppercase(),
                numbers.hex(2),
                numbers.hex(2),
                numbers.hex(2),
                numbers.hex(2)
            ),
            4 => format!("checksum = \"{}\"", numbers.hex(64)),
            5 => format!(
                "  \"{first}-{second}\": {{ \"version\": \"{}.{}.{}\", \"integrity\": \"sha512-{}==\" }},",
                numbers.below(9),
                numbers.below(30),
                numbers.below(30),
                numbers.base62(86)
            ),
            6 => format!("    assert_eq!({first}(\"{}\"), \"{}\");", numbers.uuid(), numbers.hex(40)),
            7 => format!(
                "    private_key: os.environ[\"{}_PRIVATE_KEY\"],  password=config.{second}_password, secret = load_secret('{third}')",
                first.to_uppercase()
            ),
            _ => {
                format!("    contract {first}{second} {{ address owner = 0x{}; bytes32 salt = keccak256(\"{third}\"); }}", numbers.hex(40))
            }
        };
        out.push_str(&line);
        out.push('\n');
    }
    out.truncate(bytes);
    out
}

/// Sentences.
#[must_use]
pub fn prose(numbers: &mut Numbers, bytes: usize) -> String {
    let words: Vec<&str> = WORDS.split(' ').filter(|word| !word.is_empty()).collect();
    let mut out = String::with_capacity(bytes + 64);
    let mut left = 0;
    while out.len() < bytes {
        let word = words[numbers.below(words.len())];
        if left == 0 {
            left = 6 + numbers.below(14);
            out.push_str(&word[..1].to_uppercase());
            out.push_str(&word[1..]);
        } else {
            out.push_str(word);
        }
        left -= 1;
        out.push_str(if left == 0 { ".\n" } else { [" ", " ", " ", " ", ", "][numbers.below(5)] });
    }
    out
}

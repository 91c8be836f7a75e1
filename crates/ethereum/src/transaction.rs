//! Transactions as they are signed: legacy (EIP-155), EIP-2930, EIP-1559, EIP-4844 and EIP-7702, read strictly and written in their one form.
//! A decoded transaction is the only thing that policy, audit and the hash see: there is no second reading.

use super::rlp::{Item, Malformed, Writer};
use super::signature::Recoverable;
use alloy_primitives::{Address, B256, U256, keccak256};
use k256::ecdsa::{RecoveryId, Signature};

/// Blobs of one transaction, at most: above what any hard fork so far allows in a block.
const MAX_BLOBS: usize = 32;
/// Gas of one blob (EIP-4844).
const GAS_PER_BLOB: u64 = 1 << 17;
/// The first byte of a blob's versioned hash (EIP-4844).
const BLOB_VERSION: u8 = 1;
/// What an EIP-7702 authorization is hashed with.
const AUTHORIZATION: u8 = 5;

/// A transaction without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The chain that takes it (EIP-155).
    pub chain: u64,
    /// How many transactions its account has sent before.
    pub nonce: u64,
    /// Most units of gas that it may use.
    pub gas: u64,
    /// None creates a contract.
    pub to: Option<Address>,
    /// In the smallest unit of the chain's own asset.
    pub value: U256,
    /// What its recipient gets: the call data, or the code of a contract that is created.
    pub input: Vec<u8>,
    /// Its kind, with what only that has.
    pub kind: Kind,
}

/// What differs from kind to kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// As before EIP-2718, with the chain of EIP-155.
    Legacy {
        /// For a unit of gas.
        price: U256,
    },
    /// EIP-2930.
    AccessList {
        /// For a unit of gas.
        price: U256,
        /// What it will touch.
        access: AccessList,
    },
    /// EIP-1559.
    DynamicFee {
        /// For a unit of gas.
        market: Market,
        /// What it will touch.
        access: AccessList,
    },
    /// EIP-4844.
    Blob {
        /// For a unit of gas.
        market: Market,
        /// What it will touch.
        access: AccessList,
        /// Most for a unit of blob gas.
        blob_fee: U256,
        /// The blobs, by their versioned hashes.
        hashes: Vec<B256>,
    },
    /// EIP-7702.
    SetCode {
        /// For a unit of gas.
        market: Market,
        /// What it will touch.
        access: AccessList,
        /// Which accounts are to run which code.
        authorizations: Vec<SignedAuthorization>,
    },
}

/// Addresses and the storage slots of each (EIP-2930).
pub type AccessList = Vec<(Address, Vec<B256>)>;

/// What is paid for a unit of gas, at most (EIP-1559).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Market {
    /// For everything, in the smallest unit.
    pub max: U256,
    /// Of it, for whoever makes the block.
    pub priority: U256,
}

/// Lets an account run the code of another address (EIP-7702).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization {
    /// The chain; 0 stands for any.
    pub chain: U256,
    /// The address whose code the account runs.
    pub delegate: Address,
    /// How many transactions the account has sent before.
    pub nonce: u64,
}

/// An authorization with somebody's signature, which is not checked: a chain skips those that are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedAuthorization {
    /// What was signed.
    pub authorization: Authorization,
    /// Whether the y coordinate of the signature's point is odd: 0 or 1.
    pub odd: u8,
    /// The first half of the signature.
    pub r: U256,
    /// The second half.
    pub s: U256,
}

/// Chains that are known to charge for call data at least what EIP-7623 says: Ethereum, Sepolia and Hoodi since Pectra, Gnosis since its own,
/// OP Mainnet and Base since Isthmus. On others a transaction is not refused for it: a node there may take it.
const DEAR_DATA: [u64; 6] = [1, 11_155_111, 560_048, 100, 10, 8_453];

impl Transaction {
    /// Reads the unsigned payload: EIP-2718's type and list, or EIP-155's list of nine.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let transaction = match payload {
            [1..=0x7f, list @ ..] => typed(payload[0], Item::read(list)?.list()?)?,
            _ => legacy(Item::read(payload)?.list()?)?,
        };
        transaction.check()?;
        // The reader is strict by itself; this is the law it has to keep.
        match transaction.payload() == payload {
            true => Ok(transaction),
            false => Err(Malformed("the payload is not in its canonical form")),
        }
    }

    /// Reads a signed transaction, as nodes take it: the transaction, and the signature, which is in the form of EIP-2. Whose it is, is not looked at.
    pub fn read_signed(raw: &[u8]) -> Result<(Self, Recoverable), Malformed> {
        let (transaction, odd, [r, s]) = match raw {
            [1..=0x7f, list @ ..] => {
                let list = Item::read(list)?;
                let Some((items, [odd, r, s])) = list.list()?.split_last_chunk() else { return Err(NO_SIGNATURE) };
                let odd = match odd.small()? {
                    parity @ (0 | 1) => parity == 1,
                    _ => return Err(Malformed("the parity of the signature is neither 0 nor 1")),
                };
                (typed(raw[0], items)?, odd, [r.number()?, s.number()?])
            }
            _ => signed_legacy(Item::read(raw)?.list()?)?,
        };
        transaction.check()?;
        let signature = Signature::from_scalars(r.to_be_bytes::<32>(), s.to_be_bytes::<32>());
        let signature = signature.map_err(|_| Malformed("a half of the signature is zero, or beyond the order of the curve"))?;
        let signature = Recoverable::of(&signature, RecoveryId::new(odd, false));
        let signature = signature.ok_or(Malformed("the signature's `s` is in the upper half of the order (EIP-2)"))?;
        match transaction.signed(&signature) == raw {
            true => Ok((transaction, signature)),
            false => Err(Malformed("the signed transaction is not in its canonical form")),
        }
    }

    /// The first field in which another transaction differs from this one, by its name in JSON-RPC.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let fees = |of: &Self| match &of.kind {
            Kind::Legacy { price } | Kind::AccessList { price, .. } => (*price, *price, U256::ZERO),
            Kind::DynamicFee { market, .. } | Kind::SetCode { market, .. } => (market.max, market.priority, U256::ZERO),
            Kind::Blob { market, blob_fee, .. } => (market.max, market.priority, *blob_fee),
        };
        let differs = [
            ("type", self.kind_name() != other.kind_name()),
            ("chainId", self.chain != other.chain),
            ("nonce", self.nonce != other.nonce),
            ("to", self.to != other.to),
            ("value", self.value != other.value),
            ("gas", self.gas != other.gas),
            ("fee", fees(self) != fees(other)),
            ("input", self.input != other.input),
            ("accessList", self.access() != other.access()),
            // Whatever else a kind has.
            ("kind", self.kind != other.kind),
        ];
        differs.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
    }

    /// What no transaction of its kind may be, however it was given.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.chain == 0 {
            return Err(Malformed("the chain id is 0: the transaction would be valid on any chain"));
        }
        // EIP-2681.
        if self.nonce == u64::MAX {
            return Err(Malformed("the nonce is beyond the last"));
        }
        if let Some(market) = self.market()
            && market.priority > market.max
        {
            return Err(Malformed("the priority fee is above the maximum fee"));
        }
        match &self.kind {
            Kind::Blob { hashes, .. } if self.to.is_none() || hashes.is_empty() || hashes.len() > MAX_BLOBS => {
                Err(Malformed("a blob transaction needs a recipient and 1 to 32 blobs"))
            }
            Kind::Blob { hashes, .. } if hashes.iter().any(|hash| hash[0] != BLOB_VERSION) => {
                Err(Malformed("a blob's hash is of an unknown version"))
            }
            Kind::SetCode { authorizations, .. } if self.to.is_none() || authorizations.is_empty() => {
                Err(Malformed("a set-code transaction needs a recipient and an authorization"))
            }
            _ => Ok(()),
        }
    }

    /// What the field of people calls the kind.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Legacy { .. } => "legacy",
            Kind::AccessList { .. } => "2930",
            Kind::DynamicFee { .. } => "1559",
            Kind::Blob { .. } => "4844",
            Kind::SetCode { .. } => "7702",
        }
    }

    fn market(&self) -> Option<Market> {
        match self.kind {
            Kind::DynamicFee { market, .. } | Kind::Blob { market, .. } | Kind::SetCode { market, .. } => Some(market),
            Kind::Legacy { .. } | Kind::AccessList { .. } => None,
        }
    }

    /// What gas and blobs cost at most, in the smallest unit of the chain's own asset. None where that is more than can be said.
    pub fn most_fee(&self) -> Option<U256> {
        let price = match self.kind {
            Kind::Legacy { price } | Kind::AccessList { price, .. } => price,
            Kind::DynamicFee { market, .. } | Kind::Blob { market, .. } | Kind::SetCode { market, .. } => market.max,
        };
        let gas = U256::from(self.gas).checked_mul(price)?;
        match &self.kind {
            Kind::Blob { blob_fee, hashes, .. } => {
                let blobs = U256::from(GAS_PER_BLOB).checked_mul(U256::from(hashes.len()))?;
                gas.checked_add(blobs.checked_mul(*blob_fee)?)
            }
            _ => Some(gas),
        }
    }

    /// The least gas with which a node takes it: what it costs before anything runs (EIP-2028, 2930, 3860, 7702, and EIP-7623 on the chains
    /// that are known to have it).
    pub fn least_gas(&self) -> u64 {
        const BASE: u64 = 21_000;
        const CREATION: u64 = 32_000;
        const INIT_CODE_WORD: u64 = 2;
        const ADDRESS: u64 = 2_400;
        const SLOT: u64 = 1_900;
        const PER_AUTHORIZATION: u64 = 25_000;
        /// Of call data: a zero is one token, any other byte four.
        const TOKEN: u64 = 4;
        const TOKEN_AT_LEAST: u64 = 10;

        let count = |length: usize| length as u64;
        let zeros = count(self.input.iter().filter(|byte| **byte == 0).count());
        let tokens = 4 * count(self.input.len()) - 3 * zeros;
        let creation = if self.to.is_none() { CREATION + INIT_CODE_WORD * count(self.input.len().div_ceil(32)) } else { 0 };
        let access = self.access().iter().map(|(_, slots)| ADDRESS + SLOT * count(slots.len())).sum::<u64>();
        let authorizations = PER_AUTHORIZATION * count(self.authorizations().len());
        let least = if DEAR_DATA.contains(&self.chain) { TOKEN_AT_LEAST * tokens } else { 0 };
        BASE + (TOKEN * tokens + creation + access + authorizations).max(least)
    }

    /// What it will touch, where its kind says so.
    pub fn access(&self) -> &[(Address, Vec<B256>)] {
        match &self.kind {
            Kind::Legacy { .. } => &[],
            Kind::AccessList { access, .. }
            | Kind::DynamicFee { access, .. }
            | Kind::Blob { access, .. }
            | Kind::SetCode { access, .. } => access,
        }
    }

    /// The authorizations that it carries, if it is of the kind that does.
    pub fn authorizations(&self) -> &[SignedAuthorization] {
        match &self.kind {
            Kind::SetCode { authorizations, .. } => authorizations,
            _ => &[],
        }
    }

    /// The bytes whose hash is signed.
    pub fn payload(&self) -> Vec<u8> {
        self.write(None)
    }

    /// What is signed: the hash of [`Transaction::payload`].
    pub fn signing_hash(&self) -> B256 {
        keccak256(self.payload())
    }

    /// The bytes that a node takes (EIP-2718; a blob transaction without its sidecar).
    pub fn signed(&self, signature: &Recoverable) -> Vec<u8> {
        self.write(Some(signature))
    }

    fn write(&self, signature: Option<&Recoverable>) -> Vec<u8> {
        /// Bytes of a transaction beside its input and lists: numbers, recipient, signature and headers.
        const ROOM: usize = 256;
        let kind = match self.kind {
            Kind::Legacy { .. } => None,
            Kind::AccessList { .. } => Some(1),
            Kind::DynamicFee { .. } => Some(2),
            Kind::Blob { .. } => Some(3),
            Kind::SetCode { .. } => Some(4),
        };
        let mut out = Writer::new(kind, ROOM + self.input.len());
        let number = |bytes: &[u8; 32]| U256::from_be_bytes(*bytes);
        out.list(|out| {
            if !matches!(self.kind, Kind::Legacy { .. }) {
                out.small(self.chain);
            }
            out.small(self.nonce);
            match &self.kind {
                Kind::Legacy { price } | Kind::AccessList { price, .. } => out.number(*price),
                Kind::DynamicFee { market, .. } | Kind::Blob { market, .. } | Kind::SetCode { market, .. } => {
                    out.number(market.priority);
                    out.number(market.max);
                }
            }
            out.small(self.gas);
            out.bytes(self.to.as_ref().map_or(&[], |to| to.as_slice()));
            out.number(self.value);
            out.bytes(&self.input);
            match &self.kind {
                Kind::Legacy { .. } => {}
                Kind::AccessList { access, .. } | Kind::DynamicFee { access, .. } => write_access(out, access),
                Kind::Blob { access, blob_fee, hashes, .. } => {
                    write_access(out, access);
                    out.number(*blob_fee);
                    out.list(|out| hashes.iter().for_each(|hash| out.bytes(hash.as_slice())));
                }
                Kind::SetCode { access, authorizations, .. } => {
                    write_access(out, access);
                    out.list(|out| authorizations.iter().for_each(|signed| signed.write(out)));
                }
            }
            match (&self.kind, signature) {
                (Kind::Legacy { .. }, None) => {
                    out.small(self.chain);
                    out.small(0);
                    out.small(0);
                }
                // EIP-155: v is 35 or 36 more than twice the chain id.
                (Kind::Legacy { .. }, Some(signature)) => {
                    out.number(U256::from(self.chain) * U256::from(2) + U256::from(35 + u8::from(signature.odd)));
                    out.number(number(&signature.r));
                    out.number(number(&signature.s));
                }
                (_, None) => {}
                (_, Some(signature)) => {
                    out.small(u64::from(signature.odd));
                    out.number(number(&signature.r));
                    out.number(number(&signature.s));
                }
            }
        });
        out.finish()
    }
}

impl Authorization {
    /// What is signed (EIP-7702).
    pub fn signing_hash(&self) -> B256 {
        let mut out = Writer::new(Some(AUTHORIZATION), 64);
        out.list(|out| {
            out.number(self.chain);
            out.bytes(self.delegate.as_slice());
            out.small(self.nonce);
        });
        keccak256(out.finish())
    }
}

impl SignedAuthorization {
    fn write(&self, out: &mut Writer) {
        out.list(|out| {
            out.number(self.authorization.chain);
            out.bytes(self.authorization.delegate.as_slice());
            out.small(self.authorization.nonce);
            out.small(u64::from(self.odd));
            out.number(self.r);
            out.number(self.s);
        });
    }

    fn read(item: &Item<'_>) -> Result<Self, Malformed> {
        let [chain, delegate, nonce, odd, r, s] = item.list()? else { return Err(Malformed("an authorization does not have six fields")) };
        let odd = u8::try_from(odd.small()?).map_err(|_| Malformed("an authorization's parity is above 255"))?;
        let authorization = Authorization { chain: chain.number()?, delegate: delegate.address()?, nonce: nonce.small()? };
        Ok(Self { authorization, odd, r: r.number()?, s: s.number()? })
    }
}

fn legacy(items: &[Item<'_>]) -> Result<Transaction, Malformed> {
    let [nonce, price, gas, to, value, input, chain, zero_r, zero_s] = items else {
        return Err(Malformed("a legacy transaction does not have the nine fields of EIP-155"));
    };
    if zero_r.small()? != 0 || zero_s.small()? != 0 {
        return Err(Malformed("a legacy transaction has something in the place of its signature"));
    }
    let kind = Kind::Legacy { price: price.number()? };
    transaction(chain, nonce, gas, to, value, input, kind)
}

/// Of a transaction whose list is too short for one.
const NO_SIGNATURE: Malformed = Malformed("the transaction does not have the fields of its type, with a signature");

/// EIP-155's list of nine, with the parity and the halves of its signature.
fn signed_legacy(items: &[Item<'_>]) -> Result<(Transaction, bool, [U256; 2]), Malformed> {
    let [nonce, price, gas, to, value, input, v, r, s] = items else { return Err(NO_SIGNATURE) };
    let v = v.number()?.checked_sub(U256::from(35)).ok_or(Malformed("the signature is for any chain: it is not in the form of EIP-155"))?;
    let chain = u64::try_from(v >> 1).map_err(|_| Malformed("the chain id has more than 64 bits"))?;
    let to = if to.bytes()?.is_empty() { None } else { Some(to.address()?) };
    let (nonce, gas, value, input) = (nonce.small()?, gas.small()?, value.number()?, input.bytes()?.to_vec());
    let transaction = Transaction { chain, nonce, gas, to, value, input, kind: Kind::Legacy { price: price.number()? } };
    Ok((transaction, v.bit(0), [r.number()?, s.number()?]))
}

fn typed(kind: u8, items: &[Item<'_>]) -> Result<Transaction, Malformed> {
    let market = |priority: &Item<'_>, max: &Item<'_>| Ok(Market { priority: priority.number()?, max: max.number()? });
    match (kind, items) {
        (1, [chain, nonce, price, gas, to, value, input, access]) => {
            let kind = Kind::AccessList { price: price.number()?, access: read_access(access)? };
            transaction(chain, nonce, gas, to, value, input, kind)
        }
        (2, [chain, nonce, priority, max, gas, to, value, input, access]) => {
            let kind = Kind::DynamicFee { market: market(priority, max)?, access: read_access(access)? };
            transaction(chain, nonce, gas, to, value, input, kind)
        }
        (3, [chain, nonce, priority, max, gas, to, value, input, access, blob_fee, hashes]) => {
            let hashes = hashes.list()?.iter().map(Item::word).collect::<Result<_, _>>()?;
            let (market, access) = (market(priority, max)?, read_access(access)?);
            let kind = Kind::Blob { market, access, blob_fee: blob_fee.number()?, hashes };
            transaction(chain, nonce, gas, to, value, input, kind)
        }
        (4, [chain, nonce, priority, max, gas, to, value, input, access, signed]) => {
            let authorizations = signed.list()?.iter().map(SignedAuthorization::read).collect::<Result<_, _>>()?;
            let kind = Kind::SetCode { market: market(priority, max)?, access: read_access(access)?, authorizations };
            transaction(chain, nonce, gas, to, value, input, kind)
        }
        (1..=4, _) => Err(Malformed("the transaction does not have the fields of its type, without a signature")),
        _ => Err(Malformed("the transaction is of an unknown type")),
    }
}

fn transaction(
    chain: &Item<'_>,
    nonce: &Item<'_>,
    gas: &Item<'_>,
    to: &Item<'_>,
    value: &Item<'_>,
    input: &Item<'_>,
    kind: Kind,
) -> Result<Transaction, Malformed> {
    let to = if to.bytes()?.is_empty() { None } else { Some(to.address()?) };
    let (chain, nonce, gas) = (chain.small()?, nonce.small()?, gas.small()?);
    Ok(Transaction { chain, nonce, gas, to, value: value.number()?, input: input.bytes()?.to_vec(), kind })
}

fn read_access(item: &Item<'_>) -> Result<AccessList, Malformed> {
    let entry = |item: &Item<'_>| {
        let [address, slots] = item.list()? else { return Err(Malformed("an access list's entry does not have two fields")) };
        Ok((address.address()?, slots.list()?.iter().map(Item::word).collect::<Result<_, _>>()?))
    };
    item.list()?.iter().map(entry).collect()
}

fn write_access(out: &mut Writer, access: &AccessList) {
    out.list(|out| {
        for (address, slots) in access {
            out.list(|out| {
                out.bytes(address.as_slice());
                out.list(|out| slots.iter().for_each(|slot| out.bytes(slot.as_slice())));
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_gas_is_what_the_eips_count() {
        let market = Market { max: U256::ONE, priority: U256::ONE };
        let dynamic = |access: AccessList| Kind::DynamicFee { market, access };
        let list = |slots: &[usize]| slots.iter().map(|slots| (Address::ZERO, vec![B256::ZERO; *slots])).collect::<AccessList>();
        let authorization = Authorization { chain: U256::ONE, delegate: Address::ZERO, nonce: 0 };
        let signed = SignedAuthorization { authorization, odd: 0, r: U256::ONE, s: U256::ONE };
        let called = Some(Address::ZERO);
        // To, input, kind; and what EIP-2028, 2930, 3860, 7623 and 7702 make of it.
        let cases: Vec<(Option<Address>, Vec<u8>, Kind, u64)> = vec![
            (called, vec![], Kind::Legacy { price: U256::ONE }, 21_000),
            (called, vec![0], dynamic(vec![]), 21_010),
            (called, vec![1], dynamic(vec![]), 21_040),
            (called, vec![0, 1, 2, 0], dynamic(vec![]), 21_100),
            (called, vec![], dynamic(list(&[0])), 23_400),
            (called, vec![], Kind::AccessList { price: U256::ONE, access: list(&[2, 1]) }, 31_500),
            (called, vec![1], dynamic(list(&[0])), 23_416),
            (called, vec![1; 100], dynamic(list(&[0])), 25_000),
            (None, vec![0; 33], dynamic(vec![]), 53_136),
            (None, vec![], Kind::Legacy { price: U256::ONE }, 53_000),
            (called, vec![], Kind::SetCode { market, access: vec![], authorizations: vec![signed, signed] }, 71_000),
        ];
        for (to, input, kind, least) in cases {
            let transaction = Transaction { chain: 1, nonce: 0, gas: 0, to, value: U256::ZERO, input, kind };
            assert_eq!(transaction.least_gas(), least, "{transaction:?}");
        }
        // A chain of which nobody knows whether data has its floor there.
        let elsewhere = Transaction {
            chain: 31_337,
            nonce: 0,
            gas: 0,
            to: called,
            value: U256::ZERO,
            input: vec![1; 100],
            kind: Kind::Legacy { price: U256::ONE },
        };
        assert_eq!(elsewhere.least_gas(), 22_600);
        assert_eq!(Transaction { chain: 8453, ..elsewhere }.least_gas(), 25_000);
    }
}

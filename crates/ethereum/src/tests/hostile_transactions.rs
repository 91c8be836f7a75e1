//! Payloads that are nearly transactions: each a small edit of a good one.

use super::*;

/// RLP that can be edited.
#[derive(Clone, PartialEq, Debug)]
enum Tree {
    Leaf(Vec<u8>),
    Branch(Vec<Tree>),
}

impl Tree {
    fn of(item: &Item<'_>) -> Self {
        match item {
            Item::Bytes(bytes) => Self::Leaf(bytes.to_vec()),
            Item::List(items) => Self::Branch(items.iter().map(Self::of).collect()),
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Leaf(bytes) => out.bytes(bytes),
            Self::Branch(items) => out.list(|out| items.iter().for_each(|item| item.write(out))),
        }
    }

    fn branch(&mut self) -> &mut Fields {
        match self {
            Self::Branch(items) => items,
            Self::Leaf(_) => panic!("a leaf has no branches"),
        }
    }
}

type Fields = Vec<Tree>;

fn leaf(bytes: &[u8]) -> Tree {
    Tree::Leaf(bytes.to_vec())
}

/// The payload of a good transaction with its fields edited.
fn edited(good: &Transaction, edit: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let payload = good.payload();
    let (first, list) = if payload[0] < 0x80 { (Some(payload[0]), &payload[1..]) } else { (None, &payload[..]) };
    let mut tree = Tree::of(&Item::read(list).expect("a good transaction"));
    edit(tree.branch());
    let mut out = Writer::new(first, 0);
    tree.write(&mut out);
    out.finish()
}

#[test]
fn a_payload_with_one_wrong_field_is_refused() {
    type Case = (&'static str, fn() -> Transaction, fn(&mut Fields));
    // Legacy: nonce, price, gas, to, value, input, chain, 0, 0. 2930: chain, nonce, price, gas, to, value, input, access.
    // 1559: chain, nonce, priority, max, gas, to, value, input, access. 4844: the same, blob fee, hashes. 7702: the same, authorizations.
    let cases: [Case; 52] = [
        ("a nonce with a leading zero", legacy, |f| f[0] = leaf(&[0, 9])),
        ("a nonce of zero, written as a byte", legacy, |f| f[0] = leaf(&[0])),
        ("the nonce 2^64-1", legacy, |f| f[0] = leaf(&[0xff; 8])),
        ("a nonce of nine bytes", legacy, |f| f[0] = leaf(&[1; 9])),
        ("a nonce that is a list", legacy, |f| f[0] = Tree::Branch(vec![])),
        ("a price with a leading zero", legacy, |f| f[1] = leaf(&[0, 1])),
        ("a price of 33 bytes", legacy, |f| f[1] = leaf(&[1; 33])),
        ("a gas limit of nine bytes", legacy, |f| f[2] = leaf(&[1; 9])),
        ("a recipient of 19 bytes", legacy, |f| f[3] = leaf(&[0x35; 19])),
        ("a recipient of 21 bytes", legacy, |f| f[3] = leaf(&[0x35; 21])),
        ("a recipient of 32 bytes", legacy, |f| f[3] = leaf(&[0x35; 32])),
        ("a recipient that is a list", legacy, |f| f[3] = Tree::Branch(vec![])),
        ("a value with a leading zero", legacy, |f| f[4] = leaf(&[0, 1])),
        ("a value of 33 bytes", legacy, |f| f[4] = leaf(&[1; 33])),
        ("an input that is a list", legacy, |f| f[5] = Tree::Branch(vec![leaf(&[1])])),
        ("the chain 0", legacy, |f| f[6] = leaf(&[])),
        ("the chain 0, written as a byte", legacy, |f| f[6] = leaf(&[0])),
        ("a chain of nine bytes", legacy, |f| f[6] = leaf(&[1; 9])),
        ("something in the place of r", legacy, |f| f[7] = leaf(&[1])),
        ("something in the place of s", legacy, |f| f[8] = leaf(&[1])),
        ("a zero byte in the place of r", legacy, |f| f[7] = leaf(&[0])),
        ("a list in the place of s", legacy, |f| f[8] = Tree::Branch(vec![])),
        ("the six fields from before EIP-155", legacy, |f| f.truncate(6)),
        ("eight fields", legacy, |f| f.truncate(8)),
        ("ten fields", legacy, |f| f.push(leaf(&[]))),
        ("a signature", legacy, |f| f.splice(6.., [leaf(&[37]), leaf(&[0x28; 32]), leaf(&[0x67; 32])]).for_each(drop)),
        ("the chain 0 in 2930", access_list, |f| f[0] = leaf(&[])),
        ("an access list that is bytes", access_list, |f| f[7] = leaf(&[])),
        ("an access list's address of 19 bytes", access_list, |f| f[7].branch()[0].branch()[0] = leaf(&[0x77; 19])),
        ("an access list's slot of 31 bytes", access_list, |f| f[7].branch()[0].branch()[1].branch()[0] = leaf(&[8; 31])),
        ("an access list's slot of 33 bytes", access_list, |f| f[7].branch()[0].branch()[1].branch()[0] = leaf(&[8; 33])),
        ("an access list's slot, its zeros trimmed", access_list, |f| f[7].branch()[0].branch()[1].branch()[0] = leaf(&[])),
        ("an access list's entry of one field", access_list, |f| f[7].branch()[0].branch().truncate(1)),
        ("an access list's entry of three fields", access_list, |f| f[7].branch()[0].branch().push(leaf(&[]))),
        ("a signature after 2930", access_list, |f| f.extend([leaf(&[1]), leaf(&[0x28; 32]), leaf(&[0x67; 32])])),
        ("a priority above the maximum", dynamic_fee, |f| f.swap(2, 3)),
        ("no access list", dynamic_fee, |f| f.truncate(8)),
        ("a signature after 1559", dynamic_fee, |f| f.extend([leaf(&[1]), leaf(&[0x28; 32]), leaf(&[0x67; 32])])),
        ("a blob transaction without hashes", blob, |f| f[10] = Tree::Branch(vec![])),
        ("a blob's hash of version 2", blob, |f| f[10].branch()[1] = leaf(&[2; 32])),
        ("a blob's hash of 31 bytes", blob, |f| f[10].branch()[1] = leaf(&[1; 31])),
        ("33 blobs", blob, |f| f[10] = Tree::Branch(vec![leaf(&[1; 32]); 33])),
        ("a blob transaction without a recipient", blob, |f| f[5] = leaf(&[])),
        ("a blob transaction with its sidecar", blob, |f| *f = vec![Tree::Branch(f.clone()), Tree::Branch(vec![]), Tree::Branch(vec![])]),
        ("a set-code transaction without authorizations", set_code, |f| f[9] = Tree::Branch(vec![])),
        ("a set-code transaction without a recipient", set_code, |f| f[5] = leaf(&[])),
        ("an authorization without a signature", set_code, |f| f[9].branch()[0].branch().truncate(3)),
        ("an authorization's parity of 256", set_code, |f| f[9].branch()[0].branch()[3] = leaf(&[1, 0])),
        ("an authorization's nonce of nine bytes", set_code, |f| f[9].branch()[0].branch()[2] = leaf(&[1; 9])),
        ("an authorization's r with a leading zero", set_code, |f| f[9].branch()[0].branch()[4] = leaf(&[0, 11])),
        ("a delegate of 19 bytes", set_code, |f| f[9].branch()[0].branch()[1] = leaf(&[0x99; 19])),
        ("a signature after 7702", set_code, |f| f.extend([leaf(&[1]), leaf(&[0x28; 32]), leaf(&[0x67; 32])])),
    ];
    for (what, good, edit) in cases {
        let good = good();

        let bad = edited(&good, edit);

        assert_eq!(edited(&good, |_| ()), good.payload(), "{what}");
        assert!(Transaction::read(&good.payload()).is_ok(), "{what}");
        assert_ne!(bad, good.payload(), "{what}");
        assert!(Transaction::read(&bad).is_err(), "{what}");
    }
}

#[test]
fn a_payload_at_the_last_allowed_value_is_read() {
    type Case = (&'static str, fn() -> Transaction, fn(&mut Fields));
    let cases: [Case; 8] = [
        ("the nonce 2^64-2", legacy, |f| f[0] = leaf(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])),
        ("a price of 32 bytes", legacy, |f| f[1] = leaf(&[0xff; 32])),
        ("a contract's creation", legacy, |f| f[3] = leaf(&[])),
        ("a chain of eight bytes", legacy, |f| f[6] = leaf(&[0xff; 8])),
        ("a priority as high as the maximum", dynamic_fee, |f| f[2] = f[3].clone()),
        ("32 blobs", blob, |f| f[10] = Tree::Branch(vec![leaf(&[1; 32]); 32])),
        ("an authorization for any chain", set_code, |f| f[9].branch()[0].branch()[0] = leaf(&[])),
        ("an authorization's parity of 255, which a chain skips", set_code, |f| f[9].branch()[0].branch()[3] = leaf(&[255])),
    ];
    for (what, good, edit) in cases {
        let payload = edited(&good(), edit);

        let read = Transaction::read(&payload);

        assert_eq!(read.map(|read| read.payload()), Ok(payload), "{what}");
    }
}

#[test]
fn a_payload_in_another_encoding_is_refused() {
    let legacy = legacy().payload();
    let typed = dynamic_fee().payload();
    let with_first = |first: u8| [&[first], &typed[1..]].concat();
    let mut out = Writer::new(None, 0);
    out.bytes(&typed);
    let within_a_string = out.finish();
    // The example of EIP-155 is a list of 44 bytes whose first field is 0x09, and whose second is 0x85 and five bytes.
    let cases: [(&str, Vec<u8>); 20] = [
        ("nothing", vec![]),
        ("a type and nothing", vec![2]),
        ("an empty list", vec![0xc0]),
        ("empty bytes", vec![0x80]),
        ("a byte that trails", [&legacy[..], &[0]].concat()),
        ("a byte that trails a type's list", [&typed[..], &[0]].concat()),
        ("a byte too few", legacy[..legacy.len() - 1].to_vec()),
        ("a transaction twice", [&legacy[..], &legacy].concat()),
        ("a list's length in long form", [&[0xf8, 0x2c], &legacy[1..]].concat()),
        ("a list's length with a leading zero", [&[0xf9, 0x00, 0x2c], &legacy[1..]].concat()),
        ("a byte with a length of its own", [&[0xed, 0x81, 0x09], &legacy[2..]].concat()),
        ("a number's length in long form", [&[0xed, 0x09, 0xb8, 0x05], &legacy[3..]].concat()),
        ("the type and its list within a string", within_a_string),
        ("the type 0x00", with_first(0)),
        ("the type 0x05", with_first(5)),
        ("the type 0x7f", with_first(0x7f)),
        ("the type 0x80", with_first(0x80)),
        ("the type 0xff", with_first(0xff)),
        ("the fields of 1559 as 2930", with_first(1)),
        ("the fields of 1559 as 4844", with_first(3)),
    ];
    for (what, bad) in cases {
        assert!(Transaction::read(&bad).is_err(), "{what}");
    }
    assert!(Transaction::read(&legacy).is_ok() && Transaction::read(&typed).is_ok());
}

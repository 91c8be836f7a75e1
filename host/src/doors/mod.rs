//! Where programs come in: each kind of agent has a door, which alone knows how such a program is run and speaks. Behind it there is a
//! [`Session`](crate::session::Session), whatever the kind.

pub(crate) mod wasm;

//! Three parties as three processes, a host's side, and whoever attacks them.

mod attacks;
mod chain;
mod crashes;
mod fixture;
mod links;
mod network;
mod outages;
mod storms;
mod wallets;

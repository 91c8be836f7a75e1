//! Three parties as three processes, a host's side, and whoever attacks them.

mod attacks;
mod crashes;
mod fixture;
mod links;
mod outages;
mod wallets;

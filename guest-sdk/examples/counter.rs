//! Counts its runs, and says what the one before has seen last. A table `[state]` in its manifest lets it.

use strongroom_guest::{Error, state};

fn main() -> Result<(), Error> {
    let number = state::increment("runs", 1)?;
    let before = state::get("last-block")?.map(|block| String::from_utf8_lossy(&block).into_owned());
    state::set("last-block", "19234567")?;
    println!("run {number}, after {before:?}");
    Ok(())
}

//! How long a host waits for what it shares with others.

use super::SharedError;
use std::time::Duration;

/// Longer than any store takes that works, and shorter than agents wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was asked for; or that there was no response in time.
pub(crate) async fn within<T, E: From<SharedError>>(asked: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    for_at_most(PATIENCE, asked).await
}

async fn for_at_most<T, E: From<SharedError>>(patience: Duration, asked: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let silent = || SharedError::Unavailable(format!("no answer within {} s", patience.as_secs()));
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err(silent().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_is_an_error() {
        let silent = std::future::pending::<Result<(), SharedError>>();

        let waited = for_at_most(Duration::ZERO, silent).await;

        assert!(matches!(waited, Err(SharedError::Unavailable(_))), "{waited:?}");
        assert_eq!(for_at_most(Duration::ZERO, async { Ok::<_, SharedError>(7) }).await, Ok(7), "what is there is taken");
    }
}

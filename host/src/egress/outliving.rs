//! A request whose response may bring the only refresh token that there is: it is received to its end, and the token written down, though the
//! agent waits no longer or is gone.

use super::prepare::Prepared;
use super::refusal::{Answer, Broke};
use super::{Error, Outbound, PATIENCE, Timeouts, way};
use http::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot::{self, Sender};

/// How long a response is waited for whose agent is gone.
const GRACE: Duration = Duration::from_secs(10);

/// Sends it in a task of its own.
pub(super) async fn send(outbound: Arc<Outbound>, prepared: Prepared, timeouts: Timeouts) -> Result<Response<Answer>, Broke> {
    let (tell, told) = oneshot::channel();
    // How long the agent waits bounds its own waiting, not what is received: the head is handed on when the whole response is there.
    let own = Timeouts { first_byte: timeouts.first_byte.max(PATIENCE), between_bytes: timeouts.between_bytes.max(PATIENCE) };
    let session = Arc::clone(&outbound.session);
    session.keyring.outliving(to_its_end(outbound, prepared, own, tell));
    match tokio::time::timeout(timeouts.first_byte, told).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::Terminated.into()),
        Err(_) => Err(Error::AnswerTimeout.into()),
    }
}

async fn to_its_end(outbound: Arc<Outbound>, prepared: Prepared, timeouts: Timeouts, mut tell: Sender<Result<Response<Answer>, Broke>>) {
    let answer = {
        let gone = async {
            tell.closed().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            answer = way(outbound, prepared, timeouts) => answer,
            () = gone => return,
        }
    };
    // Where nobody takes it, it ends here, with its record.
    let _ = tell.send(answer);
}

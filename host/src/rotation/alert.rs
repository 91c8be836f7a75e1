//! Alerts that are posted to the operator's own address.

use crate::errand::Errand;
use http::HeaderMap;
use reqwest::Client;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long posts under way are waited for at the end. None is repeated: the audit log has it too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where alerts are posted to.
pub(super) struct Webhook {
    http: Client,
    url: String,
    under_way: TaskTracker,
}

impl Webhook {
    pub(super) fn new(url: &str, authorities: &[PathBuf]) -> Result<Self, String> {
        let http = Errand::Alert.client(authorities, HeaderMap::new()).map_err(|error| error.to_string())?;
        Ok(Self { http, url: url.to_owned(), under_way: TaskTracker::new() })
    }

    /// Posts `{"rotation": …, "number": …, "alert": …}`, by and by.
    pub(super) fn post(&self, rotation: &str, number: u64, what: &str) {
        let body = serde_json::json!({"rotation": rotation, "number": number, "alert": what}).to_string();
        let post = self.http.post(&self.url).header("content-type", "application/json").body(body);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let posted = self.under_way.track_future(async move {
            match post.send().await {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "the webhook did not accept an alert"),
                // Its text would hold the address, which may hold a secret of its own.
                Err(_) => tracing::warn!("the webhook can't be reached"),
            }
        });
        runtime.spawn(posted);
    }

    /// Waits until what is to be told is told.
    pub(super) async fn close(&self) {
        self.under_way.close();
        let _ = tokio::time::timeout(PATIENCE, self.under_way.wait()).await;
        self.under_way.reopen();
    }
}

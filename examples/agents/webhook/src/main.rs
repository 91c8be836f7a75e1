//! A server that answers a webhook: ordinary `wstd`, and no word of Strongroom. Who called, and that it was not called twice, the host has
//! made sure of before; the secret that does it is not here.

use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let event = request.into_body().contents().await?.len();
    Ok(Response::new(format!("an event of {event} bytes\n").into()))
}

//! A guest whose tokens the crate `oauth2` gets, unmodified: with the client's secret, and once more with the refresh token. `TOKEN-URL API-URL`
//! are its arguments, the placeholder of the secret is in `KEY`.

use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, TokenResponse, TokenUrl};
use strongroom_guest::{Error, http};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let client = BasicClient::new(ClientId::new("bot".to_owned()))
        .set_client_secret(ClientSecret::new(std::env::var("KEY")?))
        .set_token_uri(TokenUrl::new(arguments[0].clone())?)
        .set_auth_type(AuthType::RequestBody);

    let first = client.exchange_client_credentials().request(&send)?;
    println!("lives for {:?}", first.expires_in());
    show(&arguments[1], &first)?;
    let second = client.exchange_refresh_token(first.refresh_token().ok_or("no refresh token")?).request(&send)?;
    show(&arguments[1], &second)
}

fn show(api: &str, token: &impl TokenResponse) -> Result<(), Box<dyn std::error::Error>> {
    let request = http::get(api).header("authorization", format!("Bearer {}", token.access_token().secret()));
    println!("{}", request.send()?.text()?);
    Ok(())
}

/// The library's HTTP client.
fn send(request: HttpRequest) -> Result<HttpResponse, Error> {
    let mut sent = http::request(request.method().as_str(), request.uri().to_string());
    for (name, value) in request.headers() {
        sent = sent.header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    let answer = sent.body(request.into_body()).send()?;
    let mut response = HttpResponse::default();
    *response.status_mut() = answer.status().try_into().map_err(|_| Error::NotText)?;
    for (name, value) in answer.headers() {
        if let (Ok(name), Ok(value)) = (oauth2::http::HeaderName::try_from(name), oauth2::http::HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    *response.body_mut() = answer.bytes()?;
    Ok(response)
}

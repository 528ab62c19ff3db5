//! The OAuth client: everything that is said to the issuer.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What the app asks for: who somebody is, and to read their ToDos. Nothing else.
const SCOPES: [&str; 4] = ["openid", "profile", "email", "read:todo"];

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The issuer as this client sees it.
pub struct Provider {
    http: reqwest::Client,
    issuer: String,
    client_id: String,
    client_secret: SecretString,
    redirect_uri: RedirectUrl,
    discovered: Mutex<Option<Discovered>>,
}

/// What the issuer says about itself (OpenID Connect Discovery section 3).
#[derive(Clone, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: AuthUrl,
    token_endpoint: TokenUrl,
    userinfo_endpoint: String,
    revocation_endpoint: String,
    /// Whether answers name their issuer (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Who somebody is (OpenID Connect Core section 5.3).
#[derive(Clone, Deserialize)]
pub struct Profile {
    pub sub: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub email: String,
}

/// What the issuer gave for a code or a refresh token.
#[derive(Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: Option<String>,
    pub lifetime: Option<Duration>,
}

/// A ToDo as the resource API lists it.
#[derive(Clone, Deserialize)]
pub struct ToDo {
    pub description: String,
    pub status: String,
    pub priority: String,
    pub date: Option<String>,
}

/// Why something did not work, as far as the user can do something about it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("the server does not answer: {0}")]
    Gone(String),
    /// A token, or the code, has expired or was revoked.
    #[error("not valid any more: {0}")]
    Ended(String),
    /// The user may not do that, or not this app in their name.
    #[error("not allowed: {0}")]
    NotAllowed(String),
    #[error("{0}")]
    Unexpected(String),
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        // The URL may carry parameters; users need neither them nor the library's words for them.
        let error = error.without_url();
        if error.is_decode() { Self::Unexpected(error.to_string()) } else { Self::Gone(error.to_string()) }
    }
}

impl Provider {
    /// A client of this issuer; asks it nothing yet.
    ///
    /// # Errors
    /// One line when there can be no HTTP client or the redirect URI is none.
    pub fn new(issuer: &str, client_id: &str, client_secret: &SecretString, redirect_uri: &str) -> Result<Self, String> {
        // Redirects are not followed: the endpoints never send any, and credentials go nowhere else.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(10));
        Ok(Self {
            http: http.build().map_err(|error| error.to_string())?,
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.clone(),
            redirect_uri: RedirectUrl::new(redirect_uri.to_owned()).map_err(|error| error.to_string())?,
            discovered: Mutex::default(),
        })
    }

    /// Its name, as answers carry it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where to send a user who wants to log in, and what to remember until they are back.
    ///
    /// # Errors
    /// [`Trouble::Gone`] when the issuer does not say where that is.
    pub async fn leave(&self) -> Result<(String, CsrfToken, PkceCodeVerifier), Trouble> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&self.discover().await?);
        let request = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        let (url, state) = request.add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned()))).url();
        Ok((url.into(), state, verifier))
    }

    /// Whether an answer with this `iss` is this issuer's (RFC 9207 section 2.4).
    pub async fn is_own_answer(&self, iss: Option<&str>) -> Result<bool, Trouble> {
        Ok(match iss {
            Some(iss) => iss == self.issuer,
            None => !self.discover().await?.authorization_response_iss_parameter_supported,
        })
    }

    /// Buys tokens for a code.
    ///
    /// # Errors
    /// [`Trouble`] by what the issuer answers.
    pub async fn exchange(&self, code: String, verifier: PkceCodeVerifier) -> Result<Tokens, Trouble> {
        let client = self.client(&self.discover().await?);
        let request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        Ok(Tokens::of(&request.request_async(&|request| self.send(request)).await.map_err(token_trouble)?))
    }

    /// Buys new tokens for a refresh token, which is spent by that.
    ///
    /// # Errors
    /// [`Trouble::Ended`] when it was revoked or has expired.
    pub async fn refresh(&self, refresh: String) -> Result<Tokens, Trouble> {
        let client = self.client(&self.discover().await?);
        let refresh = RefreshToken::new(refresh);
        let request = client.exchange_refresh_token(&refresh);
        Ok(Tokens::of(&request.request_async(&|request| self.send(request)).await.map_err(token_trouble)?))
    }

    /// Ends what the app was given (RFC 7009). The crate would refuse: it revokes over https only,
    /// and this issuer may be on loopback.
    ///
    /// # Errors
    /// [`Trouble`] by what the issuer answers.
    pub async fn revoke(&self, tokens: &Tokens) -> Result<(), Trouble> {
        let (token, hint) = match &tokens.refresh {
            Some(refresh) => (refresh, "refresh_token"),
            None => (&tokens.access, "access_token"),
        };
        let request = self.http.post(&self.discover().await?.revocation_endpoint);
        let request = request.basic_auth(&self.client_id, Some(self.client_secret.expose_secret()));
        let response = request.form(&[("token", token.as_str()), ("token_type_hint", hint)]).send().await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(Trouble::Unexpected(format!("revocation answered {status}"))),
        }
    }

    /// Who the access token is for.
    ///
    /// # Errors
    /// [`Trouble`] by what the issuer answers.
    pub async fn profile(&self, tokens: &Tokens) -> Result<Profile, Trouble> {
        self.get(&self.discover().await?.userinfo_endpoint, tokens).await
    }

    /// The user's ToDos, newest first.
    ///
    /// # Errors
    /// [`Trouble::Ended`] when the access token has expired or was revoked.
    pub async fn todos(&self, tokens: &Tokens) -> Result<Vec<ToDo>, Trouble> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<ToDo>,
        }
        let fields = r#"["description","status","priority","date"]"#;
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("fields", fields).finish();
        let list: List = self.get(&format!("{}/api/resource/ToDo?{query}", self.issuer), tokens).await?;
        Ok(list.data)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str, tokens: &Tokens) -> Result<T, Trouble> {
        let response = self.http.get(url).bearer_auth(&tokens.access).send().await?;
        match response.status().as_u16() {
            200 => Ok(response.json().await?),
            401 => Err(Trouble::Ended("the access token is not accepted".into())),
            403 => Err(Trouble::NotAllowed("the access token does not reach that".into())),
            502..=504 => Err(Trouble::Gone(response.status().to_string())),
            _ => Err(Trouble::Unexpected(response.status().to_string())),
        }
    }

    /// Asked once; again after a failure.
    async fn discover(&self) -> Result<Discovered, Trouble> {
        let known = self.discovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let found: Discovered = self.http.get(url).send().await?.error_for_status()?.json().await?;
        if found.issuer != self.issuer {
            return Err(Trouble::Unexpected(format!("{} says that it is {}", self.issuer, found.issuer)));
        }
        *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    fn client(&self, found: &Discovered) -> Client {
        BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.client_secret.expose_secret().to_owned()))
            .set_auth_uri(found.authorization_endpoint.clone())
            .set_token_uri(found.token_endpoint.clone())
            .set_redirect_uri(self.redirect_uri.clone())
    }

    /// Carries the crate's requests over our HTTP client.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
        let response = self.http.execute(request.try_into()?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut reply = HttpResponse::new(response.bytes().await?.to_vec());
        (*reply.status_mut(), *reply.headers_mut()) = (status, headers);
        Ok(reply)
    }
}

impl Tokens {
    fn of(response: &BasicTokenResponse) -> Self {
        Self {
            access: response.access_token().secret().clone(),
            refresh: response.refresh_token().map(|token| token.secret().clone()),
            lifetime: response.expires_in(),
        }
    }
}

type TokenError = RequestTokenError<reqwest::Error, oauth2::basic::BasicErrorResponse>;

fn token_trouble(error: TokenError) -> Trouble {
    use oauth2::basic::BasicErrorResponseType::InvalidGrant;
    match error {
        RequestTokenError::Request(error) => error.into(),
        RequestTokenError::ServerResponse(refusal) if *refusal.error() == InvalidGrant => Trouble::Ended(refusal.to_string()),
        RequestTokenError::ServerResponse(refusal) => Trouble::Unexpected(refusal.to_string()),
        RequestTokenError::Parse(error, _) => Trouble::Unexpected(error.to_string()),
        RequestTokenError::Other(text) => Trouble::Unexpected(text),
    }
}

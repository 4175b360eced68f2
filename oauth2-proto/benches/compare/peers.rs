//! The two published clients, each used the way that its own documentation shows.

/// Crate `oauth2`. Its requests and answers only exist inside of a call that also performs the HTTP
/// exchange, so the build alone is a call whose HTTP client keeps the request and fails, which costs
/// a few instructions more than the build.
pub(crate) mod oauth2 {
    use core::cell::Cell;
    use core::fmt::{self, Debug};
    use core::hint::black_box;

    use ::oauth2::basic::{BasicClient, BasicTokenResponse, BasicTokenType};
    use ::oauth2::{
        AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
        ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
        RedirectUrl, RefreshToken, Scope, StandardTokenResponse, TokenResponse, TokenUrl,
    };
    use http::HeaderValue;
    use http::header::AUTHORIZATION;
    use serde::{Deserialize, Serialize};
    use url::Url;

    use crate::harness::{
        AUTHORIZATION_ENDPOINT, CLIENT_ID, CLIENT_SECRET, Contender, Fixture, Outcome,
        REDIRECT_URI, SCOPES, TOKEN_ENDPOINT,
    };

    pub(crate) struct Oauth2 {
        client:
            BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>,
        state: CsrfToken,
        refresh_token: RefreshToken,
        token: BasicTokenResponse,
    }

    /// What the crate asks for where an answer has members beyond RFC 6749.
    #[derive(Debug, Deserialize, Serialize)]
    struct IdToken {
        id_token: String,
    }

    impl ExtraTokenFields for IdToken {}

    /// As the crate reads an answer after its checks of status and media type, which have no
    /// entrance of their own.
    fn answer<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Outcome<T> {
        Ok(serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body))?)
    }

    impl Oauth2 {
        fn exchange_with<E: core::error::Error + 'static>(
            &self,
            fixture: &Fixture,
            http_client: &impl Fn(HttpRequest) -> Result<HttpResponse, E>,
        ) -> Outcome<BasicTokenResponse> {
            Ok(self
                .client
                .exchange_code(AuthorizationCode::new(fixture.code.clone()))
                .set_pkce_verifier(PkceCodeVerifier::new(fixture.verifier.clone()))
                .request(http_client)?)
        }
    }

    fn pkce(fixture: &mut Fixture) -> Outcome<(PkceCodeChallenge, PkceCodeVerifier, CsrfToken)> {
        let verifier = PkceCodeVerifier::new(fixture.entropy.text()?.as_str()?.to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let state = CsrfToken::new(fixture.entropy.text()?.as_str()?.to_owned());
        Ok((challenge, verifier, state))
    }

    impl Contender for Oauth2 {
        const NAME: &'static str = "oauth2";

        fn new(fixture: &mut Fixture) -> Outcome<Self> {
            Ok(Self {
                client: BasicClient::new(ClientId::new(CLIENT_ID.to_owned()))
                    .set_client_secret(ClientSecret::new(CLIENT_SECRET.to_owned()))
                    .set_auth_uri(AuthUrl::new(AUTHORIZATION_ENDPOINT.to_owned())?)
                    .set_token_uri(TokenUrl::new(TOKEN_ENDPOINT.to_owned())?)
                    .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.to_owned())?),
                state: CsrfToken::new(fixture.state.clone()),
                refresh_token: RefreshToken::new(fixture.refresh_token.clone()),
                token: answer(fixture.small.body())?,
            })
        }

        fn pkce_and_state(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            pkce(fixture)
        }

        fn pkce_and_state_own_generator(&mut self, _: &mut Fixture) -> Outcome<impl Debug> {
            Ok((PkceCodeChallenge::new_random_sha256(), CsrfToken::new_random()))
        }

        fn authorization_url(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let (challenge, verifier, state) = pkce(fixture)?;
            let login = self
                .client
                .authorize_url(|| state)
                .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
                .set_pkce_challenge(challenge)
                .url();
            Ok((login, verifier))
        }

        fn exchange_request(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let kept = Cell::new(None);
            let refused = self
                .client
                .exchange_code(AuthorizationCode::new(fixture.code.clone()))
                .set_pkce_verifier(PkceCodeVerifier::new(fixture.verifier.clone()))
                .request(&|request: HttpRequest| {
                    kept.set(Some(request));
                    Err::<HttpResponse, _>(fmt::Error)
                });
            drop(refused);
            kept.into_inner().ok_or_else(|| "no request was built".into())
        }

        fn small_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            answer::<BasicTokenResponse>(fixture.small.body())
        }

        fn large_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            answer::<StandardTokenResponse<IdToken, BasicTokenType>>(fixture.large.body())
        }

        fn exchange(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let response = Cell::new(Some(fixture.response()?));
            self.exchange_with(fixture, &|request| {
                black_box(&request);
                response.take().ok_or(fmt::Error)
            })
        }

        fn refresh(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let response = Cell::new(Some(fixture.response()?));
            let token: BasicTokenResponse = self
                .client
                .exchange_refresh_token(&self.refresh_token)
                .request(&|request: HttpRequest| {
                    black_box(&request);
                    response.take().ok_or(fmt::Error)
                })?;
            Ok(token)
        }

        /// The crate leaves the callback to the host; this is how its examples read one.
        fn callback(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let url = Url::parse(&fixture.callback)?;
            let code = url
                .query_pairs()
                .find(|(name, _)| name == "code")
                .map(|(_, code)| AuthorizationCode::new(code.into_owned()));
            let state = url
                .query_pairs()
                .find(|(name, _)| name == "state")
                .map(|(_, state)| CsrfToken::new(state.into_owned()));
            match (code, state) {
                (Some(code), Some(state)) if state.secret() == self.state.secret() => Ok(code),
                _ => Err("the callback does not belong to the login".into()),
            }
        }

        /// The crate ends at the text of the token.
        fn bearer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let mut request = fixture.request()?;
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", self.token.access_token().secret()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(request)
        }
    }
}

/// Crate `io-oauth`. It writes and reads HTTP/1.1 itself: its exchanges include the request line,
/// the headers and their parser, and the client secret goes into the body, the only place that its
/// parameters offer. An answer keeps neither an ID token nor other members.
pub(crate) mod io_oauth {
    use core::fmt::Debug;
    use core::hint::black_box;
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet};

    use ::io_oauth::rfc6749::access_token_request::{
        Oauth20AccessTokenRequest, Oauth20AccessTokenRequestParams, Oauth20AccessTokenRequestResult,
    };
    use ::io_oauth::rfc6749::auth_request::Oauth20AuthRequestParams;
    use ::io_oauth::rfc6749::auth_response::Oauth20AuthParams;
    use ::io_oauth::rfc6749::issue_access_token::Oauth20AccessTokenSuccessParams;
    use ::io_oauth::rfc6749::refresh_access_token::{
        Oauth20AccessTokenRefresh, Oauth20AccessTokenRefreshParams, Oauth20AccessTokenRefreshResult,
    };
    use ::io_oauth::rfc6749::state::Oauth20State;
    use ::io_oauth::rfc7636::pkce::{
        Oauth20PkceCodeChallenge, Oauth20PkceCodeChallengeMethod, Oauth20PkceCodeVerifier,
    };
    use http::HeaderValue;
    use http::header::AUTHORIZATION;
    use io_http::rfc6750::bearer::HttpAuthBearer;
    use io_http::rfc9110::request::HttpRequest;
    use secrecy::{ExposeSecret, SecretString};
    use serde::Deserialize;
    use serde::de::value::{Error as StateError, StrDeserializer};
    use url::Url;

    use crate::harness::{
        CLIENT_ID, CLIENT_SECRET, Contender, Fixture, Outcome, REDIRECT_URI, SCOPES, Wire,
    };

    pub(crate) struct IoOauth {
        verifier: Oauth20PkceCodeVerifier,
        state: Oauth20State,
        refresh_token: SecretString,
        token: Oauth20AccessTokenSuccessParams,
    }

    fn verifier(text: &str) -> Outcome<Oauth20PkceCodeVerifier> {
        text.parse().map_err(|byte: u8| format!("byte {byte} in a verifier").into())
    }

    /// The crate makes a state of given text only by deserialising it.
    fn state(text: &str) -> Outcome<Oauth20State> {
        Ok(Oauth20State::deserialize(StrDeserializer::<StateError>::new(text))?)
    }

    fn pkce(fixture: &mut Fixture) -> Outcome<(Oauth20PkceCodeChallenge, Oauth20State)> {
        let challenge = Oauth20PkceCodeChallenge {
            method: Oauth20PkceCodeChallengeMethod::Sha256,
            verifier: verifier(fixture.entropy.text()?.as_str()?)?,
        };
        Ok((challenge, state(fixture.entropy.text()?.as_str()?)?))
    }

    fn answer(body: &[u8]) -> Outcome<Oauth20AccessTokenSuccessParams> {
        Ok(Oauth20AccessTokenSuccessParams::try_from(body)?)
    }

    fn post(fixture: &Fixture) -> HttpRequest {
        let url = fixture.token_endpoint.clone();
        let host = url.host_str().unwrap_or_default().to_owned();
        HttpRequest { method: "POST".into(), url, headers: Vec::new(), body: Vec::new() }
            .header("Host", host)
    }

    impl IoOauth {
        fn exchange_coroutine(&self, fixture: &Fixture) -> Oauth20AccessTokenRequest {
            Oauth20AccessTokenRequest::new(
                post(fixture),
                Oauth20AccessTokenRequestParams {
                    code: Cow::Borrowed(&fixture.code),
                    redirect_uri: Some(REDIRECT_URI.into()),
                    client_id: CLIENT_ID.into(),
                    client_secret: Some(CLIENT_SECRET.into()),
                    pkce_code_verifier: Some(Cow::Borrowed(&self.verifier)),
                },
            )
        }
    }

    impl Contender for IoOauth {
        const NAME: &'static str = "io-oauth";

        fn new(fixture: &mut Fixture) -> Outcome<Self> {
            Ok(Self {
                verifier: verifier(&fixture.verifier)?,
                state: state(&fixture.state)?,
                refresh_token: fixture.refresh_token.as_str().into(),
                token: answer(fixture.small.body())?,
            })
        }

        /// The challenge is computed where it is written out.
        fn pkce_and_state(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let (challenge, state) = pkce(fixture)?;
            Ok((challenge.encode().into_owned(), challenge, state))
        }

        fn pkce_and_state_own_generator(&mut self, _: &mut Fixture) -> Outcome<impl Debug> {
            let challenge = Oauth20PkceCodeChallenge::default();
            Ok((challenge.encode().into_owned(), challenge, Oauth20State::default()))
        }

        fn authorization_url(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let (challenge, state) = pkce(fixture)?;
            let url = Oauth20AuthRequestParams {
                client_id: CLIENT_ID.into(),
                redirect_uri: Some(REDIRECT_URI.into()),
                scope: SCOPES.into_iter().map(Into::into).collect(),
                state: Some(Cow::Borrowed(&state)),
                pkce_code_challenge: Some(Cow::Borrowed(&challenge)),
                extras: BTreeMap::new(),
            }
            .build_url(&fixture.authorization_endpoint);
            Ok((url, challenge, state))
        }

        fn exchange_request(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let yielded = self.exchange_coroutine(fixture).resume(None);
            let Oauth20AccessTokenRequestResult::WantsWrite(bytes) = yielded else {
                return Err(format!("not a request: {yielded:?}").into());
            };
            Ok(Wire(bytes))
        }

        fn small_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            answer(fixture.small.body())
        }

        fn large_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            answer(fixture.large.body())
        }

        fn exchange(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let mut coroutine = self.exchange_coroutine(fixture);
            let mut received = None;
            loop {
                match coroutine.resume(received.take()) {
                    Oauth20AccessTokenRequestResult::WantsWrite(bytes) => {
                        black_box(&bytes);
                    }
                    Oauth20AccessTokenRequestResult::WantsRead => {
                        received = Some(&*fixture.small_message);
                    }
                    Oauth20AccessTokenRequestResult::Ok(Ok(token)) => return Ok(token),
                    Oauth20AccessTokenRequestResult::Ok(Err(refused)) => {
                        return Err(format!("refused: {refused:?}").into());
                    }
                    Oauth20AccessTokenRequestResult::Err(failed) => return Err(failed.into()),
                }
            }
        }

        fn refresh(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let mut coroutine = Oauth20AccessTokenRefresh::new(
                post(fixture),
                Oauth20AccessTokenRefreshParams {
                    client_id: CLIENT_ID.to_owned(),
                    client_secret: Some(CLIENT_SECRET.into()),
                    refresh_token: self.refresh_token.clone(),
                    scopes: BTreeSet::new(),
                },
            );
            let mut received = None;
            loop {
                match coroutine.resume(received.take()) {
                    Oauth20AccessTokenRefreshResult::WantsWrite(bytes) => {
                        black_box(&bytes);
                    }
                    Oauth20AccessTokenRefreshResult::WantsRead => {
                        received = Some(&*fixture.small_message);
                    }
                    Oauth20AccessTokenRefreshResult::Ok(Ok(token)) => return Ok(token),
                    Oauth20AccessTokenRefreshResult::Ok(Err(refused)) => {
                        return Err(format!("refused: {refused:?}").into());
                    }
                    Oauth20AccessTokenRefreshResult::Err(failed) => return Err(failed.into()),
                }
            }
        }

        fn callback(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let url = Url::parse(&fixture.callback)?;
            match Oauth20AuthParams::from(&url).validate(Some(&self.state)) {
                Ok(code) => Ok(code.into_owned()),
                Err(refused) => Err(refused.to_string().into()),
            }
        }

        /// `io-http`, its sister crate, writes the value; a request of crate `http` receives it.
        fn bearer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
            let mut request = fixture.request()?;
            let bearer = HttpAuthBearer::new(self.token.access_token.expose_secret());
            let mut value = HeaderValue::try_from(bearer.to_authorization())?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(request)
        }
    }
}

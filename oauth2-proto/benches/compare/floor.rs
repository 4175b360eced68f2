//! The unavoidable work, by hand: hash, encode, write each byte once, or let `serde_json` fill a
//! plain struct. It checks nothing, keeps nothing secret and reports no error of its own, so no
//! client can be expected to reach it.

use core::fmt::Debug;
use core::hint::black_box;
use core::iter;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::form_urlencoded::{byte_serialize, parse};

use crate::harness::{
    AUTHORIZATION_ENDPOINT, CLIENT_ID, CLIENT_SECRET, Contender, Fixture, Outcome, REDIRECT_URI,
    RandomText, SCOPES, Wire,
};

pub(crate) struct Floor {
    basic: HeaderValue,
    bearer: HeaderValue,
}

/// The token request as its two variable parts; URL and remaining headers are constants.
#[derive(Debug)]
#[expect(dead_code, reason = "built, shown and dropped")]
struct Request {
    authorization: HeaderValue,
    body: Wire,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, shown and dropped")]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read, shown and dropped")]
struct OpenIdAnswer {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
    scope: Option<String>,
    id_token: Option<String>,
}

#[derive(Debug)]
struct Login {
    verifier: RandomText,
    challenge: RandomText,
    state: RandomText,
}

impl Login {
    fn new(fixture: &mut Fixture) -> Outcome<Self> {
        let verifier = fixture.entropy.text()?;
        let challenge = RandomText::encode(&Sha256::digest(verifier.as_bytes()).into())?;
        Ok(Self { verifier, challenge, state: fixture.entropy.text()? })
    }
}

impl Floor {
    fn request(&self, parameters: &[(&str, &str)]) -> Request {
        Request { authorization: self.basic.clone(), body: Wire(form("", parameters).into_bytes()) }
    }
}

fn basic() -> Outcome<HeaderValue> {
    let mut userpass = String::with_capacity(CLIENT_ID.len() + CLIENT_SECRET.len() + 1);
    userpass.extend(byte_serialize(CLIENT_ID.as_bytes()));
    userpass.push(':');
    userpass.extend(byte_serialize(CLIENT_SECRET.as_bytes()));
    sensitive(format!("Basic {}", STANDARD.encode(userpass)))
}

fn sensitive(text: String) -> Outcome<HeaderValue> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Names are constants that need no encoding.
fn form(prefix: &str, parameters: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(384);
    text.push_str(prefix);
    for ((name, value), separator) in parameters.iter().zip(iter::once("").chain(iter::repeat("&")))
    {
        text.push_str(separator);
        text.push_str(name);
        text.push('=');
        if value.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            text.push_str(value);
        } else {
            text.extend(byte_serialize(value.as_bytes()));
        }
    }
    text
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_')
}

fn answer<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Outcome<T> {
    Ok(serde_json::from_slice(body)?)
}

impl Contender for Floor {
    const NAME: &'static str = "floor";

    fn new(_: &mut Fixture) -> Outcome<Self> {
        Ok(Self { basic: basic()?, bearer: sensitive("Bearer 2YotnFZFEjr1zCsicMWpAA".to_owned())? })
    }

    fn pkce_and_state(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        Login::new(fixture)
    }

    fn authorization_url(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let login = Login::new(fixture)?;
        let scope = SCOPES.join(" ");
        let url = form(
            AUTHORIZATION_ENDPOINT,
            &[
                ("?response_type", "code"),
                ("client_id", CLIENT_ID),
                ("redirect_uri", REDIRECT_URI),
                ("scope", &scope),
                ("state", login.state.as_str()?),
                ("code_challenge", login.challenge.as_str()?),
                ("code_challenge_method", "S256"),
            ],
        );
        Ok((url, login.verifier, login.state))
    }

    fn exchange_request(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        Ok(self.request(&[
            ("grant_type", "authorization_code"),
            ("code", &fixture.code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", &fixture.verifier),
        ]))
    }

    fn small_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        answer::<Answer>(fixture.small.body())
    }

    fn large_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        answer::<OpenIdAnswer>(fixture.large.body())
    }

    fn exchange(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let request = self.exchange_request(fixture)?;
        black_box(&request);
        drop(request);
        answer::<Answer>(fixture.small.body())
    }

    fn refresh(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let request = self
            .request(&[("grant_type", "refresh_token"), ("refresh_token", &fixture.refresh_token)]);
        black_box(&request);
        drop(request);
        answer::<Answer>(fixture.small.body())
    }

    fn callback(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let (_, query) = fixture.callback.split_once('?').unwrap_or_default();
        let mut code = String::new();
        let mut same = false;
        for (name, value) in parse(query.as_bytes()) {
            match &*name {
                "code" => code = value.into_owned(),
                "state" => same = value == fixture.state.as_str(),
                _ => {}
            }
        }
        Ok((code, same))
    }

    fn bearer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let mut request = fixture.request()?;
        request.headers_mut().insert(AUTHORIZATION, self.bearer.clone());
        Ok(request)
    }
}

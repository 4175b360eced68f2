//! This crate, by its documented transitions: what one call hands out, the next one takes.
//!
//! A verifier and a state are never made alone, only by the `begin` that puts them into a URL. What
//! a transition takes by value is made in [`restock`](Contender::restock), by the transitions
//! before it. Each outcome is the state that a host would keep, so an exchange ends with tokens
//! that know when to be refreshed, and with what.

use core::fmt::Debug;
use core::hint::black_box;

use oauth2_proto::{
    Authorized, AwaitingCallback, AwaitingToken, Callback, Client, Code, Server, Timestamp,
};

use crate::harness::{
    AUTHORIZATION_ENDPOINT, CLIENT_ID, CLIENT_SECRET, Contender, Fixture, NotOffered, Outcome,
    REDIRECT_URI, STOCK, TOKEN_ENDPOINT,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
/// The scopes of the harness, as this crate takes them.
const SCOPE: &str = "email photos profile";

pub(crate) struct Ours {
    client: Client,
    pending: AwaitingCallback,
    authorized: Authorized,
    codes: Vec<Code>,
    awaiting: Vec<AwaitingToken>,
    authorizeds: Vec<Authorized>,
}

impl Ours {
    fn code(&self, fixture: &Fixture) -> Outcome<Code> {
        Ok(self.pending.accept(&self.client, Callback::url(&fixture.callback), NOW)?)
    }

    fn redeemed(&self, fixture: &Fixture) -> Outcome<AwaitingToken> {
        Ok(self.code(fixture)?.redeem(&self.client, NOW)?.1)
    }
}

/// A login that awaits the callback of the fixture, loaded the way a host loads one.
fn pending(client: &Client, fixture: &mut Fixture) -> Outcome<AwaitingCallback> {
    let (_, pending) =
        client.authorize(REDIRECT_URI).scope(SCOPE).begin(&mut fixture.entropy, NOW)?;
    let mut stored = serde_json::to_value(&pending)?;
    for (name, value) in [("pending/state", &fixture.state), ("verifier", &fixture.verifier)] {
        *stored
            .pointer_mut(&format!("/V1/AwaitingCallback/{name}"))
            .ok_or("a pending login is stored in another format")? = value.as_str().into();
    }
    Ok(serde_json::from_value(stored)?)
}

impl Contender for Ours {
    const NAME: &'static str = "oauth2-proto";

    fn new(fixture: &mut Fixture) -> Outcome<Self> {
        let server = Server::new(AUTHORIZATION_ENDPOINT, TOKEN_ENDPOINT)?;
        let client = Client::new(CLIENT_ID, server).with_secret(CLIENT_SECRET);
        let pending = pending(&client, fixture)?;
        let code = pending.accept(&client, Callback::url(&fixture.callback), NOW)?;
        let (_, awaiting) = code.redeem(&client, NOW)?;
        let authorized = awaiting.receive(&client, &fixture.small, NOW)?;
        Ok(Self {
            client,
            pending,
            authorized,
            codes: Vec::with_capacity(STOCK),
            awaiting: Vec::with_capacity(STOCK),
            authorizeds: Vec::with_capacity(STOCK),
        })
    }

    fn restock(&mut self, fixture: &mut Fixture, size: usize) -> Outcome<()> {
        while self.codes.len() < size {
            self.codes.push(self.code(fixture)?);
        }
        while self.awaiting.len() < size {
            self.awaiting.push(self.redeemed(fixture)?);
        }
        while self.authorizeds.len() < size {
            let awaiting = self.redeemed(fixture)?;
            self.authorizeds.push(awaiting.receive(&self.client, &fixture.small, NOW)?);
        }
        Ok(())
    }

    fn pkce_and_state(&mut self, _: &mut Fixture) -> Outcome<impl Debug> {
        Err::<(), _>(NotOffered.into())
    }

    fn authorization_url(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let login = self.client.authorize(REDIRECT_URI).scope(SCOPE);
        Ok(login.begin(&mut fixture.entropy, NOW)?)
    }

    fn exchange_request(&mut self, _: &mut Fixture) -> Outcome<impl Debug> {
        let code = self.codes.pop().ok_or(EMPTY)?;
        Ok(code.redeem(&self.client, NOW)?)
    }

    fn small_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let awaiting = self.awaiting.pop().ok_or(EMPTY)?;
        Ok(awaiting.receive(&self.client, &fixture.small, NOW)?)
    }

    fn large_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let awaiting = self.awaiting.pop().ok_or(EMPTY)?;
        Ok(awaiting.receive(&self.client, &fixture.large, NOW)?)
    }

    fn exchange(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let code = self.codes.pop().ok_or(EMPTY)?;
        let (request, awaiting) = code.redeem(&self.client, NOW)?;
        black_box(&request);
        drop(request);
        Ok(awaiting.receive(&self.client, &fixture.response()?, NOW)?)
    }

    fn refresh(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let authorized = self.authorizeds.pop().ok_or(EMPTY)?;
        let (request, refreshing) = authorized.refresh(&self.client, NOW)?;
        black_box(&request);
        drop(request);
        Ok(refreshing.receive(&self.client, &fixture.response()?, NOW)?)
    }

    fn callback(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        self.code(fixture)
    }

    fn bearer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug> {
        let mut request = fixture.request()?;
        self.authorized.attach(&self.client, &mut request, NOW)?;
        Ok(request)
    }
}

const EMPTY: &str = "the stock of logins is used up";

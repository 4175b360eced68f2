//! A login from its beginning to its first refresh, in a module that imports nothing: its host
//! (`host.mjs`) hands in the clock, the randomness and what it has received, and is told what to
//! send.
//!
//! Bytes cross in one buffer. The host asks for room with [`buffer`], writes, and calls a
//! transition with the time in Unix seconds. What that has to say is in the buffer afterwards; its
//! length comes back, or -1 when the transition was refused.

use std::cell::{Cell, RefCell};

use http::Response;
use oauth2_proto::{
    Authorized, AwaitingCallback, AwaitingToken, Callback, Client, Error, Misuse, Refreshing,
    Server, Timestamp,
};
use rand::{TryCryptoRng, TryRng};

enum Login {
    None,
    AwaitingCallback(AwaitingCallback),
    AwaitingToken(AwaitingToken),
    Authorized(Authorized),
    Refreshing(Refreshing),
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static LOGIN: Cell<Login> = const { Cell::new(Login::None) };
}

/// Makes room for this many bytes of the host, and says where.
#[unsafe(no_mangle)]
extern "C" fn buffer(length: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(length, 0);
        buffer.as_mut_ptr()
    })
}

/// Where the buffer is, after a transition has filled it.
#[unsafe(no_mangle)]
extern "C" fn said() -> *const u8 {
    BUFFER.with_borrow(Vec::as_ptr)
}

/// Takes random bytes; says which URL to visit.
#[unsafe(no_mangle)]
extern "C" fn begin(now: u64) -> isize {
    transition(|client, _, random| {
        let login = client.authorize("https://app.example/callback").scope("read write");
        let (url, pending) = login.begin(&mut HostRandom(random), at(now))?;
        Ok((Login::AwaitingCallback(pending), String::from(url).into_bytes()))
    })
}

/// Takes the callback's URL; says what to post to the token endpoint. A refusal leaves the login
/// pending.
#[unsafe(no_mangle)]
extern "C" fn accept(now: u64) -> isize {
    transition(|client, login, callback| {
        let Login::AwaitingCallback(pending) = login else { return Err(Misuse::NoRequest.into()) };
        let callback = str::from_utf8(callback).unwrap_or_default();
        let code = match pending.accept(client, Callback::url(callback), at(now)) {
            Ok(code) => code,
            Err(error) => {
                LOGIN.set(Login::AwaitingCallback(pending));
                return Err(error);
            }
        };
        let (request, awaiting) = code.redeem(client, at(now))?;
        Ok((Login::AwaitingToken(awaiting), request.into_body().into_vec()))
    })
}

/// Takes the token endpoint's answer to a code or a refresh token; says the access token.
#[unsafe(no_mangle)]
extern "C" fn receive(now: u64) -> isize {
    transition(|client, login, body| {
        let response = Response::new(body);
        let tokens = match login {
            Login::AwaitingToken(awaiting) => awaiting.receive(client, &response, at(now))?,
            Login::Refreshing(refreshing) => refreshing.receive(client, &response, at(now))?,
            Login::None | Login::AwaitingCallback(_) | Login::Authorized(_) => {
                return Err(Misuse::NoRequest.into());
            }
        };
        let token = tokens.token(at(now)).map_or("", |token| token.expose()).into();
        Ok((Login::Authorized(tokens), token))
    })
}

/// Says what to post to the token endpoint for new tokens.
#[unsafe(no_mangle)]
extern "C" fn refresh(now: u64) -> isize {
    transition(|client, login, _| {
        let Login::Authorized(tokens) = login else { return Err(Misuse::NotRenewable.into()) };
        let (request, refreshing) = tokens.refresh(client, at(now))?;
        Ok((Login::Refreshing(refreshing), request.into_body().into_vec()))
    })
}

/// Takes the login and the buffer, and puts back what the step makes of them.
fn transition(
    step: impl FnOnce(&Client, Login, &[u8]) -> Result<(Login, Vec<u8>), Error>,
) -> isize {
    let heard = BUFFER.take();
    let done = Server::new("https://as.example/authorize", "https://as.example/token")
        .map_err(Error::from)
        .and_then(|server| step(&Client::new("wasm", server), LOGIN.take(), &heard));
    let Ok((login, said)) = done else { return -1 };
    LOGIN.set(login);
    BUFFER.with_borrow_mut(|buffer| {
        *buffer = said;
        buffer.len().cast_signed()
    })
}

fn at(now: u64) -> Timestamp {
    Timestamp::from_unix_seconds(now)
}

impl Default for Login {
    fn default() -> Self {
        Self::None
    }
}

/// The random bytes that the host has handed in, each given out once.
struct HostRandom<'a>(&'a [u8]);

/// There were not enough of them.
#[derive(Debug)]
struct Spent;

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host has handed in too few random bytes")
    }
}

impl std::error::Error for Spent {}

impl TryRng for HostRandom<'_> {
    type Error = Spent;

    fn try_next_u32(&mut self) -> Result<u32, Spent> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Spent> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Spent> {
        to.copy_from_slice(self.0.split_off(..to.len()).ok_or(Spent)?);
        Ok(())
    }
}

impl TryCryptoRng for HostRandom<'_> {}

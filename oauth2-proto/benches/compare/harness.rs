//! What every contender works on and how one is measured: the inputs, the cheap shared entropy, the
//! slot that a contender fills, and the loops behind the allocation, time and instruction counts.

use core::convert::Infallible;
use core::error::Error;
use core::fmt::{self, Debug};
use core::hint::black_box;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::{TryCryptoRng, TryRng};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats};
use url::Url;

pub(crate) const CLIENT_ID: &str = "s6BhdRkqt3";
pub(crate) const CLIENT_SECRET: &str = "7Fjfp0ZBr1KtDRbnfVdmIw";
pub(crate) const AUTHORIZATION_ENDPOINT: &str = "https://server.example.com/authorize";
pub(crate) const TOKEN_ENDPOINT: &str = "https://server.example.com/token";
pub(crate) const REDIRECT_URI: &str = "https://client.example.org/cb";
pub(crate) const SCOPES: [&str; 3] = ["email", "photos", "profile"];
const CODE: &str = "SplxlOBeZQQYbYS6WxSbIA";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const STATE: &str = "af0ifjsldkjVkqwhF8f2mUqZw3oYtJ6xvR1bNcD4eGh";
const REFRESH_TOKEN: &str = "tGzv3JOkF0XG5Qx2TlKWIA";

/// The answer that RFC 6749 §5.1 shows, with the scope beside it.
const SMALL: &str = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"email photos profile"}"#;
const LARGE_BYTES: usize = 8 * 1024;

/// Operations in one timed batch: few enough for their inputs to stay in the processor's caches.
const BATCH: usize = 200;
const BATCHES: usize = 251;

/// The upper limit of `--iterations`. Inputs that a crate takes by value are made before the first
/// operation, so many of them, so that making them is never part of a measurement.
pub(crate) const STOCK: usize = 1_100;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    PkceAndState,
    PkceAndStateOwnGenerator,
    AuthorizationUrl,
    ExchangeRequest,
    SmallAnswer,
    LargeAnswer,
    Exchange,
    Refresh,
    Callback,
    Bearer,
}

impl Operation {
    pub(crate) const ALL: [Self; 10] = [
        Self::PkceAndState,
        Self::PkceAndStateOwnGenerator,
        Self::AuthorizationUrl,
        Self::ExchangeRequest,
        Self::SmallAnswer,
        Self::LargeAnswer,
        Self::Exchange,
        Self::Refresh,
        Self::Callback,
        Self::Bearer,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PkceAndState => "pkce-and-state",
            Self::PkceAndStateOwnGenerator => "pkce-and-state-own-generator",
            Self::AuthorizationUrl => "authorization-url",
            Self::ExchangeRequest => "exchange-request",
            Self::SmallAnswer => "small-answer",
            Self::LargeAnswer => "large-answer",
            Self::Exchange => "exchange",
            Self::Refresh => "refresh",
            Self::Callback => "callback",
            Self::Bearer => "bearer",
        }
    }
}

/// One side of the comparison. Each operation is the way that the crate documents, from the inputs
/// in the [`Fixture`] to a value that a host could go on with; dropping that value is counted.
pub(crate) trait Contender: Sized {
    const NAME: &'static str;

    /// What a host does once per process: not measured.
    fn new(fixture: &mut Fixture) -> Outcome<Self>;

    /// Makes what the next `size` operations consume, such as pending logins: not measured.
    fn restock(&mut self, _: &mut Fixture, _size: usize) -> Outcome<()> {
        Ok(())
    }

    /// A fresh verifier, its S256 challenge and a fresh state, from [`Fixture::entropy`].
    fn pkce_and_state(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// The same from the generator that the crate brings along.
    fn pkce_and_state_own_generator(&mut self, _: &mut Fixture) -> Outcome<impl Debug> {
        Err::<Infallible, _>(NotOffered.into())
    }

    /// [`Self::pkce_and_state`] and the authorization URL that carries them.
    fn authorization_url(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// The token request of a code exchange: confidential client, redirect URI, verifier.
    fn exchange_request(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// Reads [`Fixture::small`].
    fn small_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// Reads [`Fixture::large`]; the ID token is kept where the crate can keep it.
    fn large_answer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// [`Self::exchange_request`], then the small answer.
    fn exchange(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// The token request of a refresh, then the small answer.
    fn refresh(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// [`Fixture::callback`] to the code in it, with the state compared.
    fn callback(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;

    /// A token that was received earlier onto a request from [`Fixture::request`].
    fn bearer(&mut self, fixture: &mut Fixture) -> Outcome<impl Debug>;
}

/// The crate has nothing for the operation: the table shows a dash.
#[derive(Debug)]
pub(crate) struct NotOffered;

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the crate does not offer this")
    }
}

impl Error for NotOffered {}

/// Bytes for the wire, readable in `--show`.
pub(crate) struct Wire(pub(crate) Vec<u8>);

impl Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The inputs. A body comes in three forms: plain bytes, an `http::Response` (borrowed, or owned
/// from a stock made in advance), and the HTTP/1.1 message for crates that read the socket's bytes.
pub(crate) struct Fixture {
    pub(crate) entropy: Entropy,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) code: String,
    pub(crate) verifier: String,
    pub(crate) state: String,
    pub(crate) refresh_token: String,
    pub(crate) callback: String,
    pub(crate) small: http::Response<Vec<u8>>,
    pub(crate) large: http::Response<Vec<u8>>,
    pub(crate) small_message: Vec<u8>,
    responses: Vec<http::Response<Vec<u8>>>,
    requests: Vec<http::Request<()>>,
}

impl Fixture {
    pub(crate) fn new() -> Outcome<Self> {
        let large = large_body();
        if large.len() != LARGE_BYTES {
            return Err("the large answer has the wrong size".into());
        }
        Ok(Self {
            entropy: Entropy(0x9E37_79B9_7F4A_7C15),
            authorization_endpoint: Url::parse(AUTHORIZATION_ENDPOINT)?,
            token_endpoint: Url::parse(TOKEN_ENDPOINT)?,
            code: CODE.to_owned(),
            verifier: VERIFIER.to_owned(),
            state: STATE.to_owned(),
            refresh_token: REFRESH_TOKEN.to_owned(),
            callback: format!("{REDIRECT_URI}?code={CODE}&state={STATE}"),
            small: response(SMALL)?,
            large: response(&large)?,
            small_message: format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
                 content-length: {}\r\n\r\n{SMALL}",
                SMALL.len()
            )
            .into_bytes(),
            responses: Vec::with_capacity(STOCK),
            requests: Vec::with_capacity(STOCK),
        })
    }

    /// The small answer, by value.
    pub(crate) fn response(&mut self) -> Outcome<http::Response<Vec<u8>>> {
        self.responses.pop().ok_or_else(|| "the stock of responses is used up".into())
    }

    /// A request of a host's own, by value: one header on it, no `Authorization`.
    pub(crate) fn request(&mut self) -> Outcome<http::Request<()>> {
        self.requests.pop().ok_or_else(|| "the stock of requests is used up".into())
    }

    fn restock(&mut self, size: usize) -> Outcome<()> {
        while self.responses.len() < size {
            self.responses.push(response(SMALL)?);
        }
        while self.requests.len() < size {
            self.requests.push(
                http::Request::get("https://api.example.com/resource")
                    .header(http::header::ACCEPT, "application/json")
                    .body(())?,
            );
        }
        Ok(())
    }
}

fn response(body: &str) -> Outcome<http::Response<Vec<u8>>> {
    Ok(http::Response::builder()
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::CACHE_CONTROL, "no-store")
        .body(body.as_bytes().to_vec())?)
}

/// An answer of the kind that a large OpenID provider sends: JWTs as tokens, and members of its own.
fn large_body() -> String {
    let access_token = "eyJhbGciOiJSUzI1NiJ9.".to_owned() + &"QWNjZXNz".repeat(225);
    let refresh_token = "0.AX".to_owned() + &"UmVmcmVz".repeat(120);
    let head = format!(
        r#"{{"token_type":"Bearer","scope":"email photos profile","expires_in":3600,"ext_expires_in":3600,"not-before-policy":0,"session_state":"4d3f5c1e-7a0b-4a57-9d86-0f6a5c0c7a11","account":{{"tenant":"example","groups":["a","b","c"],"active":true}},"access_token":"{access_token}","refresh_token":"{refresh_token}","id_token":""#
    );
    let tail = r#""}"#;
    let filler = LARGE_BYTES.saturating_sub(head.len() + tail.len());
    head + &"SWRUb2tl".chars().cycle().take(filler).collect::<String>() + tail
}

/// A generator so cheap that it vanishes beside the work (xorshift64). It predicts itself: it is
/// marked as cryptographic only because the measured interfaces ask for that.
pub(crate) struct Entropy(u64);

impl Entropy {
    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let Ok(()) = self.try_fill_bytes(&mut bytes);
        bytes
    }

    /// 32 bytes as base64url, in place: what a host passes to a crate that takes text.
    pub(crate) fn text(&mut self) -> Outcome<RandomText> {
        RandomText::encode(&self.bytes())
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let next = self.try_next_u64()?;
        Ok(u32::try_from(next >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            for (byte, next) in chunk.iter_mut().zip(self.try_next_u64()?.to_le_bytes()) {
                *byte = next;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Entropy {}

/// 43 characters of base64url without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct RandomText([u8; 43]);

impl RandomText {
    pub(crate) fn encode(bytes: &[u8; 32]) -> Outcome<Self> {
        let mut text = [0; 43];
        URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).map_err(|error| error.to_string())?;
        Ok(Self(text))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 43] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> Outcome<&str> {
        Ok(core::str::from_utf8(&self.0)?)
    }
}

impl Debug for RandomText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Per operation. `allocations` are calls to `alloc` and `alloc_zeroed`, `reallocations` calls to
/// `realloc` (not part of the former); `bytes` is what the former asked for plus what the latter
/// grew by. All three are zero in a program that does not install the counting allocator.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) allocations: usize,
    pub(crate) reallocations: usize,
    pub(crate) bytes: usize,
    pub(crate) nanoseconds: u128,
}

/// What is asked of a contender.
pub(crate) enum Task {
    /// The operation so many times over, after a start-up whose cost does not depend on the number.
    Repeat(usize),
    /// The outcome of one operation, to see that the contenders do the same.
    Show,
    /// Allocations and time.
    Measure,
}

pub(crate) enum Report {
    Done,
    Shown(String),
    Measured(Measured),
}

/// One operation: its outcome is observed, shown if asked for, and dropped.
macro_rules! step {
    ($operation:ident) => {
        |contender: &mut C, fixture: &mut Fixture, shown: Option<&mut String>| {
            let outcome = contender.$operation(fixture)?;
            black_box(&outcome);
            if let Some(shown) = shown {
                *shown = format!("{outcome:?}");
            }
            Ok(())
        }
    };
}

pub(crate) fn perform<C: Contender>(operation: Operation, task: &Task) -> Outcome<Report> {
    match operation {
        Operation::PkceAndState => carry_out(task, step!(pkce_and_state)),
        Operation::PkceAndStateOwnGenerator => carry_out(task, step!(pkce_and_state_own_generator)),
        Operation::AuthorizationUrl => carry_out(task, step!(authorization_url)),
        Operation::ExchangeRequest => carry_out(task, step!(exchange_request)),
        Operation::SmallAnswer => carry_out(task, step!(small_answer)),
        Operation::LargeAnswer => carry_out(task, step!(large_answer)),
        Operation::Exchange => carry_out(task, step!(exchange)),
        Operation::Refresh => carry_out(task, step!(refresh)),
        Operation::Callback => carry_out(task, step!(callback)),
        Operation::Bearer => carry_out(task, step!(bearer)),
    }
}

fn carry_out<C: Contender>(
    task: &Task,
    step: impl Fn(&mut C, &mut Fixture, Option<&mut String>) -> Outcome<()>,
) -> Outcome<Report> {
    let mut fixture = Fixture::new()?;
    let mut contender = C::new(&mut fixture)?;
    match *task {
        Task::Repeat(iterations) if iterations > STOCK => {
            Err(format!("--iterations goes up to {STOCK}").into())
        }
        Task::Repeat(iterations) => {
            fixture.restock(STOCK)?;
            contender.restock(&mut fixture, STOCK)?;
            for _ in 0..iterations {
                step(&mut contender, black_box(&mut fixture), None)?;
            }
            Ok(Report::Done)
        }
        Task::Show => {
            fixture.restock(1)?;
            contender.restock(&mut fixture, 1)?;
            let mut shown = String::new();
            step(&mut contender, &mut fixture, Some(&mut shown))?;
            Ok(Report::Shown(shown))
        }
        Task::Measure => {
            // The first call may fill lazily made tables, which is not the price of an operation.
            fixture.restock(1)?;
            contender.restock(&mut fixture, 1)?;
            step(&mut contender, &mut fixture, None)?;
            let mut times = Vec::with_capacity(BATCHES);
            let mut counted = Stats::default();
            for _ in 0..BATCHES {
                fixture.restock(BATCH)?;
                contender.restock(&mut fixture, BATCH)?;
                let before = INSTRUMENTED_SYSTEM.stats();
                #[expect(clippy::disallowed_methods, reason = "measuring time is the purpose")]
                let start = Instant::now();
                for _ in 0..BATCH {
                    step(&mut contender, black_box(&mut fixture), None)?;
                }
                times.push(start.elapsed().as_nanos());
                counted = INSTRUMENTED_SYSTEM.stats() - before;
            }
            times.sort_unstable();
            let median = times.get(BATCHES / 2).copied().unwrap_or_default();
            Ok(Report::Measured(Measured {
                allocations: per_operation(counted.allocations),
                reallocations: per_operation(counted.reallocations),
                bytes: per_operation(counted.bytes_allocated),
                nanoseconds: median / u128::try_from(BATCH)?,
            }))
        }
    }
}

fn per_operation(total: usize) -> usize {
    (total + BATCH / 2) / BATCH
}

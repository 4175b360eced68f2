//! Pending logins of web applications in sealed cookies: nothing is kept on the server.
//!
//! While the person is at the authorization server, the browser itself keeps the
//! [`AwaitingCallback`], in a cookie that it can neither read nor change, and brings it with the
//! callback. It works with any framework that speaks the types of the crate `http`.
//!
//! # Which login a callback answers
//!
//! A pending login is found by the browser's own cookie, never by the callback's `state` alone:
//! else an attacker begins a login, sends the finished callback link to a victim, and the victim is
//! logged in to the attacker's account. Here **the cookies come first**: only logins that this very
//! browser has brought are looked at, and of those, `state` tells which one the callback answers. A
//! callback that came to another browser than the one in which its login began finds no cookie
//! there. `__Host-` in the cookie's name keeps an attacker who controls a neighbouring subdomain,
//! or the network on a plain http page, from planting a cookie of their own.
//!
//! Each login has a cookie of its own, so several tabs can log in at once. At most five are kept,
//! and 6 KiB of them in all, as web servers refuse requests with more header than they like (often
//! 8 KiB): the oldest make room.
//!
//! # What is in it
//!
//! `__Host-login-` and the [`LoginId`](oauth2_proto::LoginId), `Secure`, `HttpOnly`, `Path=/`, no
//! `Domain`, and `SameSite=Lax`, or `None` [for posted callbacks](PendingLogins::with_form_post). The
//! seal binds the value to its purpose, to this name, and, by the login in it, to one client. When
//! the login ends is in the seal, too: `Max-Age` only keeps browsers tidy.
//!
//! # What it cannot do
//!
//! **It is not taken from whoever has copied it.** Nothing on the server remembers that a login was
//! answered: who has both cookie and callback can post both again, until the deadline. The
//! authorization server refuses the code's second use (RFC 6749 §4.1.2), and the browser deletes its
//! copy when told. Where the server itself has to refuse the second use, keep the
//! [`login`](AwaitingCallback::login) of each that was answered until its
//! [`deadline`](AwaitingCallback::deadline), and accept none that is there already.
//!
//! **On plain http it works only on this machine**: Chromium and Firefox keep `Secure` cookies of
//! `http://localhost`, Safari does not. There, and on any other host, develop with https.
//!
//! # Example
//! ```
//! use http::header::LOCATION;
//! use http::{HeaderValue, Request, Response, StatusCode};
//! use oauth2_proto::{Client, Server, Timestamp};
//! use oauth2_proto_stores::cookie::PendingLogins;
//! use oauth2_proto_stores::seal::{SealingKey, SealingKeys};
//!
//! type Error = Box<dyn std::error::Error>;
//!
//! /// GET /login
//! fn login<B>(
//!     request: &Request<B>,
//!     client: &Client,
//!     cookies: &PendingLogins,
//!     now: Timestamp,
//! ) -> Result<Response<()>, Error> {
//!     let login = client.authorize("https://app.example/callback").scope("read");
//!     let (url, pending) = login.begin(&mut rand::rng(), now)?;
//!     let set_cookies = cookies.begin(&pending, "/inbox", request.headers(), now)?;
//!     let mut response = Response::builder().status(303).header(LOCATION, url.as_str()).body(())?;
//!     response.headers_mut().extend(set_cookies);
//!     Ok(response)
//! }
//!
//! /// GET /callback
//! fn callback<B>(
//!     request: &Request<B>,
//!     client: &Client,
//!     cookies: &PendingLogins,
//!     now: Timestamp,
//! ) -> Result<Response<()>, Error> {
//!     // Refused: an error page with a link to /login.
//!     let taken = cookies.take(client, request.uri(), request.headers(), now)?;
//!     let mut response = Response::new(());
//!     match taken.pending.accept(client, request.uri(), now) {
//!         Ok(code) => {
//!             let (token_request, awaiting) = code.redeem(client, now)?;
//!             // Send it; hand the answer to `awaiting`; begin a new session for this person.
//! #           let _ = (token_request, awaiting);
//!             *response.status_mut() = StatusCode::SEE_OTHER;
//!             response.headers_mut().insert(LOCATION, HeaderValue::try_from(taken.return_to)?);
//!             response.headers_mut().extend(taken.clear);
//!         }
//!         // The server said no: the login is over, too.
//!         Err(oauth2_proto::Error::Denied(_)) => response.headers_mut().extend(taken.clear),
//!         // Forged: the login goes on, and its cookie stays.
//!         Err(error) => return Err(error.into()),
//!     }
//!     Ok(response)
//! }
//!
//! # let server = Server::new("https://as.example/authorize", "https://as.example/token")?;
//! # let client = Client::new("app", server);
//! # let now = Timestamp::from_unix_seconds(1_700_000_000);
//! let cookies = PendingLogins::new(SealingKeys::new(1, SealingKey::generate()?));
//! # let response = login(&Request::new(()), &client, &cookies, now)?;
//! # let cookie = response.headers()[http::header::SET_COOKIE].to_str()?.split(';').next().unwrap();
//! # let url = url::Url::parse(response.headers()[LOCATION].to_str()?)?;
//! # let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1;
//! # let request = Request::get(format!("/callback?code=c&state={state}"))
//! #     .header("cookie", cookie)
//! #     .body(())?;
//! # let response = callback(&request, &client, &cookies, now)?;
//! # assert_eq!(response.headers()[LOCATION], "/inbox");
//! # Ok::<(), Error>(())
//! ```

mod error;
mod set_cookies;

use core::cmp::Reverse;

use ::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use error::{BeginError, TakeError};
use http::HeaderMap;
use http::header::COOKIE;
use oauth2_proto::{AwaitingCallback, Callback, Client, Error, Misuse, Timestamp};
use serde::{Deserialize, Serialize};
pub use set_cookies::SetCookies;
use zeroize::Zeroizing;

use crate::seal::{SealError, SealingKeys, open, seal};

/// Keeps the pending logins of browsers in cookies of theirs: of one web application, with all its
/// clients. See the [module](self) for what it protects.
#[derive(Clone, Debug)]
pub struct PendingLogins {
    keys: SealingKeys,
    same_site: SameSite,
}

/// A pending login as its cookie has kept it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Taken {
    /// The login that the callback answers: [`accept`](AwaitingCallback::accept) it.
    pub pending: AwaitingCallback,
    /// Where the person wanted to go: a path of this site.
    pub return_to: String,
    /// Deletes the cookie. Send it along once the callback was accepted, and on denial too; not
    /// where it was forged, as then the login still waits.
    pub clear: SetCookies,
}

impl PendingLogins {
    /// Seals cookies with these keys, which may be those of a [store](crate::seal::Sealed).
    #[must_use]
    pub const fn new(keys: SealingKeys) -> Self {
        Self { keys, same_site: SameSite::Lax }
    }

    /// For callbacks that come with `response_mode=form_post`: the authorization server's page posts
    /// them, and a browser sends a `SameSite=Lax` cookie with no POST from another site. These
    /// cookies are `SameSite=None`; what a forged POST could do with one, `state` prevents.
    #[must_use]
    pub fn with_form_post(self) -> Self {
        Self { same_site: SameSite::None, ..self }
    }

    /// Keeps a login until its callback: add what comes back to the response that sends the person
    /// to the authorization server. `request` is the header of the request that is answered so: if
    /// this browser has too many pending logins, the oldest are deleted.
    ///
    /// `return_to` says where the person goes afterwards: an absolute path of this site, with a
    /// query if it needs one, as [`http::Uri::path_and_query`] gives it.
    ///
    /// # Errors
    /// [`BeginError::ReturnTo`] unless it is such a path: it mostly comes from a request, and to
    /// another site it would be an open redirect. [`BeginError::TooLong`], [`BeginError::Expired`],
    /// [`BeginError::Seal`].
    pub fn begin(
        &self,
        pending: &AwaitingCallback,
        return_to: &str,
        request: &HeaderMap,
        now: Timestamp,
    ) -> Result<SetCookies, BeginError> {
        check_return_to(return_to)?;
        let left = pending.deadline().since(now);
        if left.is_zero() {
            return Err(BeginError::Expired);
        }
        let name = format!("{PREFIX}{}", pending.login());
        // In its place from the beginning: what grows leaves copies behind that nobody wipes.
        let mut buffer = Zeroizing::new([0; LONGEST]);
        let mut rest = buffer.as_mut_slice();
        serde_json::to_writer(&mut rest, &Keeping { return_to, pending })
            .map_err(|_| BeginError::TooLong)?;
        let unused = rest.len();
        let plaintext = buffer.get(..LONGEST.saturating_sub(unused)).unwrap_or_default();
        let sealed = seal(&self.keys, &context(&name), plaintext).map_err(BeginError::Seal)?;
        let value = URL_SAFE_NO_PAD.encode(sealed);

        let mut set_cookies = SetCookies::default();
        let room = LONGEST_IN_ALL.saturating_sub(name.len().saturating_add(value.len()));
        for name in self.too_many(request, room, now).into_iter().take(MOST_DELETED) {
            set_cookies.delete(&name, self.same_site);
        }
        let longest = set_cookies.add(&name, &value, self.same_site, left);
        if longest > LONGEST { Err(BeginError::TooLong) } else { Ok(set_cookies) }
    }

    /// Finds the login that a callback answers, among those that this browser has brought.
    /// `request` is the header of the callback. [`accept`](AwaitingCallback::accept) the callback
    /// next: nothing of it has been checked but its `state`.
    ///
    /// # Errors
    /// Why there is none; show a page that offers to log in again. [`TakeError`] says whose fault it
    /// is.
    pub fn take<'c>(
        &self,
        client: &Client,
        callback: impl Into<Callback<'c>>,
        request: &HeaderMap,
        now: Timestamp,
    ) -> Result<Taken, TakeError> {
        let callback = callback.into();
        let mut why = TakeError::NoCookie;
        for cookie in brought(request) {
            let kept = match self.open(&cookie) {
                Ok(kept) => kept,
                Err(error) => {
                    why = why.or(error);
                    continue;
                }
            };
            match kept.pending.is_answered_by(client, callback.clone()) {
                Ok(true) if now > kept.pending.deadline() => return Err(TakeError::Expired),
                Ok(true) => {
                    let mut clear = SetCookies::default();
                    clear.delete(cookie.name(), self.same_site);
                    let Kept { return_to, pending } = kept;
                    return Ok(Taken { pending, return_to, clear });
                }
                Ok(false) => why = why.or(TakeError::OtherLogin),
                Err(Error::Misuse(Misuse::WrongClient)) => why = why.or(TakeError::OtherClient),
                Err(error) => return Err(TakeError::Callback(error)),
            }
        }
        Err(why)
    }

    /// The names of the cookies that have to go before one more comes, which leaves this much room.
    fn too_many(&self, request: &HeaderMap, mut room: usize, now: Timestamp) -> Vec<String> {
        let mut cookies: Vec<_> = brought(request)
            .map(|cookie| {
                let kept = self.open(&cookie).ok();
                (kept.map(|kept| kept.pending.deadline()), cookie)
            })
            .collect();
        // The newest first; last what does not open.
        cookies.sort_by_key(|(deadline, _)| Reverse(*deadline));
        let mut places = MOST.saturating_sub(1);
        cookies.retain(|(deadline, cookie)| {
            let length = cookie.name().len().saturating_add(cookie.value().len());
            let stays = places > 0 && length <= room && deadline.is_none_or(|end| now <= end);
            if stays {
                places = places.saturating_sub(1);
                room = room.saturating_sub(length);
            }
            !stays
        });
        cookies.iter().map(|(_, cookie)| cookie.name().to_owned()).collect()
    }

    fn open(&self, cookie: &Cookie<'_>) -> Result<Kept, TakeError> {
        let sealed = URL_SAFE_NO_PAD
            .decode(cookie.value())
            .map_err(|_| TakeError::Seal(SealError::NotSealed))?;
        let plaintext =
            open(&self.keys, &context(cookie.name()), &sealed).map_err(TakeError::Seal)?;
        let plaintext = Zeroizing::new(plaintext);
        serde_json::from_slice(&plaintext).map_err(|_| TakeError::Unreadable)
    }
}

/// `__Host-`: only this host has set it, over https, and no other host gets it.
///
/// See [RFC 6265bis §4.1.3.2](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2).
const PREFIX: &str = "__Host-login-";

/// The longest cookie, in bytes with its name and attributes: what browsers keep for certain.
///
/// See [RFC 6265 §6.1](https://www.rfc-editor.org/rfc/rfc6265#section-6.1).
const LONGEST: usize = 4096;

/// How many a browser keeps, and how many bytes of them.
const MOST: usize = 5;
const LONGEST_IN_ALL: usize = 6 * 1024;

/// How many are deleted at once: servers and proxies refuse responses with more header than they like,
/// too. Of the rest, the next login deletes as many.
const MOST_DELETED: usize = 16;

/// The longest way back, in bytes.
const LONGEST_RETURN_TO: usize = 1024;

fn context(name: &str) -> [&str; 2] {
    ["oauth2-proto pending login in a cookie", name]
}

#[derive(Serialize)]
struct Keeping<'a> {
    return_to: &'a str,
    pending: &'a AwaitingCallback,
}

#[derive(Deserialize)]
struct Kept {
    return_to: String,
    pending: AwaitingCallback,
}

/// The cookies of pending logins, in however many header fields they come.
fn brought(request: &HeaderMap) -> impl Iterator<Item = Cookie<'static>> {
    let fields = request.get_all(COOKIE).iter();
    // Other cookies of this host need not be text. Nor may they pass for ours: the reader leaves out
    // what Unicode takes for a space, and a browser guards no name that begins with one.
    let texts = fields.map(|field| ascii(field.as_bytes()));
    texts.flat_map(Cookie::split_parse).flatten().filter(|cookie| {
        let login = cookie.name().strip_prefix(PREFIX).unwrap_or_default();
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        login.len() == 22 && login.bytes().all(is_base64url)
    })
}

/// The text, with a mark in the place of every byte that is not ASCII.
fn ascii(field: &[u8]) -> String {
    let mark =
        |byte: &u8| if byte.is_ascii() { (*byte).into() } else { char::REPLACEMENT_CHARACTER };
    field.iter().map(mark).collect()
}

/// Whether a browser stays on this site when it is sent there.
fn check_return_to(path: &str) -> Result<(), BeginError> {
    if !path.starts_with('/') {
        return Err(BeginError::ReturnTo("does not begin with a slash"));
    }
    // Browsers read a backslash as a slash, and two of them as the beginning of another host.
    if path.starts_with("//") || path.contains('\\') {
        return Err(BeginError::ReturnTo("may lead to another site"));
    }
    // They leave out tabs and line ends, wherever these are.
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BeginError::ReturnTo("has characters that have to be percent-encoded"));
    }
    if path.len() > LONGEST_RETURN_TO {
        return Err(BeginError::ReturnTo("is longer than 1024 bytes"));
    }
    Ok(())
}

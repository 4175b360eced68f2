//! `Session` under any sequence of operations, beside a small reference model: which requests are
//! alive, which tokens are good, and which refresh token the server honours.

mod operation;

use core::time::Duration;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use oauth2_proto::{
    Body, Challenge, Challenged, Client, Generation, Lost, Received, Session, State, Step, Ticket,
    Timestamp,
};
use operation::{Answer, Fate, Operation};
use url::form_urlencoded;

use super::scenario::{NOW, assert_showable, authorized, client, polling, reloaded, service};

/// The resources that tokens are asked for, one each.
const RESOURCES: [&str; 2] = ["https://a.example/", "https://b.example/"];

/// Reads the first byte as the login to begin with, and every further pair of bytes as something
/// that happens.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let Some((login, operations)) = data.split_first() else { return };
    let mut world = World::new(*login);
    for operation in operations.chunks_exact(2).take(256) {
        if let [kind, argument] = *operation {
            world.operate(Operation::decode(kind, argument));
        }
    }
    world.operate(Operation::Step);
}

/// The session, and what the model knows about it.
struct World {
    client: Arc<Client>,
    session: Session,
    now: Timestamp,
    /// How far the clock has moved forward altogether: what time-outs are measured by.
    elapsed: Duration,
    requests: Vec<Sent>,
    /// Every access token, by its number.
    issued: Vec<Issued>,
    /// The tokens that were used, and the generation that the session named.
    used: Vec<(Generation, usize)>,
    /// The login is the program's own, which can always be repeated.
    is_service: bool,
    /// The login on a device, while there are no tokens.
    device: Option<Device>,
    /// The refresh token that the server honours, and the one that the session has been given.
    honoured: Option<usize>,
    known: Option<usize>,
    /// The access token that the session has been given last.
    current: Option<usize>,
    /// Counts the answers that brought tokens.
    epoch: u32,
    /// Counts the unreadable answers since.
    unreadable: u32,
    is_signed_out: bool,
    /// The login has ended, and rightly so.
    is_over: bool,
    /// Something has happened since the last request that can justify another one.
    may_send: bool,
    /// What the last operation said to wait for, if it was a step.
    wake: Option<Timestamp>,
}

/// What the server knows of a login on a device, and allows it.
struct Device {
    expires_at: Timestamp,
    interval: Duration,
    polled_at: Option<Duration>,
    /// The clock has been set back since: nobody knows how long ago that was.
    is_guess: bool,
    /// The device code has brought its tokens.
    is_spent: bool,
    is_denied: bool,
}

/// A request whose outcome has not been reported.
struct Sent {
    ticket: Ticket,
    refresh_token: Option<usize>,
    resource: Option<usize>,
    is_poll: bool,
    at: Timestamp,
    /// When it has to be given up, on the clock that only moves forward.
    dead_at: Duration,
    epoch: u32,
}

struct Issued {
    resource: Option<usize>,
    expires_at: Option<Timestamp>,
    is_rejected: bool,
}

impl World {
    fn new(login: u8) -> Self {
        let client = Arc::new(client());
        let is_device = login & 0x80 != 0;
        let state: State = match login % 4 {
            _ if is_device => polling(&client).into(),
            0 => service(&client).into(),
            1 => authorized(&client, &tokens(0, Some(3600), true)).into(),
            2 => authorized(&client, &tokens(0, Some(3600), false)).into(),
            _ => authorized(&client, &tokens(0, None, true)).into(),
        };
        let is_service = matches!(state, State::Unauthorized(_));
        let expires_at = match &state {
            State::Authorized(tokens) => tokens.expires_at(),
            State::Unauthorized(_) | State::Authorizing(_) | State::Refreshing(_) => None,
        };
        let refresh_token = (login % 2 == 1 && !is_device).then_some(0);
        let device = is_device.then_some(Device {
            expires_at: NOW.after(Duration::from_secs(1800)),
            interval: Duration::from_secs(5),
            polled_at: Some(Duration::ZERO),
            is_guess: false,
            is_spent: false,
            is_denied: false,
        });
        Self {
            session: Session::new(Arc::clone(&client), state).expect("it needs no browser"),
            client,
            now: NOW,
            elapsed: Duration::ZERO,
            requests: Vec::new(),
            issued: vec![Issued { resource: None, expires_at, is_rejected: false }],
            used: Vec::new(),
            is_service,
            device,
            honoured: refresh_token,
            known: refresh_token,
            current: (!is_service && !is_device).then_some(0),
            epoch: 0,
            unreadable: 0,
            is_signed_out: false,
            is_over: false,
            may_send: true,
            wake: None,
        }
    }

    fn operate(&mut self, operation: Operation) {
        let wake = self.wake.take();
        match operation {
            Operation::Step => self.step(None),
            Operation::StepFor(which) => {
                // What is asked for besides can justify a request of its own, now or later.
                self.may_send = true;
                self.step(nth(which, RESOURCES.len()));
                self.may_send = true;
                self.wake = None;
            }
            Operation::Sleep => {
                if let Some(wake) = wake {
                    // Where the clock was set back, nobody knows for how long to wait.
                    let is_guess = self.requests.iter().any(|sent| self.now < sent.at);
                    self.advance(wake.since(self.now));
                    self.step(None);
                    assert!(self.wake.is_none() || is_guess, "woken up for nothing");
                }
            }
            Operation::Advance(span) => self.advance(span),
            Operation::SetBack(span) => {
                self.now = self.now.before(span);
                if let Some(device) = &mut self.device {
                    device.is_guess = true;
                }
                self.may_send = true;
            }
            Operation::Answer(which, answer) => {
                if let Some(request) = self.take_request(which) {
                    self.answer(request, answer);
                }
            }
            Operation::Lost(which, fate) => {
                if let Some(request) = self.take_request(which) {
                    self.lose(request, fate);
                }
            }
            Operation::Challenge(which, error) => self.challenge(which, error),
            Operation::Revoke => self.honoured = None,
            Operation::RefreshNow => {
                let wanted = self.session.refresh_now();
                assert!(wanted.is_ok() || !self.is_renewable(), "refused: {wanted:?}");
                self.may_send |= wanted.is_ok();
            }
            Operation::SignOut => {
                let requests = self.session.sign_out(self.now);
                assert!(requests.iter().all(|request| request.uri().path() == "/revoke"));
                self.is_signed_out = true;
            }
            Operation::Reload => {
                let state = reloaded(self.session.state());
                self.session =
                    Session::new(Arc::clone(&self.client), state).expect("it was a session's");
            }
        }
        if matches!(self.session.state(), State::Unauthorized(state) if !state.is_renewable()) {
            self.assert_over();
        }
    }

    fn step(&mut self, resource: Option<usize>) {
        let named = resource.and_then(|resource| RESOURCES.get(resource));
        let step = match named {
            Some(named) => self.session.step_for(named, self.now),
            None => Ok(self.session.step(self.now)),
        };
        match step {
            Ok(Step::Use(token)) => {
                let (generation, number) = (token.generation(), number(token.expose(), 'a'));
                assert!(self.is_good(number), "a{number} has expired or was rejected");
                let issued = self.issued.get(number).expect("it was issued");
                assert_eq!(issued.resource, resource, "a{number} is for another resource");
                self.used.push((generation, number));
            }
            Ok(Step::Wait(until)) => {
                assert!(self.now < until, "a wake-up in the past");
                self.wake = Some(until);
            }
            Ok(Step::Send(ticket, request)) => self.send(ticket, request.body()),
            Ok(Step::Login(_)) => self.assert_over(),
            Err(error) => assert!(
                resource.is_some() && self.known.is_none(),
                "there is a refresh token to ask with: {error}"
            ),
        }
    }

    fn send(&mut self, ticket: Ticket, body: &Body) {
        assert!(!self.is_signed_out, "a request for a login that is over");
        assert!(self.may_send, "a request, and nothing has happened since the last one");
        assert!(self.requests.iter().all(|sent| !self.is_alive(sent)), "two at once");
        let refresh_token = refresh_token(body);
        assert_eq!(refresh_token, self.known, "not the latest refresh token");
        let is_poll = parameter(body, "device_code").is_some();
        if is_poll {
            let device = self.device.as_mut().expect("there are no tokens");
            let since = device.polled_at.map(|at| self.elapsed.saturating_sub(at));
            assert!(
                device.is_guess || since.is_none_or(|since| device.interval <= since),
                "polled again after {since:?}, not after {:?}",
                device.interval
            );
            assert!(self.now < device.expires_at, "polled with a code that has expired");
            device.polled_at = Some(self.elapsed);
            device.is_guess = false;
        }
        let resource = parameter(body, "resource")
            .and_then(|own| RESOURCES.iter().position(|known| *known == own));
        self.requests.push(Sent {
            refresh_token,
            resource,
            is_poll,
            at: self.now,
            dead_at: self.elapsed + ticket.deadline().since(self.now),
            epoch: self.epoch,
            ticket,
        });
        self.may_send = false;
    }

    fn advance(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.elapsed += span;
        self.may_send |= !span.is_zero();
    }

    fn answer(&mut self, request: Sent, answer: Answer) {
        let issued = self.issued.len();
        let rotated = self.honoured;
        let response = match answer {
            Answer::Honest { expires_in, rotates } => self.act(&request, expires_in, rotates),
            Answer::Garbled => {
                self.act(&request, None, true);
                response(StatusCode::OK, "<html>")
            }
            Answer::Refused("invalid_client") if request.is_poll => {
                response(StatusCode::BAD_REQUEST, r#"{"error":"authorization_pending"}"#)
            }
            Answer::Refused(error) => {
                if let Some(device) = self.device.as_mut().filter(|_| request.is_poll) {
                    device.is_denied = true;
                }
                response(StatusCode::UNAUTHORIZED, &format!(r#"{{"error":"{error}"}}"#))
            }
            Answer::Unavailable(status, retry_after) => {
                let mut response = response(status, "");
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                response
            }
            Answer::Unreadable(status, body) => response(status, body),
        };
        let is_granted =
            matches!(answer, Answer::Honest { .. }) && response.status() == StatusCode::OK;
        let (sent_at, resource, is_poll) = (request.at, request.resource, request.is_poll);
        let is_slow_down = response.body().contains("slow_down");
        match self.session.receive(request.ticket, &response, self.now) {
            Ok(Received::Applied) => {
                assert!(is_granted && !self.is_signed_out, "new tokens out of nothing");
                // A login that has ended has forgotten its refresh token.
                if self.is_over {
                    self.known = None;
                    self.current = None;
                }
                if self.honoured != rotated {
                    self.known = self.honoured;
                }
                match resource {
                    None => self.current = Some(issued),
                    // It was in the way of what the login itself may need.
                    Some(_) => self.may_send = true,
                }
                self.device = None;
                self.is_over = false;
                self.unreadable = 0;
                self.epoch += 1;
                // Tokens from the future are not trusted about their expiry.
                self.may_send |= self.now < sent_at;
            }
            Ok(Received::Late(revocations)) => {
                let is_unwanted = is_granted && self.is_signed_out;
                assert!(!is_unwanted || !revocations.is_empty(), "tokens that nobody revokes");
            }
            Ok(Received::Pending) => {
                assert!(is_poll && !is_granted, "only a person is waited for");
                self.unreadable = 0;
                self.may_send = true;
                if let Some(device) = self.device.as_mut().filter(|_| is_slow_down) {
                    // RFC 8628 §3.5: for this and all subsequent requests.
                    device.interval += Duration::from_secs(5);
                }
            }
            Ok(received) => unreachable!("an answer is {received:?}"),
            Err(error) => {
                assert_showable(&error);
                assert!(!is_granted, "a good answer is refused: {error}");
                if matches!(answer, Answer::Unreadable(..) | Answer::Garbled) {
                    self.unreadable += 1;
                }
            }
        }
    }

    /// The server grants what is asked for, or says that it does not honour the refresh token.
    fn act(&mut self, request: &Sent, expires_in: Option<u64>, rotates: bool) -> Response<String> {
        let device = self.device.as_mut().filter(|_| request.is_poll);
        let is_spent = device.is_some_and(|device| core::mem::replace(&mut device.is_spent, true));
        if request.refresh_token != self.honoured || is_spent {
            return response(StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#);
        }
        let number = self.issued.len();
        // Longer lifetimes are taken for 68 years.
        let lifetime = expires_in.map(|seconds| Duration::from_secs(seconds.min(0x7FFF_FFFF)));
        let expires_at = lifetime.map(|lifetime| request.at.after(lifetime));
        let resource = request.resource;
        self.issued.push(Issued { resource, expires_at, is_rejected: false });
        let rotates = rotates && request.refresh_token.is_some() || request.is_poll;
        if rotates {
            self.honoured = Some(number);
        }
        response(StatusCode::OK, &tokens(number, expires_in, rotates))
    }

    fn lose(&mut self, request: Sent, fate: Fate) {
        let how = match fate {
            Fate::Unsent => Lost::Unsent,
            Fate::NeverArrived => Lost::Unanswered,
            Fate::AnswerLost => {
                self.act(&request, None, true);
                Lost::Unanswered
            }
        };
        self.session.lost(request.ticket, how, self.now);
    }

    fn challenge(&mut self, which: usize, error: &str) {
        let used = nth(which, self.used.len()).and_then(|at| self.used.get(at));
        let Some((generation, number)) = used.copied() else { return };
        let value = HeaderValue::try_from(format!("Bearer error={error}")).expect("it is ASCII");
        let headers = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, value)]);
        for challenge in Challenge::from_headers(&headers) {
            match self.session.challenged(generation, &challenge, self.now) {
                Challenged::Rejected => {
                    self.issued.get_mut(number).expect("it was issued").is_rejected = true;
                    self.may_send = true;
                }
                // A login that has ended has forgotten which one was its latest.
                Challenged::Superseded => {
                    let is_held =
                        matches!(self.session.state(), State::Authorized(_) | State::Refreshing(_));
                    assert!(Some(number) != self.current || !is_held, "a{number} is the latest");
                }
                Challenged::TooYoung => assert_eq!(error, "invalid_token"),
                Challenged::Unrelated => assert_ne!(error, "invalid_token"),
                outcome => unreachable!("{outcome:?}"),
            }
        }
    }

    fn take_request(&mut self, which: usize) -> Option<Sent> {
        nth(which, self.requests.len()).map(|at| self.requests.remove(at))
    }

    /// Nobody has said what became of it, and its time is not up. What was sent for tokens that
    /// have been replaced meanwhile does not count.
    fn is_alive(&self, sent: &Sent) -> bool {
        sent.epoch == self.epoch && self.elapsed < sent.dead_at
    }

    fn is_good(&self, token: usize) -> bool {
        let Issued { expires_at, is_rejected, .. } = self.issued.get(token).expect("it was issued");
        !is_rejected && expires_at.is_none_or(|expires_at| self.now < expires_at)
    }

    fn is_renewable(&self) -> bool {
        !self.is_signed_out && !self.is_over && (self.is_service || self.known.is_some())
    }

    /// Whether a login may end: by signing out, because the refresh token that it has is worth
    /// nothing, after too many answers that nobody can read, or with tokens that nothing renews.
    fn assert_over(&mut self) {
        if let Some(device) = &self.device {
            let is_lost = device.is_denied || device.is_spent || device.expires_at <= self.now;
            self.is_over |= self.is_signed_out || is_lost || self.unreadable >= 3;
            assert!(self.is_over, "the login has ended: {:?}", self.session.state());
            return;
        }
        let is_worthless = self.known != self.honoured || self.unreadable >= 3;
        let is_spent =
            self.known.is_none() && self.current.is_none_or(|current| !self.is_good(current));
        self.is_over |= self.is_signed_out || !self.is_service && (is_worthless || is_spent);
        assert!(self.is_over, "the login has ended: {:?}", self.session.state());
    }
}

/// An index that is in range, if there is one.
const fn nth(which: usize, length: usize) -> Option<usize> {
    which.checked_rem(length)
}

/// The tokens with this number.
fn tokens(number: usize, expires_in: Option<u64>, refreshable: bool) -> String {
    let expires_in = expires_in.map(|seconds| format!(r#","expires_in":{seconds}"#));
    let refresh_token = refreshable.then(|| format!(r#","refresh_token":"r{number}""#));
    let optional = [expires_in, refresh_token].into_iter().flatten().collect::<String>();
    format!(r#"{{"access_token":"a{number}","token_type":"Bearer"{optional}}}"#)
}

fn number(token: &str, kind: char) -> usize {
    token.strip_prefix(kind).and_then(|number| number.parse().ok()).expect("one of our tokens")
}

fn parameter(body: &Body, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(body.as_ref());
    pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

fn refresh_token(body: &Body) -> Option<usize> {
    parameter(body, "refresh_token").map(|token| number(&token, 'r'))
}

fn response(status: StatusCode, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status;
    response
}

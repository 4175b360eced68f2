//! What the server knows of each login: which refresh token is good, what became of the one before,
//! and whether what happens has been injected.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::faults::{Fault, Rates};
use crate::mint::{Access, Mint, now};

/// For how long a lenient server takes the refresh token before the last once more.
const GRACE: Duration = Duration::from_secs(60);

/// All logins at the server, and what it has counted.
pub(crate) struct Families {
    mint: Mint,
    lifetime: Duration,
    families: Vec<Family>,
    /// For which login each access token is.
    issued: Vec<u32>,
    killed: BTreeSet<u32>,
    pub(crate) rates: Rates,
    rng: StdRng,
    pub(crate) counts: Counts,
    /// How long after a killed process others have asked for what it had asked for.
    pub(crate) taken_over: Vec<Duration>,
    /// What must not happen.
    pub(crate) violations: Vec<String>,
}

/// The refresh tokens of one login.
#[derive(Debug)]
struct Family {
    /// A second use of a refresh token ends it, without any grace.
    strict: bool,
    /// The refresh token that is good.
    current: u32,
    /// The one that it has replaced.
    spent: Option<Spent>,
    /// Whose request was refused, and ended it.
    ended_by: Option<u32>,
}

/// A refresh token that has been replaced.
#[derive(Debug)]
struct Spent {
    serial: u32,
    sender: u32,
    at: Instant,
    fault: Option<Fault>,
}

/// What the server has counted. Each request is counted once among the first seven.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    pub(crate) request_lost: u64,
    pub(crate) answer_lost: u64,
    pub(crate) unavailable: u64,
    pub(crate) sender_killed: u64,
    /// Logins that ended with the refusal of a refresh token that had been used before.
    pub(crate) ended: u64,
    /// Refusals of logins that had ended already.
    pub(crate) refused_again: u64,
    /// Answers that were sent, and died with the process that had asked.
    pub(crate) died: u64,
    /// Second uses of a refresh token that a lenient server has answered.
    pub(crate) forgiven: u64,
    pub(crate) slow: u64,
    pub(crate) requests: u64,
}

/// What the server does with a request.
#[derive(Debug)]
pub(crate) enum Grant {
    /// It answers with this JSON, after a pause.
    Tokens(String, Duration),
    Refused,
    Unavailable,
    /// It closes the connection.
    HangUp,
}

impl Families {
    pub(crate) fn new(mint: Mint, lifetime: Duration, seed: u64) -> Self {
        Self {
            mint,
            lifetime,
            families: Vec::new(),
            issued: Vec::new(),
            killed: BTreeSet::new(),
            rates: Rates::default(),
            rng: StdRng::seed_from_u64(seed),
            counts: Counts::default(),
            taken_over: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Logs the next user in: an access token, a refresh token, and when they were issued, in
    /// milliseconds since the Unix epoch.
    pub(crate) fn log_in(&mut self, strict: bool) -> Option<(String, String, u64)> {
        let login = u32::try_from(self.families.len()).ok()?;
        let issued_at = now();
        let (serial, access) = self.issue(login)?;
        self.families.push(Family { strict, current: serial, spent: None, ended_by: None });
        Some((access, self.mint.refresh(serial, login), issued_at))
    }

    /// From now on, what this process has not saved explains a second use of a refresh token.
    pub(crate) fn killed(&mut self, sender: u32) {
        self.killed.insert(sender);
    }

    /// The logins that have ended.
    pub(crate) fn ended(&self) -> BTreeSet<u32> {
        let families = (0..).zip(&self.families);
        families.filter(|(_, family)| family.ended_by.is_some()).map(|(login, _)| login).collect()
    }

    /// Whether it has issued this access token for this login.
    pub(crate) fn has_issued(&self, serial: u32, login: u32) -> bool {
        usize::try_from(serial).ok().and_then(|index| self.issued.get(index)) == Some(&login)
    }

    /// Hears the request of a process; `fault` is what is already known to go wrong with it.
    pub(crate) fn hear(&mut self, token: &str, sender: u32, fault: Option<Fault>) -> Grant {
        self.counts.requests += 1;
        let fault = fault.or_else(|| self.rates.draw(&mut self.rng));
        match fault {
            Some(Fault::RequestLost) => {
                self.counts.request_lost += 1;
                return Grant::HangUp;
            }
            Some(Fault::Unavailable) => {
                self.counts.unavailable += 1;
                return Grant::Unavailable;
            }
            Some(Fault::AnswerLost | Fault::Slow(_) | Fault::SenderKilled) | None => {}
        }
        let Some((serial, login)) = self.mint.read_refresh(token) else {
            self.violations.push("a refresh token that was never issued".into());
            return Grant::Refused;
        };
        if !self.accepts(serial, login, sender) {
            return Grant::Refused;
        }
        let Some(json) = self.rotate(serial, login, sender, fault) else { return Grant::Refused };
        match fault {
            Some(Fault::AnswerLost) => {
                self.counts.answer_lost += 1;
                Grant::HangUp
            }
            Some(Fault::SenderKilled) => {
                self.counts.sender_killed += 1;
                Grant::HangUp
            }
            Some(Fault::Slow(pause)) => {
                self.counts.slow += 1;
                self.counts.answered += 1;
                Grant::Tokens(json, pause)
            }
            Some(Fault::RequestLost | Fault::Unavailable) | None => {
                self.counts.answered += 1;
                Grant::Tokens(json, Duration::ZERO)
            }
        }
    }

    /// Whether a refresh token is good. Where it has been used before, that is looked into.
    fn accepts(&mut self, serial: u32, login: u32, sender: u32) -> bool {
        let index = usize::try_from(login).ok();
        let Some(family) = index.and_then(|index| self.families.get_mut(index)) else {
            self.violations.push(format!("login {login} does not exist"));
            return false;
        };
        if let Some(by) = family.ended_by {
            self.counts.refused_again += 1;
            if !self.killed.contains(&by) {
                let text = format!("login {login} was refused, and asked for again by {sender}");
                self.violations.push(text);
            }
            return false;
        }
        if serial == family.current {
            return true;
        }
        let spent = family.spent.as_mut().filter(|spent| spent.serial == serial);
        let injected = spent.as_ref().is_some_and(|spent| {
            spent
                .fault
                .is_some_and(|fault| matches!(fault, Fault::AnswerLost | Fault::SenderKilled))
        });
        let died = spent.as_ref().filter(|spent| self.killed.contains(&spent.sender));
        self.taken_over.extend(died.map(|spent| spent.at.elapsed()));
        let died = died.is_some();
        if !injected && died {
            self.counts.died += 1;
        }
        if !injected && !died {
            let first = spent.as_ref().map(|spent| (spent.sender, spent.at.elapsed()));
            let text = format!(
                "a refresh token of login {login} used twice without a fault: by {sender}, after {first:?}"
            );
            self.violations.push(text);
        }
        let forgiven = !family.strict && spent.is_some_and(|spent| spent.at.elapsed() < GRACE);
        if forgiven {
            self.counts.forgiven += 1;
        } else {
            self.counts.ended += 1;
            family.ended_by = Some(sender);
        }
        forgiven
    }

    /// Replaces both tokens.
    fn rotate(
        &mut self,
        serial: u32,
        login: u32,
        sender: u32,
        fault: Option<Fault>,
    ) -> Option<String> {
        let (new, access) = self.issue(login)?;
        let family = self.families.get_mut(usize::try_from(login).ok()?)?;
        // The grace counts from the first use.
        let at = family.spent.as_ref().filter(|spent| spent.serial == serial);
        let at = at.map_or_else(Instant::now, |spent| spent.at);
        family.spent = Some(Spent { serial, sender, at, fault });
        family.current = new;
        let refresh = self.mint.refresh(new, login);
        let lifetime = self.lifetime.as_secs();
        Some(format!(
            r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"{refresh}"}}"#
        ))
    }

    fn issue(&mut self, login: u32) -> Option<(u32, String)> {
        let serial = u32::try_from(self.issued.len()).ok()?;
        self.issued.push(login);
        let lifetime = u64::try_from(self.lifetime.as_millis()).ok()?;
        let access = Access { serial, login, expires_at: now().saturating_add(lifetime) };
        Some((serial, self.mint.access(access)))
    }
}

impl Counts {
    /// What has been counted since.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            answered: self.answered - earlier.answered,
            request_lost: self.request_lost - earlier.request_lost,
            answer_lost: self.answer_lost - earlier.answer_lost,
            unavailable: self.unavailable - earlier.unavailable,
            sender_killed: self.sender_killed - earlier.sender_killed,
            ended: self.ended - earlier.ended,
            refused_again: self.refused_again - earlier.refused_again,
            died: self.died - earlier.died,
            forgiven: self.forgiven - earlier.forgiven,
            slow: self.slow - earlier.slow,
            requests: self.requests - earlier.requests,
        }
    }

    /// How often tokens came to their end: others took their place, or the login ended with them.
    pub(crate) const fn expiries(&self) -> u64 {
        (self.answered - self.died) + self.ended
    }

    /// The requests beyond one for each expiry, each by what has injected it.
    pub(crate) fn excess(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("requests lost", self.request_lost),
            ("answers lost", self.answer_lost),
            ("503", self.unavailable),
            ("requests whose sender was killed", self.sender_killed),
            ("answers that died with a killed process", self.died),
            ("refusals heard by a killed process", self.refused_again),
        ])
    }
}

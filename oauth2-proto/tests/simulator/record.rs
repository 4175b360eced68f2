//! What a stored login says, read by other means than the crate's.

use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;

use oauth2_proto::State;

/// The text of a stored login, and what the rules ask about.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) text: String,
    print: u64,
    pub(crate) login: String,
    pub(crate) number: u64,
    /// Why the login is over.
    pub(crate) reason: Option<String>,
    pub(crate) access: Option<u32>,
    pub(crate) refresh: Option<u32>,
    pub(crate) rejected: bool,
    pub(crate) expires_at: Option<u64>,
    pub(crate) on_its_way: bool,
    pub(crate) holder: Option<String>,
}

impl Record {
    pub(crate) fn of(state: &State) -> Self {
        let text = serde_json::to_string(state).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let is_over = text.contains(r#""Unauthorized""#);
        let token = |name| field(&text, name).and_then(|text| text.get(1..)?.parse().ok());
        Self {
            print: hasher.finish(),
            login: field(&text, r#""id":""#).unwrap_or_default().into(),
            number: number(&text, r#""number":"#).unwrap_or(0),
            reason: is_over.then(|| {
                let (_, rest) = text.split_once(r#""reason":"#).unwrap_or_default();
                rest.split([',', '}']).next().unwrap_or_default().replace(['"', '{'], "")
            }),
            access: token(r#""access_token":""#),
            refresh: token(r#""RefreshToken":""#),
            rejected: text.contains(r#""rejected":true"#),
            expires_at: number(&text, r#""expires_at":"#),
            on_its_way: text.contains(r#""on_its_way":true"#),
            holder: field(&text, r#""holder":""#).map(Into::into),
            text,
        }
    }

    pub(crate) fn state(&self) -> State {
        let Ok(state) = serde_json::from_str(&self.text) else {
            panic!("what was stored can't be loaded: {}", self.text)
        };
        state
    }

    pub(crate) fn is_signed_out(&self) -> bool {
        self.reason.as_deref() == Some("SignedOut")
    }

    /// Whether only a person can help.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        let useless = self.rejected || self.expires_at.is_some_and(|at| now >= at);
        self.reason.is_some() || (self.refresh.is_none() && useless)
    }

    /// One line for people.
    pub(crate) fn summary(&self) -> String {
        let login = self.login.get(..4).unwrap_or_default();
        let number = self.number;
        let Some(reason) = &self.reason else {
            let (access, refresh) = (self.access.unwrap_or(0), self.refresh.unwrap_or(0));
            let kind = match self.text.contains(r#""Refreshing""#) {
                true => "Refreshing",
                false => "Authorized",
            };
            let leased = if self.on_its_way { ", on its way" } else { "" };
            let rejected = if self.rejected { ", rejected" } else { "" };
            let doubt = number_of_doubts(&self.text);
            return format!(
                "{kind}({login} #{number}, a{access} r{refresh}{leased}{rejected}, {doubt} in doubt)"
            );
        };
        format!("Unauthorized({login} #{number}, {reason})")
    }
}

fn number_of_doubts(text: &str) -> u64 {
    number(text, r#""in_doubt":"#).unwrap_or(0)
}

impl Hash for Record {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split_once(name)?.1.split('"').next()
}

fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest.get(..digits)?.parse().ok()
}

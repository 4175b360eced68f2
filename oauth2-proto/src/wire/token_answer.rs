//! The answer of the token endpoint (RFC 6749 §5.1 and §5.2), read strictly.
//!
//! A token comes with status 200 and one JSON object, nothing else; redirects are refused by name,
//! so are trailing bytes, invalid UTF-8 and members that appear twice. What is harmless is
//! accepted: a numeric string in `expires_in`, `null` for an absent member, any `Content-Type`.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::IntErrorKind;

use http::StatusCode;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Reply;
use crate::error::{Denied, Error, Malformed, Problem, Unavailable};
use crate::value::{AccessToken, Generation, Scope, Secret};

/// What the token endpoint said.
pub(crate) enum Answer<'a> {
    Granted(Granted<'a>),
    Denied(Denied),
    Unavailable(Unavailable),
    Unreadable(Malformed),
}

/// A successful answer, RFC 6749 §5.1.
pub(crate) struct Granted<'a> {
    pub(crate) access_token: AccessToken,
    /// Seconds, never more than [`LONGEST_LIFETIME`].
    pub(crate) expires_in: Option<u64>,
    pub(crate) refresh_token: Option<Cow<'a, str>>,
    scope: Option<Cow<'a, str>>,
    /// OpenID Connect Core §3.1.3.3; kept as it came.
    pub(crate) id_token: Option<Cow<'a, str>>,
    extras: Vec<Extra<'a>>,
}

/// A member that is not listed in [`Granted`], its value as it stands in the answer.
struct Extra<'a> {
    name: Cow<'a, str>,
    value: &'a RawValue,
}

impl Granted<'_> {
    /// The scope that was granted: `usual`, unless the answer names another one.
    pub(crate) fn scope(&self, usual: Scope) -> Scope {
        match &self.scope {
            Some(text) if **text != *usual.as_str() => Scope::granted(text),
            Some(_) | None => usual,
        }
    }

    /// The members that are not listed above, as the text of one JSON object; empty without any.
    pub(crate) fn extras(&self) -> Secret {
        // Room for all of it, with quotes, colon, and a comma or brace on each side: a text that
        // grew would leave copies of secrets behind.
        let room = self.extras.iter().fold(0_usize, |room, Extra { name, value }| {
            room.saturating_add(name.len()).saturating_add(value.get().len()).saturating_add(5)
        });
        let mut text = String::with_capacity(room);
        for Extra { name, value } in &self.extras {
            text.push(if text.is_empty() { '{' } else { ',' });
            match name {
                // Borrowed, it had no escapes and needs none.
                Cow::Borrowed(plain) => text.extend(["\"", plain, "\":"]),
                // Writing a string as JSON cannot fail.
                Cow::Owned(name) => {
                    text.extend([&*serde_json::to_string(name).unwrap_or_default(), ":"]);
                }
            }
            text.push_str(value.get());
        }
        if !text.is_empty() {
            text.push('}');
        }
        Secret::new(text)
    }
}

/// Nobody has decided yet (RFC 8628 §3.5).
const AUTHORIZATION_PENDING: &str = "authorization_pending";
/// Nobody has decided yet, and the client asks too often (RFC 8628 §3.5).
pub(crate) const SLOW_DOWN: &str = "slow_down";

/// Lifetimes are clamped here (68 years): beyond it a number is a mistake or an attack.
const LONGEST_LIFETIME: u64 = 0x7FFF_FFFF;

impl<'a> Answer<'a> {
    /// Reads an answer; its access token will be of this generation.
    pub(crate) fn read(reply: Result<Reply<'a>, Error>, generation: Generation) -> Self {
        match reply.and_then(|reply| Granted::read(&reply, generation)) {
            Ok(granted) => Self::Granted(granted),
            Err(Error::Denied(denied)) => Self::Denied(denied),
            Err(Error::Unavailable(unavailable)) => Self::Unavailable(unavailable),
            Err(Error::Malformed(malformed)) => Self::Unreadable(malformed),
            // Nothing in an answer is a deadline, a callback, or the caller's doing.
            Err(Error::Expired(_) | Error::Forged(_) | Error::Misuse(_)) => {
                Self::Unreadable(Malformed::new(Problem::Json))
            }
        }
    }
}

impl<'a> Granted<'a> {
    #[inline]
    fn read(reply: &Reply<'a>, generation: Generation) -> Result<Self, Error> {
        let status = reply.status();
        let members = match Members::read(reply.body()) {
            Ok(members) => members,
            // Without a readable explanation, the status says more than the body.
            Err(Problem::Json) if status != StatusCode::OK => {
                return Err(reply.malformed(Problem::Status(status)));
            }
            Err(problem) => return Err(reply.malformed(problem)),
        };
        // An error is one whatever the status, and whatever stands beside it.
        if let Some(error) = &members.error {
            // RFC 8628 §3.5: these belong to the device grant.
            for own in [AUTHORIZATION_PENDING, SLOW_DOWN] {
                if **error == *own {
                    return Err(reply.malformed(Problem::OutOfPlace(own)));
                }
            }
            let description = members.error_description.as_deref();
            return Err(reply.denied(error, description, members.error_uri.as_deref()));
        }
        // RFC 6749 §5.1: 200 (OK) is the only status that carries a token.
        if status != StatusCode::OK {
            return Err(reply.malformed(Problem::Status(status)));
        }
        members.into_granted(generation).map_err(|problem| reply.malformed(problem))
    }
}

/// The members of either answer, before it is known which one it is.
#[derive(Default)]
struct Members<'a> {
    access_token: Option<Cow<'a, str>>,
    token_type: Option<Cow<'a, str>>,
    expires_in: Option<&'a RawValue>,
    refresh_token: Option<Cow<'a, str>>,
    scope: Option<Cow<'a, str>>,
    id_token: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
    error_description: Option<Cow<'a, str>>,
    error_uri: Option<Cow<'a, str>>,
    extras: Vec<Extra<'a>>,
}

impl<'a> Members<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let text = core::str::from_utf8(body).map_err(|_| Problem::Json)?;
        let mut members = Self::default();
        let mut problem = None;
        let mut json = serde_json::Deserializer::from_str(text);
        let reader = Reader { members: &mut members, problem: &mut problem };
        let read = json.deserialize_map(reader).and_then(|()| json.end());
        match read {
            Ok(()) => Ok(members),
            Err(error) if error.is_data() => Err(match problem {
                Some(Flaw::Member(name)) => Problem::Member(name),
                Some(Flaw::Duplicate(name)) => Problem::DuplicateMember(name),
                None => Problem::Json,
            }),
            Err(_) => Err(Problem::Json),
        }
    }

    fn into_granted(self, generation: Generation) -> Result<Granted<'a>, Problem> {
        let present = |text: &Cow<'_, str>| !text.is_empty();
        let access_token = self.access_token.ok_or(Problem::MemberMissing("access_token"))?;
        let token_type =
            self.token_type.filter(present).ok_or(Problem::MemberMissing("token_type"))?;
        Ok(Granted {
            access_token: AccessToken::new(&access_token, &token_type, generation)
                .ok_or(Problem::Member("access_token"))?,
            expires_in: match self.expires_in {
                Some(raw) => seconds(raw.get()).ok_or(Problem::Member("expires_in"))?,
                None => None,
            },
            // An empty text stands for an absent member.
            refresh_token: self.refresh_token.filter(present),
            scope: self.scope.filter(present),
            id_token: self.id_token.filter(present),
            extras: self.extras,
        })
    }
}

/// Reads the members where they belong and says what is wrong with the first bad one.
struct Reader<'r, 'a> {
    members: &'r mut Members<'a>,
    problem: &'r mut Option<Flaw>,
}

/// What is wrong with a member: a [`Problem`] that costs nothing to forget.
#[derive(Clone, Copy)]
enum Flaw {
    Member(&'static str),
    Duplicate(&'static str),
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { members, problem } = self;
        while let Some(Text(name)) = map.next_key()? {
            let (name, member) = match &*name {
                "access_token" => ("access_token", &mut members.access_token),
                "token_type" => ("token_type", &mut members.token_type),
                "refresh_token" => ("refresh_token", &mut members.refresh_token),
                "scope" => ("scope", &mut members.scope),
                "id_token" => ("id_token", &mut members.id_token),
                "error" => ("error", &mut members.error),
                "error_description" => ("error_description", &mut members.error_description),
                "error_uri" => ("error_uri", &mut members.error_uri),
                "expires_in" => {
                    let value: &RawValue = map.next_value()?;
                    if members.expires_in.replace(value).is_some() {
                        *problem = Some(Flaw::Duplicate("expires_in"));
                        return Err(M::Error::custom("duplicate"));
                    }
                    continue;
                }
                _ => {
                    members.extras.push(Extra { name, value: map.next_value()? });
                    continue;
                }
            };
            *problem = Some(Flaw::Member(name));
            let value: Option<Text<'de>> = map.next_value()?;
            // `null` counts as absent, but it counts: a second member is a contradiction.
            let value = value.map_or(Cow::Borrowed(""), |text| text.0);
            if member.replace(value).is_some() {
                *problem = Some(Flaw::Duplicate(name));
                return Err(M::Error::custom("duplicate"));
            }
            *problem = None;
        }
        members.error = members.error.take().filter(|error| !error.is_empty());
        Ok(())
    }
}

/// Finds a member in the text of the extras.
pub(crate) fn extra<T: DeserializeOwned>(extras: &str, name: &str) -> Option<T> {
    let members: alloc::collections::BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(extras).ok()?;
    serde_json::from_str(members.get(name)?.get()).ok()
}

/// A JSON string, borrowed from the input where it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.into())))
            }
        }
        from.deserialize_str(Borrowing)
    }
}

/// Any JSON spelling of a number of seconds: `3600`, `3600.0`, `3.6e3`, `"3600"`. `Some(None)` is
/// `null`, `None` is nothing that counts seconds.
///
/// Read digit by digit: exact, and without the tables that floating point would link.
#[expect(clippy::option_option, reason = "absent, and not a number of seconds, are two answers")]
pub(super) fn seconds(json: &str) -> Option<Option<u64>> {
    if json == "null" {
        return Some(None);
    }
    let number = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json);
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() {
        return None;
    }
    let exponent = match exponent.parse::<i32>() {
        Ok(exponent) => exponent,
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => i32::MAX,
        Err(_) => return None,
    };
    // How many of the digits stand before the decimal point.
    let mut places = i32::try_from(whole.len()).ok()?.saturating_add(exponent);
    let mut seconds = 0_u64;
    for character in whole.chars().chain(fraction.chars()) {
        let digit = character.to_digit(10)?;
        if places > 0 {
            seconds = seconds.saturating_mul(10).saturating_add(digit.into());
        } else if digit != 0 {
            // Half a second is no number of seconds.
            return None;
        }
        places = places.saturating_sub(1);
    }
    // More than twenty zeros clamp anything but zero, which stays zero.
    for _ in 0..places.min(20) {
        seconds = seconds.saturating_mul(10);
    }
    Some(Some(seconds.min(LONGEST_LIFETIME)))
}

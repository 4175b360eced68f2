//! How long a token lives, in a server's own words, as the seconds of RFC 6749 §5.1.

use alloc::string::String;
use core::num::IntErrorKind;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::members::{Members, scalar};
use super::{Dialect, date};
use crate::value::Timestamp;

/// A member of the answer that says how long the access token lives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LifetimeMember {
    /// The name of the member, such as `expires`.
    pub name: String,
    /// What its value counts.
    pub unit: LifetimeUnit,
}

impl LifetimeMember {
    /// A member with this name, which counts that.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: LifetimeUnit) -> Self {
        Self { name: name.into(), unit }
    }
}

/// What a lifetime counts. Numbers may be written as texts; fractions are cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LifetimeUnit {
    /// Seconds from the answer on, as RFC 6749 §5.1 has it.
    #[default]
    Seconds,
    /// Milliseconds from the answer on.
    Milliseconds,
    /// The moment of expiry in Unix seconds.
    UnixSeconds,
    /// The moment of expiry in Unix milliseconds.
    UnixMilliseconds,
    /// The moment of expiry as a date (RFC 3339), such as `2012-03-22T16:56:48-05:00`; without an
    /// offset it is in UTC.
    Date,
}

/// What a lifetime of zero says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ZeroLifetime {
    /// The token has expired: zero seconds, as RFC 6749 §5.1 has it.
    #[default]
    Expired,
    /// The token never expires.
    Never,
}

/// What an answer says of its token's lifetime.
pub(super) enum Lifetime<'a> {
    Seconds(u64),
    /// In words that nobody can read: the strict reader is to refuse them.
    AsItCame(&'a RawValue),
    Unknown,
}

impl Dialect {
    pub(super) fn lifetime<'a>(&self, members: &Members<'a>, sent_at: Timestamp) -> Lifetime<'a> {
        let own = members.said("expires_in");
        let is_plain = self.lifetime_members.is_empty()
            && self.zero_lifetime == ZeroLifetime::Expired
            && self.longest_lifetime.is_none();
        let usual = [LifetimeMember::new("expires_in", LifetimeUnit::Seconds)];
        let candidates =
            if self.lifetime_members.is_empty() { &usual } else { &*self.lifetime_members };
        let read = |member: &LifetimeMember| {
            member.unit.read(&scalar(members.said(&member.name)?)?, sent_at)
        };
        match (is_plain, own, candidates.iter().find_map(read)) {
            (true, Some(own), _) => Lifetime::AsItCame(own),
            (_, _, Some(Length { zero: true, .. }))
                if self.zero_lifetime == ZeroLifetime::Never =>
            {
                Lifetime::Unknown
            }
            (_, _, Some(Length { seconds, .. })) => {
                Lifetime::Seconds(seconds.min(self.longest_lifetime.unwrap_or(u64::MAX)))
            }
            (_, Some(own), None) => Lifetime::AsItCame(own),
            (_, None, None) => self.default_lifetime.map_or(Lifetime::Unknown, Lifetime::Seconds),
        }
    }
}

/// A lifetime in seconds, and whether zero was what stood there.
struct Length {
    seconds: u64,
    zero: bool,
}

impl LifetimeUnit {
    fn read(self, text: &str, sent_at: Timestamp) -> Option<Length> {
        let from_now = |at: u64| at.saturating_sub(sent_at.unix_seconds());
        let number = if self == Self::Date { date::unix_seconds(text)? } else { whole(text)? };
        let seconds = match self {
            Self::Seconds => number,
            Self::Milliseconds => number / 1000,
            Self::UnixSeconds | Self::Date => from_now(number),
            Self::UnixMilliseconds => from_now(number / 1000),
        };
        Some(Length { seconds, zero: number == 0 })
    }
}

/// The whole part of a number, digit by digit: `86400.92`, `3.6e3`. What is too large is the
/// largest there is.
fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let exponent = match exponent.parse::<i32>() {
        Ok(exponent) => exponent,
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => i32::MAX,
        Err(error) if *error.kind() == IntErrorKind::NegOverflow => i32::MIN,
        Err(_) => return None,
    };
    let places = i32::try_from(whole.len()).ok()?.saturating_add(exponent);
    let places = usize::try_from(places).unwrap_or(0);
    let digits = whole.bytes().chain(fraction.bytes());
    // Behind the digits stand zeros; more than twenty of them are too many for anything but zero.
    let zeros = places.saturating_sub(whole.len().saturating_add(fraction.len())).min(20);
    let number = digits.take(places).chain(core::iter::repeat_n(b'0', zeros));
    Some(number.fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')))
    }))
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn numbers_are_read_digit_by_digit() {
        for (text, number) in [
            ("0", 0),
            ("3600", 3600),
            ("3600.0", 3600),
            ("86400.92", 86400),
            ("3.6e3", 3600),
            ("3.6e+3", 3600),
            ("36000E-1", 3600),
            ("5e-1", 0),
            ("0e999999999999", 0),
            ("1e999999999999", u64::MAX),
            ("1e-999999999999", 0),
            ("99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(whole(text), Some(number), "{text}");
        }
        for text in ["", "-1", "+1", "1e", "0x10", "zzz", ".5", "1.2.3", "false", "1 2"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}

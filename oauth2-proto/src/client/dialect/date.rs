//! Moments written as dates (RFC 3339, and what servers make of it), counted exactly.
//!
//! Twenty lines of arithmetic, where a library for dates would bring time zones, formats and a
//! clock. American dates (`09/14/2017 00:00:00 PM`) are not read: the servers that write them send
//! the number of seconds beside.

/// Unix seconds of a date such as `2012-03-22T16:56:48-05:00`. Fractions of a second are cut off; a
/// date without an offset is in UTC. Nothing before 1970 is a date when something expires.
pub(super) fn unix_seconds(text: &str) -> Option<u64> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let (year, month, day) = (digits(date.get(..4)?)?, digits(date.get(5..7)?)?, date.get(8..)?);
    let day = digits(day).filter(|_| date.len() == 10)?;
    if date.get(4..5) != Some("-") || date.get(7..8) != Some("-") {
        return None;
    }
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let clock = clock.trim_end();
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    digits(fraction)?;
    if clock.len() != 8 || clock.get(2..3) != Some(":") || clock.get(5..6) != Some(":") {
        return None;
    }
    let hour = digits(clock.get(..2)?)?;
    let minute = digits(clock.get(3..5)?)?;
    let second = digits(clock.get(6..)?)?;
    if year < 1970 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    let local = days * 86400 + hour * 3600 + minute * 60 + second;
    u64::try_from(local - seconds_east(offset)?).ok()
}

/// What the offset adds to UTC: `Z`, `+01:00`, `-0500`, `+01`.
fn seconds_east(offset: &str) -> Option<i64> {
    if offset.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let rest = offset.get(1..)?;
    let hours = digits(rest.get(..2)?)?;
    let minutes = match rest.get(2..)? {
        "" => 0,
        rest => digits(rest.strip_prefix(':').unwrap_or(rest)).filter(|minutes| *minutes < 60)?,
    };
    (hours < 24).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if is_leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month - 1).ok()?;
    if !(1..=*lengths.get(before)?).contains(&day) {
        return None;
    }
    let past = year - 1;
    // Days of the proleptic Gregorian calendar from year 1 until the year began.
    let days = past * 365 + past / 4 - past / 100 + past / 400;
    Some(days - 719_162 + lengths.iter().take(before).sum::<i64>() + day - 1)
}

/// A number of at most nine digits: no arithmetic above can overflow.
fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.get(..text.len().min(9))?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;

    #[test]
    fn dates_are_counted_exactly() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2012-03-22T16:56:48-05:00", 1_332_453_408),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2024-02-29T23:59:59.999999Z", 1_709_251_199),
            ("2100-03-01T00:00:00+00:00", 4_107_542_400),
            ("2038-01-19T03:14:07Z", 2_147_483_647),
            ("2038-01-19 03:14:07", 2_147_483_647),
            ("2038-01-19T04:14:07+0100", 2_147_483_647),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(unix_seconds(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "T",
            "2012-03-22",
            "2012-13-01T00:00:00Z",
            "2012-00-01T00:00:00Z",
            "2011-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2012-03-22T24:00:00Z",
            "2012-03-22T16:60:00Z",
            "2012-03-22T16:56Z",
            "2012-03-22T16:56:48+24:00",
            "2012-03-22T16:56:48+",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "09/14/2017 00:00:00 PM +00:00",
            "2012-03-22T16:56:48.é",
            "２０１２-03-22T16:56:48Z",
        ] {
            assert_eq!(unix_seconds(text), None, "{text}");
        }
    }
}

//! Dates as RFC 3339 writes them, which golang and others store: read exactly, in whole numbers.

/// Seconds since the Unix epoch, before it or after; a fraction of a second is cut off. `None` for
/// what is no date of this kind.
///
/// A leap second counts as the second after it, as Unix time has it.
///
/// See [RFC 3339 §5.6](https://www.rfc-editor.org/rfc/rfc3339#section-5.6).
pub(crate) fn rfc3339(text: &str) -> Option<i64> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 0..=9999)?;
    rest.one_of("-")?;
    let month = rest.digits(2, 1..=12)?;
    rest.one_of("-")?;
    let day = rest.digits(2, 1..=days_of(year, month))?;
    rest.one_of("Tt")?;
    let hour = rest.digits(2, 0..=23)?;
    rest.one_of(":")?;
    let minute = rest.digits(2, 0..=59)?;
    rest.one_of(":")?;
    let second = rest.digits(2, 0..=60)?;
    if rest.one_of(".").is_some() {
        rest.fraction()?;
    }
    let offset = match rest.one_of("Zz+-")? {
        sign @ ('+' | '-') => {
            let hours = rest.digits(2, 0..=23)?;
            rest.one_of(":")?;
            let minutes = rest.digits(2, 0..=59)?;
            let seconds = (hours * 60 + minutes) * 60;
            if sign == '-' { -seconds } else { seconds }
        }
        _ => 0,
    };
    let seconds = ((days_before(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    rest.0.is_empty().then_some(seconds - offset)
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// So many digits, and what they count.
    fn digits(&mut self, count: usize, range: core::ops::RangeInclusive<i64>) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.bytes().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })?;
        self.0 = rest;
        range.contains(&number).then_some(number)
    }

    fn one_of(&mut self, marks: &str) -> Option<char> {
        let mut rest = self.0.chars();
        let mark = rest.next().filter(|mark| marks.contains(*mark))?;
        self.0 = rest.as_str();
        Some(mark)
    }

    /// One digit or more.
    fn fraction(&mut self) -> Option<()> {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_there = rest.len() < self.0.len();
        self.0 = rest;
        is_there.then_some(())
    }
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from the epoch to a date. A year is counted from March, so that the leap day is its
/// last; 400 years have 146,097 days, and 719,468 lie between March of the year 0 and the epoch.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let days = year * 365 + year / 4 - year / 100 + (month * 153 + 2) / 5 + day - 1;
    era * 146_097 + days - 719_468
}

#[cfg(test)]
mod tests {
    use super::{days_before, days_of, rfc3339};

    #[test]
    fn the_examples_of_rfc_3339_section_5_8() {
        for (text, seconds) in [
            ("1985-04-12T23:20:50.52Z", 482_196_050),
            ("1996-12-19T16:39:57-08:00", 851_042_397),
            ("1990-12-31T23:59:60Z", 662_688_000),
            ("1990-12-31T15:59:60-08:00", 662_688_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_173),
        ] {
            assert_eq!(rfc3339(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn other_spellings() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("2000-02-29T12:00:00+23:59", 951_739_260),
            ("2023-11-14T22:13:20.999999999Z", 1_700_000_000),
            ("2023-11-14T22:13:20-00:00", 1_700_000_000),
        ] {
            assert_eq!(rfc3339(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2023-11-14",
            "2023-11-14 22:13:20Z",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20,5Z",
            "2023-11-14T22:13:20+0100",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:60:00Z",
            "2023-11-14T22:13:61Z",
            "2023-13-14T22:13:20Z",
            "2023-00-14T22:13:20Z",
            "2023-11-00T22:13:20Z",
            "2023-11-31T22:13:20Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "+2023-11-14T22:13:20Z",
            "20 3-11-14T22:13:20Z",
            "２023-11-14T22:13:20Z",
            "2023-11-14T22:13:20Zz",
            "12023-11-14T22:13:20Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = days_before(0, 1, 1);
        for year in 0..=9999 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month) {
                    assert_eq!(days_before(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }
}

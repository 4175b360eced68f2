//! Whole numbers in JSON, as servers and programs write them.

/// Any JSON spelling of a number, in quotes or not; a fraction is cut off, what is too large is
/// clamped. `None` for everything else.
///
/// Read digit by digit: exact, and without the tables that floating point would link.
pub(crate) fn whole_number(json: &str) -> Option<i64> {
    let number = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json);
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (digits, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    // How many of the digits stand before the decimal point.
    let exponent: i32 = exponent.parse().ok()?;
    let mut places = i32::try_from(whole.len()).ok()?.saturating_add(exponent);
    let mut value = 0_i64;
    for character in whole.chars().chain(fraction.chars()) {
        let digit = character.to_digit(10)?;
        if places > 0 {
            value = value.saturating_mul(10).saturating_add(digit.into());
        }
        places = places.saturating_sub(1);
    }
    // More than twenty zeros clamp anything but zero, which stays zero.
    for _ in 0..places.min(20) {
        value = value.saturating_mul(10);
    }
    Some(if unsigned == number { value } else { value.saturating_neg() })
}

#[cfg(test)]
mod tests {
    use super::whole_number;

    #[test]
    fn every_spelling_of_a_number_is_read_exactly() {
        for (json, number) in [
            ("0", 0),
            ("-0", 0),
            ("\"-30\"", -30),
            ("1700000000", 1_700_000_000),
            ("1700000000.987", 1_700_000_000),
            ("1.7e9", 1_700_000_000),
            ("17E+08", 1_700_000_000),
            ("1700000000000e-3", 1_700_000_000),
            ("0e99", 0),
            ("1e99", i64::MAX),
            ("-1e99", -i64::MAX),
            ("9223372036854775807", i64::MAX),
            ("92233720368547758070", i64::MAX),
            ("12e-9", 0),
        ] {
            assert_eq!(whole_number(json), Some(number), "{json}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for json in [
            "", "-", "\"\"", "null", "true", "1.", ".5", "1e", "1ee1", "--1", "+1", "0x1", "1 ",
            "[1]",
        ] {
            assert_eq!(whole_number(json), None, "{json}");
        }
    }
}

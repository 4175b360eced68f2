//! The challenges of a resource server (RFC 9110 §11.6.1, RFC 6750 §3).

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use oauth2_proto::Challenge;

/// How many challenges are read at most.
const MOST: usize = 16;
const GOOD: &str = r#"Bearer error="invalid_token""#;

/// Reads each line as the value of a `WWW-Authenticate` field.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').map(HeaderValue::from_bytes);
    let lines: Vec<HeaderValue> = lines.filter_map(Result::ok).take(MOST).collect();
    let all = read(lines.iter());
    all.iter().for_each(assert_sane);

    // Each line is read for itself.
    let mut each: Vec<Challenge> = lines.iter().flat_map(|line| read([line])).collect();
    each.truncate(MOST);
    assert_eq!(all, each);

    // A bad challenge never hides a good one, wherever that stands.
    let good = HeaderValue::from_static(GOOD);
    let before = read([&good].into_iter().chain(&lines));
    assert!(before.first().is_some_and(Challenge::is_invalid_token));
    let after = read(lines.iter().chain([&good]));
    assert!(all.len() == MOST || after.last().is_some_and(Challenge::is_invalid_token));
    for line in lines.iter().filter(|line| line.len() <= 4096) {
        let same_line = [GOOD.as_bytes(), b", ", line.as_bytes()].concat();
        let same_line = HeaderValue::from_bytes(&same_line).expect("both are header values");
        let found = read([&same_line]);
        // The line may go on with parameters of the good challenge, `error` once more among them.
        assert!(found.first().is_some_and(Challenge::is_bearer));
        assert!(found.len() <= read([line]).len().saturating_add(1));
    }
}

fn read<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Vec<Challenge> {
    let lines = lines.into_iter().map(|line| (WWW_AUTHENTICATE, line.clone()));
    Challenge::from_headers(&lines.collect::<HeaderMap>())
}

fn assert_sane(challenge: &Challenge) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    assert!(!challenge.scheme().is_empty() && challenge.scheme().chars().all(is_token));
    let is_shown = |text: &str| {
        text.len() <= 512
            && text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E))
    };
    assert!(challenge.error_description().is_none_or(is_shown));
    assert!(challenge.error_uri().is_none_or(|uri| is_shown(uri) && !uri.contains(' ')));
    assert!(!challenge.is_invalid_token() || challenge.is_bearer());
}

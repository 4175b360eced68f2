//! How `WWW-Authenticate` is read: the grammar, recovery from damage, and the bounds.

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use oauth2_proto::Challenge;
use proptest::prelude::*;

fn parse_lines<L: AsRef<[u8]>>(lines: &[L]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for line in lines {
        if let Ok(value) = HeaderValue::from_bytes(line.as_ref()) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    Challenge::from_headers(&headers)
}

fn parse(line: &str) -> Vec<Challenge> {
    parse_lines(&[line])
}

fn only(line: &str) -> Challenge {
    let mut challenges = parse(line);
    assert_eq!(challenges.len(), 1, "{line}: {challenges:?}");
    challenges.remove(0)
}

fn schemes(challenges: &[Challenge]) -> Vec<&str> {
    challenges.iter().map(Challenge::scheme).collect()
}

// Grammar

#[test]
fn reads_the_rfc_9110_example() {
    let line = r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#;
    let challenges = parse(line);
    assert_eq!(schemes(&challenges), ["Basic", "Newauth"]);
    assert_eq!(challenges[0].realm(), Some("simple"));
    assert_eq!(challenges[0].parameter("type"), None);
    assert_eq!(challenges[1].realm(), Some("apps"));
    assert_eq!(challenges[1].parameter("type"), Some("1"));
    assert_eq!(challenges[1].parameter("title"), Some(r#"Login to "apps""#));
}

#[test]
fn reads_the_rfc_6750_examples() {
    let bare = only(r#"Bearer realm="example""#);
    assert!(bare.is_bearer() && !bare.is_invalid_token());
    assert_eq!((bare.realm(), bare.error()), (Some("example"), None));

    let expired = only(
        r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
    );
    assert!(expired.is_invalid_token());
    assert_eq!(expired.error(), Some("invalid_token"));
    assert_eq!(expired.error_description(), Some("The access token expired"));
    assert_eq!((expired.error_uri(), expired.scope(), expired.token68()), (None, None, None));
}

#[test]
fn reads_a_scope_as_sent() {
    let challenge = only(r#"Bearer scope="openid profile  email", error=insufficient_scope"#);
    assert_eq!(challenge.scope(), Some("openid profile  email"));
    assert_eq!(challenge.error(), Some("insufficient_scope"));
}

#[test]
fn reads_a_dpop_challenge_beside_a_bearer_one() {
    let challenges = parse(
        r#"DPoP error="use_dpop_nonce", error_description="Resource server requires nonce", Bearer error="invalid_token""#,
    );
    assert_eq!(schemes(&challenges), ["DPoP", "Bearer"]);
    assert_eq!(challenges[0].error(), Some("use_dpop_nonce"));
    assert_eq!(challenges[0].error_description(), Some("Resource server requires nonce"));
    assert!(!challenges[0].is_bearer() && challenges[1].is_invalid_token());
}

#[test]
fn invalid_token_counts_for_bearer_alone() {
    assert!(!only("DPoP error=invalid_token").is_invalid_token());
    assert!(!only("Bearer error=Invalid_Token").is_invalid_token());
    assert!(!only("Bearer error=invalid_token, error=invalid_request").is_invalid_token());
    assert!(only("BEARER ERROR=invalid_token").is_invalid_token());
}

#[test]
fn reads_token68() {
    for text in ["abc==", "a", "a=", "-._~+/09AZaz", "abc======"] {
        let challenge = only(&format!("Negotiate {text}"));
        assert_eq!(challenge.token68(), Some(text));
        assert_eq!(challenge.parameter("a"), None);
    }
    let challenges = parse(r#"Negotiate abc==, Bearer realm="x""#);
    assert_eq!(schemes(&challenges), ["Negotiate", "Bearer"]);
    assert_eq!(challenges[0].token68(), Some("abc=="));
    assert_eq!((challenges[1].token68(), challenges[1].realm()), (None, Some("x")));
}

#[test]
fn parameters_after_a_token68_stay_with_it() {
    let challenges = parse(r#"Basic realm="a", Bearer realm=, error=invalid_token, NTLM"#);
    assert_eq!(schemes(&challenges), ["Basic", "Bearer", "NTLM"]);
    assert_eq!(challenges[0], only("Basic realm=a"));
    assert_eq!((challenges[1].token68(), challenges[1].realm()), (Some("realm="), None));
    assert!(challenges[1].is_invalid_token());
}

#[test]
fn reads_schemes_alone() {
    assert_eq!(only("Bearer").scheme(), "Bearer");
    assert_eq!(
        schemes(&parse("Negotiate, NTLM,Basic realm=x ,Bearer ")),
        ["Negotiate", "NTLM", "Basic", "Bearer"]
    );
}

#[test]
fn allows_whitespace_and_empty_elements() {
    let line = " ,, \t, Bearer , ,realm \t= \t\"x\"\t, ,error  =invalid_token,scope= \"a\", , Basic   realm=y,,";
    let challenges = parse(line);
    assert_eq!(schemes(&challenges), ["Bearer", "Basic"]);
    assert_eq!((challenges[0].realm(), challenges[0].scope()), (Some("x"), Some("a")));
    assert!(challenges[0].is_invalid_token());
    assert_eq!(challenges[1].realm(), Some("y"));
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(Challenge::from_headers(&HeaderMap::new()), []);
    for line in ["", " ", ",", " , ,\t,"] {
        assert_eq!(parse(line), [], "{line:?}");
    }
}

#[test]
fn names_and_schemes_ignore_case() {
    let challenge = only(r#"bEaReR ReAlM="Ex", ERROR=Invalid"#);
    assert!(challenge.is_bearer());
    assert_eq!(challenge.scheme(), "bEaReR");
    assert_eq!((challenge.realm(), challenge.parameter("rEALm")), (Some("Ex"), Some("Ex")));
    assert_eq!(challenge.error(), Some("Invalid"));
}

#[test]
fn a_parameter_sent_twice_is_none() {
    let challenge = only(r#"Bearer realm="a", scope=s, REALM="a", realm=c"#);
    assert_eq!((challenge.realm(), challenge.scope()), (None, Some("s")));
    let challenges = parse("Basic realm=a, Bearer realm=b");
    assert_eq!((challenges[0].realm(), challenges[1].realm()), (Some("a"), Some("b")));
}

#[test]
fn unescapes_quoted_pairs() {
    let challenge =
        only(r#"Basic a="\"\\\"", b="\a\,\ \	", c="x, Bearer error=invalid_token", d="\\", e="""#);
    assert_eq!(challenge.parameter("a"), Some(r#""\""#));
    assert_eq!(challenge.parameter("b"), Some("a, \t"));
    assert_eq!(challenge.parameter("c"), Some("x, Bearer error=invalid_token"));
    assert_eq!(challenge.parameter("d"), Some(r"\"));
    assert_eq!(challenge.parameter("e"), Some(""));
    assert_eq!(only(r#"Basic realm="""#).realm(), Some(""));
}

#[test]
fn non_ascii_text_does_not_break_a_line() {
    let utf8 = only("Basic realm=\"Zürich \\é 東京\", charset=\"UTF-8\"");
    assert_eq!(utf8.realm(), Some("Zürich é 東京"));
    assert_eq!(utf8.parameter("charset"), Some("UTF-8"));

    let latin1 =
        parse_lines(&[&b"Basic realm=\"Z\xfcrich \\\xff\xc3\", Bearer scope=\"a\xe2\x82\""[..]]);
    assert_eq!(schemes(&latin1), ["Basic", "Bearer"]);
    assert_eq!(latin1[0].realm(), Some("Z\u{fffd}rich \u{fffd}\u{fffd}"));
    assert_eq!(latin1[1].scope(), Some("a\u{fffd}"));
    // Outside quotes it is not allowed.
    assert_eq!(only("Basic realm=Zürich").realm(), None);
    assert_eq!(parse("Bäsic realm=x"), []);
}

#[test]
fn reads_every_header_line_in_order() {
    let response = http::Response::builder()
        .status(401)
        .header("WWW-Authenticate", r#"Basic realm="a", Negotiate"#)
        .header("Proxy-Authenticate", "Digest")
        .header("www-authenticate", r#"Bearer realm="b""#)
        .body(())
        .unwrap();
    let challenges = Challenge::from_response(&response);
    assert_eq!(schemes(&challenges), ["Basic", "Negotiate", "Bearer"]);
    assert_eq!(challenges[2].realm(), Some("b"));
}

#[test]
fn a_challenge_ends_with_its_line() {
    let challenges = parse_lines(&["Bearer realm=a", "error=invalid_token, Basic realm=b"]);
    assert_eq!(schemes(&challenges), ["Bearer", "Basic"]);
    assert_eq!(challenges[0].error(), None);
}

// Recovery

#[test]
fn a_wreck_hides_no_neighbour() {
    let good = parse("Basic realm=a, Bearer realm=b");
    for wreck in [
        "@@@",
        "@@@ realm=z",
        "\"quoted\" realm=z",
        "\"a, Bearer realm=z\"",
        "Bear@er realm=z",
        "Bearer: realm=z",
        "Dig\"e,st\" realm=z",
        "é, realm=z, error=invalid_token",
        "= x, scope=z",
        "\\\"a, Bearer realm=z\"",
        "=",
        "(), scope=z",
    ] {
        for line in [
            format!("{wreck}, Basic realm=a, Bearer realm=b"),
            format!("Basic realm=a, {wreck}, Bearer realm=b"),
            format!("Basic realm=a, Bearer realm=b, {wreck}"),
        ] {
            assert_eq!(parse(&line), good, "{line}");
        }
    }
}

#[test]
fn drops_only_the_malformed_parameters() {
    for broken in [
        "x=",
        "x==",
        "x=a b",
        "x=a\"b\"",
        "x=\"a\" b",
        "x=\"a\"b",
        "x=\"a\" realm=\"z\"",
        "x=https://example.com/",
        "x=\"a\"\"b\"",
        "x=é",
        "x = =",
    ] {
        let challenges = parse(&format!("Bearer realm=a, {broken}, scope=s, Basic realm=b"));
        assert_eq!(challenges, parse("Bearer realm=a, scope=s, Basic realm=b"), "{broken}");
    }
}

#[test]
fn a_scheme_with_a_malformed_start_keeps_its_later_parameters() {
    for broken in ["x=", "x y", "x=a b", "x:y", "\"x\"", "x=\"a\" b", "@", "x =", "a== b", "@x=y"] {
        let challenges = parse(&format!("Basic realm=a, Bearer {broken}, scope=s, Digest realm=d"));
        assert_eq!(schemes(&challenges), ["Basic", "Bearer", "Digest"], "{broken}");
        assert_eq!(challenges[0], only("Basic realm=a"), "{broken}");
        assert_eq!(challenges[1].scope(), Some("s"), "{broken}");
        assert_eq!(challenges[1].parameter("x"), None, "{broken}");
        assert_eq!(challenges[1].parameter("@x"), None, "{broken}");
        assert_eq!(challenges[2], only("Digest realm=d"), "{broken}");
    }
}

#[test]
fn parameters_without_a_scheme_belong_to_no_one() {
    assert_eq!(parse("realm=a, error=invalid_token"), []);
    assert_eq!(parse("realm=a, Basic realm=b"), [only("Basic realm=b")]);
    assert_eq!(parse("Bearer realm=a, @, error=invalid_token"), [only("Bearer realm=a")]);
}

#[test]
fn an_open_quote_swallows_its_own_line_only() {
    for open in ["\"x", "\"x\\", "\"x\\\"", "\"", "a\"", "\"x\" \""] {
        let challenges = parse_lines(&[
            "Basic realm=a".to_owned(),
            format!("Negotiate, Bearer scope=s, realm={open}, Digest realm=c"),
            "DPoP algs=ES256".to_owned(),
        ]);
        assert_eq!(schemes(&challenges), ["Basic", "Negotiate", "Bearer", "DPoP"], "{open}");
        assert_eq!(challenges[2], only("Bearer scope=s"), "{open}");
    }
}

// Bounds

#[test]
fn keeps_sixteen_challenges() {
    let line = (0..15).map(|i| format!("S{i} realm=x")).collect::<Vec<_>>().join(",");
    let challenges = parse_lines(&[line.as_str(), "A, B, error=late", "C, error=later"]);
    assert_eq!(challenges.len(), 16);
    assert_eq!(challenges[15], only("A"));
}

#[test]
fn keeps_thirty_two_parameters_and_still_sees_duplicates() {
    let line = (0..40).map(|i| format!("p{i}={i}")).collect::<Vec<_>>().join(",");
    let challenge = only(&format!("X {line}, P0=again, p39=again"));
    assert_eq!(challenge.parameter("p0"), None);
    assert_eq!(challenge.parameter("p1"), Some("1"));
    assert_eq!(challenge.parameter("p31"), Some("31"));
    assert_eq!(challenge.parameter("p32"), None);
    assert_eq!(challenge.parameter("p39"), None);
}

#[test]
fn ignores_lines_over_8_kib() {
    let fits = format!("Bearer realm=\"{}\"", "x".repeat(8192 - 15));
    assert_eq!(fits.len(), 8192);
    let over = fits.replace("Bearer ", "Bearer  ");
    assert_eq!(parse(&fits).len(), 1);
    assert_eq!(parse(&over), []);
    assert_eq!(parse_lines(&["Basic", &over, "NTLM"]), parse("Basic, NTLM"));
}

#[test]
fn error_text_is_printable_and_bounded() {
    let challenge = only(
        "Bearer Error_Description=\"a\tb \\\"c\\\\ é\u{85}\u{202e}~!\", error_uri=\"https://e.example/ \\\"é#x\"",
    );
    assert_eq!(challenge.error_description(), Some("ab c ~!"));
    assert_eq!(challenge.parameter("error_description"), Some("ab c ~!"));
    assert_eq!(challenge.error_uri(), Some("https://e.example/#x"));

    let long = "é-".repeat(600);
    let challenge = only(&format!("Bearer error_description=\"{long}\", error_uri=\"{long}\""));
    assert_eq!(challenge.error_description(), Some("-".repeat(512).as_str()));
    assert_eq!(challenge.error_uri(), Some("-".repeat(512).as_str()));
}

// Properties

/// A challenge before printing: what follows the scheme, and how each parameter is laid out.
#[derive(Clone, Debug)]
struct Model {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<Layout>,
}

#[derive(Clone, Debug)]
struct Layout {
    name: String,
    value: String,
    quote: bool,
    escape_all: bool,
    before: String,
    after: String,
}

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}";
const SPACE: &str = "[ \t]{0,2}";

fn layout() -> impl Strategy<Value = Layout> {
    let value = prop_oneof![TOKEN, "[\t -~\u{80}-\u{10ffff}]{0,12}", "[\\\\\",= a]{0,8}"];
    (TOKEN, value, any::<bool>(), any::<bool>(), SPACE, SPACE).prop_map(
        |(name, value, quote, escape_all, before, after)| {
            let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            let quote = quote || value.is_empty() || !value.chars().all(is_tchar);
            Layout { name, value, quote, escape_all, before, after }
        },
    )
}

fn model() -> impl Strategy<Value = Model> {
    let token68 = "[-._~+/0-9A-Za-z]{1,8}={0,3}".prop_map(Some);
    prop_oneof![
        (TOKEN, token68).prop_map(|(scheme, token68)| Model {
            scheme,
            token68,
            parameters: vec![]
        }),
        (TOKEN, prop::collection::vec(layout(), 0..5)).prop_map(|(scheme, mut parameters)| {
            let mut seen = vec![];
            parameters.retain(|p| {
                let name = p.name.to_ascii_lowercase();
                let is_new = !seen.contains(&name);
                seen.push(name);
                is_new
            });
            Model { scheme, token68: None, parameters }
        }),
    ]
}

fn print(challenges: &[Model], separator: &str) -> String {
    let print_parameter = |p: &Layout| {
        let mut text = format!("{}{}={}", p.name, p.before, p.after);
        if p.quote {
            text.push('"');
            for c in p.value.chars() {
                if p.escape_all || c == '"' || c == '\\' {
                    text.push('\\');
                }
                text.push(c);
            }
            text.push('"');
        } else {
            text.push_str(&p.value);
        }
        text
    };
    let print_challenge = |c: &Model| {
        let parameters: Vec<_> = c.parameters.iter().map(print_parameter).collect();
        let body = c.token68.clone().unwrap_or_else(|| parameters.join(separator));
        if body.is_empty() { c.scheme.clone() } else { format!("{} {body}", c.scheme) }
    };
    challenges.iter().map(print_challenge).collect::<Vec<_>>().join(separator)
}

fn assert_same(parsed: &[Challenge], models: &[&Model]) {
    assert_eq!(parsed.len(), models.len(), "{parsed:?}");
    for (challenge, model) in parsed.iter().zip(models) {
        assert_eq!(challenge.scheme(), model.scheme);
        assert_eq!(challenge.token68(), model.token68.as_deref());
        for p in &model.parameters {
            assert_eq!(challenge.parameter(&p.name), Some(p.value.as_str()));
            assert_eq!(challenge.parameter(&p.name.to_ascii_uppercase()), Some(p.value.as_str()));
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(
        lines in prop::collection::vec(prop::collection::vec(model(), 0..4), 0..5),
        separator in "[ \t]{0,2},[ ,\t]{0,3}",
    ) {
        let printed: Vec<_> = lines.iter().map(|line| print(line, &separator)).collect();
        assert_same(&parse_lines(&printed), &lines.iter().flatten().collect::<Vec<_>>());
    }

    #[test]
    fn a_wreck_between_challenges_changes_nothing(
        front in prop::collection::vec(model(), 0..4),
        wreck in "([!-~&&[^\",=]]{0,4}[@:;<>()\\[\\]{}?/é][^\",\\x00-\\x1f\\x7f]{0,12}|\"[^\"\\\\\\x00-\\x1f\\x7f]{0,12}\")",
        back in prop::collection::vec(model(), 0..4),
    ) {
        let line = [print(&front, ","), wreck, print(&back, ",")].join(",");
        assert_same(&parse(&line), &front.iter().chain(&back).collect::<Vec<_>>());
    }

    #[test]
    fn arbitrary_bytes_stay_in_bounds(data in prop::collection::vec(any::<u8>(), 0..2048)) {
        fuzz(&data);
    }

    #[test]
    fn near_misses_stay_in_bounds(data in "([ ,=\"\\\\\n\t@é]|Bearer |realm|error_uri=|a){0,400}") {
        fuzz(data.as_bytes());
    }
}

/// Reads arbitrary bytes as header lines and checks what must hold for any input.
///
/// # Panics
///
/// Panics when it does not hold.
pub fn fuzz(data: &[u8]) {
    let lines: Vec<_> = data.split(|octet| *octet == b'\n').collect();
    let challenges = parse_lines(&lines);
    assert!(challenges.len() <= 16);
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_error_char = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    for challenge in &challenges {
        assert!(!challenge.scheme().is_empty() && challenge.scheme().chars().all(is_tchar));
        assert!(challenge.token68().is_none_or(|text| !text.is_empty() && text.is_ascii()));
        assert!(challenge.realm().is_none_or(|text| text.len() <= 3 * 8192));
        for text in [challenge.error_description(), challenge.error_uri()].into_iter().flatten() {
            assert!(text.len() <= 512 && text.chars().all(is_error_char));
        }
        assert!(!challenge.is_invalid_token() || challenge.is_bearer());
    }
    // Lines are read independently, so reading them one at a time gives the same challenges.
    let one_by_one = lines.iter().flat_map(|line| parse_lines(&[line])).take(16);
    assert_eq!(challenges, one_by_one.collect::<Vec<_>>());
}

//! The challenges of a `WWW-Authenticate` header (RFC 9110 §11.2–§11.6.1) with their Bearer
//! parameters by name (RFC 6750 §3). It refuses header lines over 8 KiB, challenges past the
//! sixteenth, parameters past a challenge's thirty-second, and every malformed parameter; a
//! malformed challenge never hides the good ones around it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

const MAX_LINE_BYTES: usize = 8 * 1024;
const MAX_CHALLENGES: usize = 16;
const MAX_PARAMETERS: usize = 32;
const MAX_ERROR_TEXT_BYTES: usize = 512;

/// One challenge a server sent in `WWW-Authenticate`.
///
/// The text is the server's: apart from [`error_description`](Self::error_description) and
/// [`error_uri`](Self::error_uri) it can hold any character but an ASCII control other than a tab.
/// Octets that are not UTF-8 read as U+FFFD.
///
/// See [RFC 9110 §11.3](https://www.rfc-editor.org/rfc/rfc9110#section-11.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    /// `None` marks a name that was sent more than once, so that no later copy can look unique.
    parameters: Vec<(String, Option<String>)>,
}

impl Challenge {
    /// Reads every challenge of a response, in the order sent.
    ///
    /// See [RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1).
    #[must_use]
    pub fn from_response<B>(response: &http::Response<B>) -> Vec<Self> {
        Self::from_headers(response.headers())
    }

    /// Reads every challenge of a response's headers, over all `WWW-Authenticate` lines in order.
    ///
    /// See [RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1).
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Vec<Self> {
        let mut challenges = Vec::new();
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        for line in lines.map(HeaderValue::as_bytes).filter(|line| line.len() <= MAX_LINE_BYTES) {
            // Servers that send non-ASCII text today send UTF-8, so that reading gets a realm right
            // where one character per octet would garble it. Every delimiter is ASCII, and lossy
            // decoding leaves ASCII in place: a bad octet can damage text, never the structure.
            read_line(&String::from_utf8_lossy(line), &mut challenges);
        }
        challenges
    }

    /// Returns the authentication scheme as the server wrote it; compare it case-insensitively.
    ///
    /// See [RFC 9110 §11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1).
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Tells whether the scheme is `Bearer`, in any case.
    ///
    /// See [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    #[must_use]
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }

    /// Returns the token68 sent in place of parameters.
    ///
    /// A malformed challenge can have both: `Bearer realm=, error=x` reads as the token68 `realm=`
    /// and a parameter.
    ///
    /// See [RFC 9110 §11.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.2).
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// Returns the parameter of that case-insensitive name, unquoted; `None` if it was sent twice.
    ///
    /// See [RFC 9110 §11.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.2).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) =
            self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.as_deref()
    }

    /// Returns the protection space the challenge is for.
    ///
    /// See [RFC 9110 §11.5](https://www.rfc-editor.org/rfc/rfc9110#section-11.5).
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    /// Returns the code that says why the request was declined.
    ///
    /// See [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }

    /// Returns the explanation for developers, cut to 512 bytes of the characters the RFC allows.
    ///
    /// See [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    #[must_use]
    pub fn error_description(&self) -> Option<&str> {
        self.parameter("error_description")
    }

    /// Returns the address of an explanation, cut like the description: to print, not to follow.
    ///
    /// See [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    #[must_use]
    pub fn error_uri(&self) -> Option<&str> {
        self.parameter("error_uri")
    }

    /// Returns the scope the resource asks for, as the raw space-delimited value.
    ///
    /// See [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope")
    }

    /// Tells whether this is a Bearer challenge that declined the token as no longer valid.
    ///
    /// See [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    #[must_use]
    pub fn is_invalid_token(&self) -> bool {
        self.is_bearer() && self.error() == Some("invalid_token")
    }

    /// Opens a challenge with what followed its scheme up to the next comma.
    fn open(scheme: &str, body: &str) -> Self {
        let token68 = is_token68(body).then(|| body.to_owned());
        let mut challenge = Self { scheme: scheme.to_owned(), token68, parameters: Vec::new() };
        challenge.read_parameter(body);
        challenge
    }

    /// Adds a parameter if it is well-formed.
    fn read_parameter(&mut self, text: &str) {
        let Some((name, value)) = parameter(text) else { return };
        // RFC 9110 §11.2: a parameter name MUST only occur once per challenge.
        if let Some((_, known)) =
            self.parameters.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            *known = None;
        } else if self.parameters.len() < MAX_PARAMETERS {
            self.parameters.push((name.to_owned(), Some(printable(name, value))));
        }
    }
}

/// Reads one header line.
///
/// The line is cut at its commas, and each element says by its start what it is, so damage inside
/// one cannot reach the next:
///
/// - a token and `=` is a parameter of the challenge open before it, dropped if malformed;
/// - a token followed by whitespace or nothing opens a challenge, which is kept even if what
///   follows the scheme is malformed: else its later parameters would fall to the one before it;
/// - anything else may be the wreck of either, so parameters belong to no one until the next
///   challenge opens.
///
/// No challenge is open when a line starts: the header is a list of challenges, and a list is split
/// over lines only between its elements (RFC 9110 §5.3).
fn read_line(line: &str, challenges: &mut Vec<Challenge>) {
    let mut is_open = false;
    // RFC 9110 §5.6.1.2: a recipient MUST parse and ignore empty list elements.
    for element in elements(line).filter(|element| !element.is_empty()) {
        let rest = element.trim_start_matches(is_tchar);
        let name = element.strip_suffix(rest).unwrap_or_default();
        let body = rest.trim_start_matches(is_whitespace);
        if !name.is_empty() && body.starts_with('=') {
            if let Some(challenge) = challenges.last_mut().filter(|_| is_open) {
                challenge.read_parameter(element);
            }
            continue;
        }
        is_open = !name.is_empty() && (rest.is_empty() || rest.starts_with(is_whitespace));
        if is_open {
            if challenges.len() >= MAX_CHALLENGES {
                return;
            }
            challenges.push(Challenge::open(name, body));
        }
    }
}

/// Cuts a line at the commas outside quotes, and trims the pieces.
///
/// Quotes count wherever they stand, so that quoted text never passes for a challenge; one that is
/// not closed runs to the end of the line.
fn elements(line: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let pieces = line.split(move |c| {
        let is_cut = c == ',' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && is_quoted && !is_escaped;
        is_cut
    });
    pieces.map(|piece| piece.trim_matches(is_whitespace))
}

/// Reads `name=value`, where the value is a token or a quoted-string whatever the parameter.
fn parameter(text: &str) -> Option<(&str, String)> {
    let (name, value) = text.split_once('=')?;
    // RFC 9110 §5.6.3: bad whitespace MUST be removed before interpreting the element.
    let name = name.trim_end_matches(is_whitespace);
    let value = value.trim_start_matches(is_whitespace);
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => is_token(value).then(|| value.to_owned())?,
    };
    is_token(name).then_some((name, value))
}

/// Reads a quoted-string after its opening quote; the closing one has to end the text.
fn unquote(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(value),
            // RFC 9110 §5.6.4: a recipient MUST handle a quoted-pair as if it were replaced by the
            // octet following the backslash.
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

/// Leaves in error text only what may be sent in it, since it ends up in logs and on terminals.
fn printable(name: &str, value: String) -> String {
    // RFC 6750 §3: error_description MUST NOT include characters outside %x20-21 / %x23-5B /
    // %x5D-7E, and error_uri none outside the same set without the space.
    let lowest = match name.to_ascii_lowercase().as_str() {
        "error_description" => ' ',
        "error_uri" => '!',
        _ => return value,
    };
    let is_allowed = |c: &char| (lowest..='~').contains(c) && !matches!(c, '"' | '\\');
    // Only ASCII passes, so characters count as bytes.
    value.chars().filter(is_allowed).take(MAX_ERROR_TEXT_BYTES).collect()
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_tchar)
}

fn is_token68(text: &str) -> bool {
    let start = text.trim_end_matches('=');
    !start.is_empty() && start.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
}

fn is_tchar(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn is_whitespace(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

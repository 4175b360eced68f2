//! A hostile authorization server: it rotates refresh tokens, may take the second use of one for
//! theft, and ends an access token alone where it is asked to revoke one.

use http::Response;

/// How the server treats refresh tokens.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Manners {
    /// Seconds.
    pub(crate) lifetime: u64,
    pub(crate) rotates: bool,
    /// The second use of a refresh token ends the login.
    pub(crate) detects_reuse: bool,
    /// Milliseconds for which a refresh token may be used again; each use makes a sibling.
    pub(crate) grace: u64,
}

/// What the server says.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Reply {
    Tokens { access: u32, refresh: Option<u32>, lifetime: u64 },
    Error(&'static str),
    Down,
    Garbage,
    Done,
}

/// Why it refuses.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Cause {
    /// This very refresh token was used before.
    Reuse,
    /// The login was ended: by the server's own will, by a theft or a revocation.
    Ended,
}

#[derive(Clone, Debug, Hash)]
struct Token {
    family: usize,
    spent_at: Option<u64>,
    revoked: bool,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Server {
    pub(crate) manners: Manners,
    /// Refresh and access tokens, by the number in their name: the order of issue.
    tokens: Vec<Token>,
    /// Whether each login was ended.
    ended: Vec<bool>,
}

impl Server {
    pub(crate) const fn new(manners: Manners) -> Self {
        Self { manners, tokens: Vec::new(), ended: Vec::new() }
    }

    /// A person consents: the first tokens, access and refresh.
    pub(crate) fn consent(&mut self) -> (u32, u32) {
        let family = self.ended.len();
        self.ended.push(false);
        (self.issue(family), self.issue(family))
    }

    fn issue(&mut self, family: usize) -> u32 {
        self.tokens.push(Token { family, spent_at: None, revoked: false });
        u32::try_from(self.tokens.len() - 1).unwrap_or(u32::MAX)
    }

    fn token(&mut self, number: u32) -> &mut Token {
        &mut self.tokens[usize::try_from(number).unwrap_or(usize::MAX)]
    }

    pub(crate) fn family(&self, number: u32) -> usize {
        self.tokens[usize::try_from(number).unwrap_or(usize::MAX)].family
    }

    /// Whether this refresh token would bring new tokens, grace apart.
    pub(crate) fn honours(&self, number: u32) -> bool {
        let token = &self.tokens[usize::try_from(number).unwrap_or(usize::MAX)];
        !self.ended[token.family] && !token.revoked && token.spent_at.is_none()
    }

    pub(crate) fn refresh(&mut self, shown: u32, now: u64) -> (Reply, Option<Cause>) {
        let Manners { lifetime, rotates, detects_reuse, grace } = self.manners;
        let token = self.token(shown).clone();
        let refused = |cause| (Reply::Error("invalid_grant"), Some(cause));
        if self.ended[token.family] || token.revoked {
            let reuse = token.spent_at.is_some();
            return refused(if reuse { Cause::Reuse } else { Cause::Ended });
        }
        if token.spent_at.is_some_and(|at| now >= at + grace) {
            self.ended[token.family] |= detects_reuse;
            return refused(Cause::Reuse);
        }
        if rotates && token.spent_at.is_none() {
            self.token(shown).spent_at = Some(now);
        }
        let access = self.issue(token.family);
        let refresh = rotates.then(|| self.issue(token.family));
        (Reply::Tokens { access, refresh, lifetime }, None)
    }

    /// RFC 7009: whatever it is asked, it says yes. An access token's revocation ends that alone.
    pub(crate) fn revoke(&mut self, shown: u32, is_refresh: bool) {
        let token = self.token(shown);
        token.revoked = true;
        if is_refresh && token.spent_at.is_none() {
            let family = token.family;
            self.ended[family] = true;
        }
    }

    /// Ends the login of its own accord.
    pub(crate) fn end(&mut self, number: u32) {
        let family = self.family(number);
        self.ended[family] = true;
    }
}

impl Reply {
    pub(crate) fn response(self) -> Response<Vec<u8>> {
        let (status, body) = match self {
            Self::Tokens { access, refresh, lifetime } => {
                let refresh = refresh.map(|it| format!(r#","refresh_token":"r{it}""#));
                let refresh = refresh.unwrap_or_default();
                let body = format!(
                    r#"{{"access_token":"a{access}","token_type":"Bearer","expires_in":{lifetime}{refresh}}}"#
                );
                (200, body)
            }
            Self::Error(error) => (400, format!(r#"{{"error":"{error}"}}"#)),
            Self::Down => (503, String::new()),
            Self::Garbage => (200, "<html>Sign in to this network</html>".into()),
            Self::Done => (200, String::new()),
        };
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        response
    }
}

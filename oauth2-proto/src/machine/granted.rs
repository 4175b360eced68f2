//! What a token answer makes of a login: a new one, or the successor of the one that asked.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Asked, Authorized, Login, Rare, Renewal, Setbacks, Tokens};
use crate::client::Client;
use crate::value::{RandomText, Scope, Secret, Timestamp};
use crate::wire::Granted;

impl Authorized {
    /// The tokens of an answer, made of the answer alone.
    pub(super) fn new(
        login: Login,
        client: &Client,
        granted: &Granted<'_>,
        earlier: Setbacks,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let login = login.next();
        let tokens = Tokens::new(client.policy(), granted, sent_at, now);
        let renewal = granted.refresh_token.as_deref().map(Renewal::refresh_token);
        let mut setbacks = Setbacks::default();
        // A token that is dead on arrival is a setback like any other: ask again, but not at once.
        if tokens.expires_at.is_some_and(|expires_at| now >= expires_at) {
            setbacks.failures = earlier.failures;
            setbacks.back_off(None, now);
        }
        Self { login, tokens, renewal, rare: None, setbacks }
    }

    /// Adds what was asked for. RFC 6749 §5.1: an answer without scope has granted just that.
    pub(super) fn asked_for(&mut self, requested: Scope, granted: &Granted<'_>) {
        self.tokens.granted = granted.scope(requested.clone());
        self.tokens.requested = requested;
    }

    /// Keeps what the first of two answers brought and the second does not mention.
    pub(super) fn follow(&mut self, first: Self) {
        self.renewal = self.renewal.take().or(first.renewal);
        self.tokens.id_token = self.tokens.id_token.take().or(first.tokens.id_token);
        let (earlier, own) = (first.tokens.extras.expose(), self.tokens.extras.expose());
        // Where both have a member, the later one counts.
        let merged = match (earlier.strip_suffix('}'), own.strip_prefix('{')) {
            (Some(earlier), Some(own)) => [earlier, own].join(","),
            (Some(_), None) => earlier.into(),
            (None, _) => return,
        };
        self.tokens.extras = Secret::new(merged);
    }

    /// Adds what only a login in a browser has.
    pub(super) fn in_browser(&mut self, nonce: Option<Box<RandomText>>, kept: &[(String, String)]) {
        let mut text = String::new();
        for (name, value) in kept {
            text.push(if text.is_empty() { '{' } else { ',' });
            // Writing a text as JSON cannot fail.
            text.push_str(&serde_json::to_string(name).unwrap_or_default());
            text.push(':');
            text.push_str(&serde_json::to_string(value).unwrap_or_default());
        }
        if !text.is_empty() {
            text.push('}');
        }
        self.rare = Rare::new(Vec::new(), None, nonce, Secret::new(text));
    }

    /// Keeps what these tokens' predecessors had and the answer does not mention.
    pub(super) fn succeeding(mut self, old: Self, asked: Asked, granted: &Granted<'_>) -> Self {
        let (narrower, resource) = asked.into_parts();
        if let Some(resource) = resource {
            // RFC 6749 §6: without scope, it is that of the refresh token.
            let full = old.full_scope().clone();
            self.rare = old.rare;
            let mut tokens = core::mem::replace(&mut self.tokens, old.tokens);
            tokens.granted = granted.scope(full);
            tokens.requested = self.tokens.requested.clone();
            self.hold_for(resource, tokens);
        } else {
            self.rare = old.rare;
            let full = self.rare.as_mut().and_then(|rare| rare.full_scope.take());
            let full = full.unwrap_or(old.tokens.granted);
            self.tokens.granted = match narrower {
                Some(narrower) => {
                    self.rare.get_or_insert_default().full_scope = Some(full);
                    granted.scope(narrower)
                }
                None => granted.scope(full),
            };
            self.tokens.requested = old.tokens.requested;
            self.tokens.id_token = self.tokens.id_token.or(old.tokens.id_token);
        }
        self.renewal = match (self.renewal, old.renewal) {
            // RFC 6749 §4.4.3: a refresh token SHOULD NOT be included; the grant is repeated.
            (_, Some(Renewal::ClientCredentials(grant))) => Some(Renewal::ClientCredentials(grant)),
            // RFC 6749 §6: the server MAY issue a new refresh token. If not, the old one stays.
            (new, kept) => new.or(kept),
        };
        self
    }
}

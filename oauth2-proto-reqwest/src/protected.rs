//! Protected calls: reqwest's requests and responses, with the agent's token.

use core::fmt;

use http::Request;
use oauth2_proto::agent::{Agent, Host, MemoryStore, Store};
use oauth2_proto::{Error, Generation, Misuse};

use crate::trace::Call;
use crate::{BuildError, CallError, ReqwestHost};

/// Calls protected resources with the token of an [`Agent`].
///
/// The token goes to the agent's [origins](Agent::with_origins) only; requests to others are
/// refused, and never leave. Bodies are reqwest's own: what streams, streams.
///
/// When the resource refuses the token as invalid, the call is made once more, with a new token,
/// *if its body can be sent again*: a streaming body cannot, so then the refusal is the answer, and
/// the next call has the new token.
///
/// Redirects are not followed, whatever the builder says: a 3xx is an answer like any other. To
/// follow one, make a request of its `Location` and execute that: it gets a token if its
/// origin is allowed one.
pub struct Protected<H: Host = ReqwestHost, S: Store = MemoryStore> {
    agent: Agent<H, S>,
    client: reqwest::Client,
}

impl<H: Host, S: Store> Protected<H, S> {
    /// Makes a client of a builder that knows about proxies, certificates and the like.
    ///
    /// # Errors
    /// [`BuildError::NoCryptoProvider`], and [`BuildError::Reqwest`] when reqwest refuses the
    /// builder.
    pub fn new(agent: Agent<H, S>, builder: reqwest::ClientBuilder) -> Result<Self, BuildError> {
        Ok(Self { agent, client: crate::build(builder)? })
    }

    /// The client, to build requests with. What it sends by itself carries no token.
    #[must_use]
    pub const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The agent whose token is used.
    #[must_use]
    pub const fn agent(&self) -> &Agent<H, S> {
        &self.agent
    }

    /// Sends a request with a good token, in place of whatever `Authorization` it had.
    ///
    /// Every status is an answer, a 401 too: it may be about something that no new token changes.
    ///
    /// # Errors
    /// [`CallError::Token`] when there is no token for this request, as
    /// [`Agent::attach`] says; [`CallError::Reqwest`] when the exchange itself fails.
    ///
    /// See [RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
    pub async fn execute(&self, request: reqwest::Request) -> Result<reqwest::Response, CallError> {
        let mut first = request;
        let second = first.try_clone();
        let call = Call::of(first.url());
        let generation = self.attach(&mut first, &call).await?;
        call.attached(generation);
        let answer = self.client.execute(first).await?;
        let rejected = self.agent.should_retry(generation, answer.status(), answer.headers());
        match second {
            Some(mut second) if rejected => {
                drop(answer);
                call.repeated(self.attach(&mut second, &call).await?);
                Ok(self.client.execute(second).await?)
            }
            Some(_) | None => {
                if rejected {
                    call.not_repeated(generation);
                }
                Ok(answer)
            }
        }
    }

    /// Has the agent authorize a request to the same URI, and takes over what it added.
    async fn attach(
        &self,
        request: &mut reqwest::Request,
        call: &Call,
    ) -> Result<Generation, CallError> {
        let mut bare = Request::new(());
        *bare.method_mut() = request.method().clone();
        // A URL that is no URI stays `/`, which is of no origin.
        *bare.uri_mut() = request.url().as_str().parse().unwrap_or_default();
        let generation = self.agent.attach(&mut bare).await.inspect_err(|error| {
            if *error == Error::Misuse(Misuse::Origin) {
                call.is_refused();
            } else {
                call.has_no_token(error);
            }
        })?;
        for (name, value) in bare.headers() {
            request.headers_mut().insert(name, value.clone());
        }
        // A dialect may want the token in the query.
        if let Ok(url) = reqwest::Url::parse(&bare.uri().to_string())
            && url.query() != request.url().query()
        {
            request.url_mut().set_query(url.query());
        }
        Ok(generation)
    }
}

impl<H: Host, S: Store> Clone for Protected<H, S> {
    fn clone(&self) -> Self {
        Self { agent: self.agent.clone(), client: self.client.clone() }
    }
}

impl<H: Host, S: Store> fmt::Debug for Protected<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected").field("agent", &self.agent).finish_non_exhaustive()
    }
}

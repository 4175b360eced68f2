//! Puts an agent's tokens on the requests of a tower service, and repeats once what was refused
//! for its token.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};

use http::{Request, Response};
use oauth2_proto::agent::{Agent, Host, MemoryStore, Store};
use oauth2_proto::{Error, Misuse};
use tower::{Layer, Service};

use crate::trace::Call;

/// Puts an agent's tokens on requests to the origins that may see them.
///
/// The origins are the agent's:
/// [`Agent::with_origins`](oauth2_proto::agent::Agent::with_origins). A request to any other
/// origin, or one whose URI does not say where it goes, passes through as it is, without a token:
/// the layer may wrap a client that also talks to others. A layer that follows redirects goes
/// *outside* of this one, so that each request attaches anew or not at all.
///
/// A request that is refused with 401 and `invalid_token` is repeated once with a new token, if its
/// body can be had twice. Which of the three constructors is right depends on the body:
///
/// | body | constructor | when refused |
/// |---|---|---|
/// | cheap to clone: `Full<Bytes>`, `Empty`, `()`, `String` | [`new`](Self::new) | repeated |
/// | read while it is sent: `Incoming`, `BoxBody`, `StreamBody` | [`streaming`](Self::streaming) | the refusal comes back; the *next* call has a new token |
/// | sometimes this, sometimes that | [`copying`](Self::copying) | repeated where there is a copy |
pub struct AttachTokenLayer<B, H: Host, S: Store = MemoryStore> {
    agent: Agent<H, S>,
    copy: fn(&B) -> Option<B>,
}

impl<B, H: Host, S: Store> AttachTokenLayer<B, H, S> {
    /// For bodies that can be cloned: each request to one of the origins is, before it is sent.
    #[must_use]
    pub fn new(agent: Agent<H, S>) -> Self
    where
        B: Clone,
    {
        Self::copying(agent, |body| Some(body.clone()))
    }

    /// For bodies that can be sent only once. Nothing is repeated.
    #[must_use]
    pub fn streaming(agent: Agent<H, S>) -> Self {
        Self::copying(agent, |_| None)
    }

    /// For bodies that know themselves whether they can be sent twice; `None` means no.
    #[must_use]
    pub const fn copying(agent: Agent<H, S>, copy: fn(&B) -> Option<B>) -> Self {
        Self { agent, copy }
    }
}

impl<T, B, H: Host, S: Store> Layer<T> for AttachTokenLayer<B, H, S> {
    type Service = AttachToken<T, B, H, S>;

    fn layer(&self, service: T) -> Self::Service {
        AttachToken { service, agent: self.agent.clone(), copy: self.copy }
    }
}

impl<B, H: Host, S: Store> Clone for AttachTokenLayer<B, H, S> {
    fn clone(&self) -> Self {
        Self { agent: self.agent.clone(), copy: self.copy }
    }
}

impl<B, H: Host, S: Store> fmt::Debug for AttachTokenLayer<B, H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachTokenLayer").field("agent", &self.agent).finish_non_exhaustive()
    }
}

/// A service whose requests carry tokens, made by [`AttachTokenLayer`].
pub struct AttachToken<T, B, H: Host, S: Store = MemoryStore> {
    service: T,
    agent: Agent<H, S>,
    copy: fn(&B) -> Option<B>,
}

/// The way of one request, and perhaps of its repetition.
pub type Calling<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, CallError<E>>> + Send>>;

impl<T, B, R, H, S> Service<Request<B>> for AttachToken<T, B, H, S>
where
    T: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    T::Future: Send,
    B: Send + 'static,
    R: Send,
    H: Host<Sending: Send, Sleeping: Send> + Send + Sync + 'static,
    S: Store<Loading: Send, Swapping: Send> + Send + Sync + 'static,
{
    type Response = Response<R>;
    type Error = CallError<T::Error>;
    type Future = Calling<R, T::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context).map_err(CallError::Service)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that is ready makes this call; its clone has yet to become ready.
        let clone = self.service.clone();
        let mut service = core::mem::replace(&mut self.service, clone);
        let (agent, copy) = (self.agent.clone(), self.copy);
        Box::pin(async move {
            let call = Call::of(request.uri());
            let generation = match agent.attach(&mut request).await {
                Ok(generation) => generation,
                Err(Error::Misuse(Misuse::Origin)) => {
                    call.passes();
                    return service.call(request).await.map_err(CallError::Service);
                }
                Err(error) => {
                    call.has_no_token(&error);
                    return Err(CallError::Token(error));
                }
            };
            call.attached(generation);
            let repetition = copy(request.body()).map(|body| with_body(&request, body));
            let response = service.call(request).await.map_err(CallError::Service)?;
            // The agent hears of the refusal even where the request can't be repeated.
            let refused = agent.should_retry(generation, response.status(), response.headers());
            let Some(mut request) = repetition.filter(|_| refused) else {
                if refused {
                    call.not_repeated(generation);
                }
                return Ok(response);
            };
            drop(response);
            let attached = agent.attach(&mut request).await;
            let generation = attached.map_err(|error| {
                call.has_no_token(&error);
                CallError::Token(error)
            })?;
            call.repeated(generation);
            poll_fn(|context| service.poll_ready(context)).await.map_err(CallError::Service)?;
            let response = service.call(request).await.map_err(CallError::Service)?;
            // Once is enough, whatever the agent thinks of it.
            if agent.should_retry(generation, response.status(), response.headers()) {
                call.not_repeated(generation);
            }
            Ok(response)
        })
    }
}

impl<T: Clone, B, H: Host, S: Store> Clone for AttachToken<T, B, H, S> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), agent: self.agent.clone(), copy: self.copy }
    }
}

impl<T: fmt::Debug, B, H: Host, S: Store> fmt::Debug for AttachToken<T, B, H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachToken")
            .field("service", &self.service)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// The same request, as far as a body lets it be.
fn with_body<B>(request: &Request<B>, body: B) -> Request<B> {
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

/// Why a call brought no response.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// There is no token to attach; the request was not sent (again).
    Token(Error),
    /// The inner service's own error.
    Service(E),
}

impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "there is no token for the request",
            Self::Service(_) => "the request failed",
        })
    }
}

impl<E: core::error::Error + 'static> core::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            Self::Service(error) => Some(error),
        }
    }
}

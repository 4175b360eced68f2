//! What a client takes from the metadata of an authorization server: its endpoints, as far as their
//! origins are accepted, and how to authenticate.

use alloc::vec::Vec;

use super::{Authentication, Server};
use crate::error::{Error, Malformed, Misuse, Problem, printable};
use crate::value::{LearntUrl, Origins, Secret};
use crate::wire::{METADATA, ServerMetadata};

impl ServerMetadata {
    /// The server to make a [`Client`](crate::Client) with: the issuer and its endpoints, all of
    /// which have to be on the issuer's own origin.
    ///
    /// It refuses callbacks with another `iss`, and those without one when the document says that
    /// the server always sends it. Without an authorization endpoint it is a server that only
    /// programs get tokens from.
    ///
    /// # Errors
    /// [`Problem::Origin`] when an endpoint is on another origin: if that is right, name it to
    /// [`server_within`](Self::server_within). [`Problem::MemberMissing`] without a token endpoint.
    ///
    /// See [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2) and
    /// [RFC 9207 §2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4).
    pub fn server(&self) -> Result<Server, Error> {
        self.server_within(&Origins::default())
    }

    /// As [`server`](Self::server), for servers whose endpoints are on these origins as well.
    ///
    /// ```no_run
    /// # fn f(metadata: oauth2_proto::ServerMetadata) -> Result<(), oauth2_proto::Error> {
    /// use oauth2_proto::{Client, Origins};
    ///
    /// // The issuer is https://accounts.example, its tokens come from elsewhere.
    /// let server = metadata.server_within(&Origins::new(["https://tokens.example"])?)?;
    /// let client = Client::new("my-app", server);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`server`](Self::server).
    pub fn server_within(&self, origins: &Origins) -> Result<Server, Error> {
        let Some(token) = self.token_endpoint() else {
            return Err(refused(Problem::MemberMissing("token_endpoint")));
        };
        let token = token.within(origins)?;
        let (name, server) = match self.authorization_endpoint() {
            Some(url) => ("authorization_endpoint", Server::new(url.within(origins)?, token)),
            None => ("token_endpoint", Server::token_only(token)),
        };
        let server = server.map_err(|misuse| refused(unusable(name, &misuse)))?;
        // RFC 9207 §2.4: if the server says that it sends `iss`, its absence MUST be refused.
        let server = if self.authorization_response_iss_parameter_supported() {
            server.with_issuer_in_callback(self.issuer())
        } else {
            server.with_issuer(self.issuer())
        };
        let add = |server,
                   name,
                   url: Option<&LearntUrl>,
                   with: fn(Server, &str) -> Result<Server, Misuse>| match url {
            Some(url) => with(server, url.within(origins)?)
                .map_err(|misuse| refused(unusable(name, &misuse))),
            None => Ok(server),
        };
        let name = "device_authorization_endpoint";
        let url = self.device_authorization_endpoint();
        let server = add(server, name, url, Server::with_device_authorization)?;
        let name = "pushed_authorization_request_endpoint";
        let url = self.pushed_authorization_request_endpoint();
        let server = add(server, name, url, Server::with_pushed_authorization)?;
        let url = self.revocation_endpoint();
        let server = add(server, "revocation_endpoint", url, Server::with_revocation)?;
        let url = self.introspection_endpoint();
        add(server, "introspection_endpoint", url, Server::with_introspection)
    }

    /// How a client with this secret authenticates here: with `client_secret_basic` where the
    /// server supports it, else with `client_secret_post`.
    ///
    /// A client without a secret does not ask: [`Client::new`](crate::Client::new) is right as it
    /// is.
    ///
    /// # Errors
    /// [`Problem::Authentication`], which names what the server supports, when it is neither.
    ///
    /// See [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2).
    pub fn authentication(&self, secret: impl Into<Secret>) -> Result<Authentication, Error> {
        let supports = |method| self.authentication_methods().any(|own| own == method);
        if supports(BASIC) {
            return Ok(Authentication::Basic(secret.into()));
        }
        if supports(POST) {
            return Ok(Authentication::Post(secret.into()));
        }
        let methods: Vec<&str> = self.authentication_methods().collect();
        Err(refused(Problem::Authentication(printable(&methods.join(", ")))))
    }
}

/// RFC 7591 §2: the names of the methods that need a secret and nothing else.
pub(super) const BASIC: &str = "client_secret_basic";
pub(super) const POST: &str = "client_secret_post";

fn refused(problem: Problem) -> Error {
    Error::Malformed(Malformed::new(problem).of(METADATA))
}

/// What would be the caller's fault, had the caller chosen the URL.
fn unusable(name: &'static str, misuse: &Misuse) -> Problem {
    Problem::url(name, if let Misuse::Url(_, why) = misuse { why } else { "is not usable" })
}

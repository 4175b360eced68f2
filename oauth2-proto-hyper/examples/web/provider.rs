//! Where users sign in: the provider that was named, or an authorization server in this process.

use core::time::Duration;
use std::sync::Arc;

use oauth2_proto::agent::{Host, Origins};
use oauth2_proto::{Authentication, Client, Discovery, Server};
use oauth2_proto_hyper::HyperHost;
use url::Url;

use crate::Outcome;
use crate::arguments::{Arguments, Provided};
use crate::server::{self, AuthorizationServer, Settings};
use crate::sign_in::CALLBACK;

/// Whom this application talks to, and for what.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) client: Arc<Client>,
    /// Its name. Users have theirs from it, and others can be called the same elsewhere.
    pub(crate) issuer: String,
    pub(crate) scope: String,
    pub(crate) user_url: String,
    pub(crate) resource_url: String,
}

impl Provider {
    /// The provider, and a server that runs as long as the second part lives.
    pub(crate) async fn find(
        arguments: &Arguments,
        public: &Url,
    ) -> Outcome<(Self, Option<AuthorizationServer>)> {
        if let Some(provided) = &arguments.provider {
            return Ok((Self::provided(provided).await?, None));
        }
        let (provider, server) = Self::own(public).await?;
        Ok((provider, Some(server)))
    }

    async fn own(public: &Url) -> Outcome<(Self, AuthorizationServer)> {
        let own = AuthorizationServer::start(Settings::default()).await?;
        own.register(public.join(CALLBACK)?.as_str())?;
        let server = Server::new(&own.authorization_url(), &own.token_url())?
            .with_revocation(&own.revocation_url())?;
        let client = Client::new(server::WEB_CLIENT, server);
        let provider = Self {
            client: Arc::new(client.with_secret(server::WEB_SECRET)),
            issuer: "the server of this program".to_owned(),
            scope: server::RESOURCE_SCOPE.to_owned(),
            user_url: own.user_url(),
            resource_url: own.resource_url(),
        };
        Ok((provider, own))
    }

    async fn provided(provided: &Provided) -> Outcome<Self> {
        let secret = std::env::var("CLIENT_SECRET").ok();
        let secret = secret.as_deref();
        let (server, authentication, user_url) = match (&provided.issuer, &provided.token_url) {
            (Some(issuer), None) => provided.discover(issuer, secret).await?,
            (issuer, token_url) => {
                let endpoints = provided.authorization_url.as_deref().zip(token_url.as_deref());
                let (authorization, token) = endpoints.ok_or("name the provider's --issuer")?;
                let mut server = Server::new(authorization, token)?;
                if let Some(issuer) = issuer {
                    server = server.with_issuer(issuer);
                }
                if let Some(url) = &provided.revocation_url {
                    server = server.with_revocation(url)?;
                }
                let basic = |secret: &str| Authentication::Basic(secret.into());
                (server, secret.map_or(Authentication::None, basic), None)
            }
        };
        let user_url = provided.user_url.clone().or(user_url);
        let user_url = user_url.ok_or("the provider does not say who signs in: name --user-url")?;
        let issuer = provided.issuer.as_ref().or(provided.token_url.as_ref());
        let client = Client::new(&provided.client_id, server);
        Ok(Self {
            issuer: issuer.cloned().unwrap_or_default(),
            client: Arc::new(client.with_authentication(authentication)),
            scope: provided.scope.clone(),
            resource_url: provided.resource_url.clone().unwrap_or_else(|| user_url.clone()),
            user_url,
        })
    }
}

impl Provided {
    /// What the provider publishes about itself (RFC 8414, OpenID Connect Discovery).
    async fn discover(
        &self,
        issuer: &str,
        secret: Option<&str>,
    ) -> Outcome<(Server, Authentication, Option<String>)> {
        let host = HyperHost::new()?.with_body_limit(Discovery::BODY_LIMIT);
        let mut discovery = Discovery::new(issuer)?;
        let metadata = loop {
            let response = host.send(discovery.request(), PATIENCE).await?;
            match discovery.receive(&response) {
                Ok(metadata) => break metadata,
                Err(undiscovered) => discovery = undiscovered.next()?,
            }
        };
        let authentication = match secret {
            Some(secret) => metadata.authentication(secret)?,
            None => Authentication::None,
        };
        // What a document says is not sent a token because the document says so.
        let origins = Origins::new(self.origin.iter().map(String::as_str))?;
        let user_url = metadata.userinfo_endpoint();
        let user_url = user_url.map(|url| url.within(&origins).map(str::to_owned)).transpose()?;
        Ok((metadata.server_within(&origins)?, authentication, user_url))
    }
}

/// How long the provider may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(10);

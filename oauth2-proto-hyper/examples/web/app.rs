//! What the handlers share.

use std::sync::Arc;

use axum::body::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use oauth2_proto::agent::{Agent, Host, Logins, Origins};
use oauth2_proto::{Seed, Timestamp, Unknown};
use oauth2_proto_hyper::HyperHost;
use oauth2_proto_hyper::hyper_rustls::HttpsConnector;
use oauth2_proto_stores::cookie::PendingLogins;
use oauth2_proto_stores::seal::Sealed;
use rand::rngs::SysRng;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::browser::Browser;
use crate::provider::Provider;
use crate::session::Sessions;
use crate::sign_in::CALLBACK;
use crate::store::{self, Database};

/// The application, as every handler sees it.
pub(crate) struct App {
    /// The tokens of all users, each under the provider's and the user's name.
    logins: Logins<HyperHost, Sealed<Database>>,
    pub(crate) sessions: Sessions<Sealed<Database>>,
    /// Sign-ins that have begun, in sealed cookies.
    pub(crate) pending: PendingLogins,
    pub(crate) http: legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    pub(crate) provider: Provider,
    /// What browsers call this application.
    pub(crate) public: Url,
    pub(crate) redirect_uri: String,
    /// What has to be done before the program ends.
    pub(crate) tasks: TaskTracker,
    _directory: TempDir,
}

impl App {
    pub(crate) fn new(
        arguments: &Arguments,
        provider: Provider,
        public: Url,
        tasks: &TaskTracker,
    ) -> Outcome<Self> {
        let directory = TempDir::new()?;
        let keys = store::keys(arguments)?;
        let [logins, sessions] = Database::open(arguments, &directory, &keys)?;

        let client = Arc::clone(&provider.client);
        let host = HyperHost::new()?.with_observer(|error| eprintln!("provider: {error}"));
        let spawned = tasks.clone();
        let logins = Logins::new(client, host, Seed::new(&mut SysRng)?, logins)
            // Nobody else ever sees a token.
            .with_origins(Origins::new([&*provider.resource_url, &*provider.user_url])?)
            // A browser that hangs up in the midst of a refresh does not take the answer along.
            .with_spawn(move |rest| drop(spawned.spawn(rest)));
        Ok(Self {
            logins,
            sessions: Sessions::new(sessions, provider.issuer.clone()),
            pending: PendingLogins::new(keys),
            http: legacy::Client::builder(TokioExecutor::new()).build(HyperHost::connector()?),
            redirect_uri: public.join(CALLBACK)?.into(),
            provider,
            public,
            tasks: tasks.clone(),
            _directory: directory,
        })
    }

    /// The tokens of a user, whichever browsers they are signed in with.
    pub(crate) fn login(&self, user: &str) -> Agent<HyperHost, Sealed<Database>> {
        // What the provider calls a user is nobody else's name there (OpenID Connect Core §5.7).
        self.logins.login(&format!("{} {user}", self.provider.issuer))
    }

    /// Who is signed in with this browser.
    pub(crate) async fn user(&self, browser: &Browser) -> Result<Option<String>, Unknown> {
        match browser.session() {
            Some(id) => self.sessions.user(id, self.now()).await,
            None => Ok(None),
        }
    }

    pub(crate) fn host(&self) -> &HyperHost {
        self.logins.host()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.host().now().time()
    }
}

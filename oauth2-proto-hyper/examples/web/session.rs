//! Who is signed in: a random id in the browser's cookie, its hash and the user in the store.
//!
//! All sessions of a user have one series in common. Whoever signs out ends it, and so the sessions of
//! all browsers: none of them comes to life again when the user signs in anew.

use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{LoginId, Swapped, Timestamp, Unknown};
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long somebody stays signed in.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// The sessions of all instances that share the store.
#[derive(Debug)]
pub(crate) struct Sessions<S> {
    store: S,
    /// Who says who a user is.
    issuer: String,
}

/// What is stored of a session.
#[derive(Serialize, Deserialize)]
struct Session {
    issuer: String,
    user: String,
    series: String,
    /// Unix time, in seconds.
    until: u64,
}

impl<S: Store> Sessions<S> {
    pub(crate) const fn new(store: S, issuer: String) -> Self {
        Self { store, issuer }
    }

    /// Begins a session, with an id that nobody can have known before: what a browser sends is never
    /// taken for one (session fixation).
    pub(crate) async fn begin(&self, user: &str, now: Timestamp) -> Result<String, Unknown> {
        let id = random().map_err(|_| Unknown)?;
        let session = Session {
            issuer: self.issuer.clone(),
            user: user.to_owned(),
            series: self.series(user).await?,
            until: now.after(LIFETIME).unix_seconds(),
        };
        let record = Record::new(serde_json::to_vec(&session).map_err(|_| Unknown)?);
        match self.store.swap(&key(&id), None, Some(record)).await? {
            Swapped::Stored(_) => Ok(id),
            Swapped::Conflict => Err(Unknown),
        }
    }

    /// Whose session it is.
    pub(crate) async fn user(&self, id: &str, now: Timestamp) -> Result<Option<String>, Unknown> {
        let Some((_, record)) = self.store.load(&key(id)).await? else { return Ok(None) };
        // What was sealed with another key is empty, and so no session.
        let session = serde_json::from_slice::<Session>(record.as_bytes()).ok();
        // The cookie's own lifetime is the browser's to keep; this is ours.
        let session = session.filter(|session| now.unix_seconds() < session.until);
        // Another provider's user of this name is somebody else.
        let session = session.filter(|session| session.issuer == self.issuer);
        let Some(Session { user, series, .. }) = session else { return Ok(None) };
        let current = self.store.load(&self.series_key(&user)).await?;
        let is_current = current.is_some_and(|(_, own)| own.as_bytes() == series.as_bytes());
        Ok(Some(user).filter(|_| is_current))
    }

    /// Says that a sign-in has been answered.
    ///
    /// # Errors
    /// When somebody has said so before, here or in another instance.
    pub(crate) async fn take(&self, pending: LoginId) -> Result<(), Untaken> {
        let key = format!("answered:{pending}");
        match self.store.swap(&key, None, Some(Record::new([]))).await.map_err(Untaken::Unknown)? {
            Swapped::Stored(_) => Ok(()),
            Swapped::Conflict => Err(Untaken::Already),
        }
    }

    /// The series of a user's sessions, which begins with the first one. It is stored anew for each:
    /// so it is kept for as long as they are.
    async fn series(&self, user: &str) -> Result<String, Unknown> {
        let key = self.series_key(user);
        loop {
            let (version, current) = self.store.load(&key).await?.unzip();
            let current = current.and_then(|own| String::from_utf8(own.as_bytes().to_vec()).ok());
            let series = match current.filter(|own| !own.is_empty()) {
                Some(series) => series,
                None => random().map_err(|_| Unknown)?,
            };
            let record = Record::new(series.as_bytes());
            if let Swapped::Stored(_) = self.store.swap(&key, version, Some(record)).await? {
                return Ok(series);
            }
            // They have just signed in with another browser, too.
        }
    }

    /// Ends all sessions of a user, for every instance.
    pub(crate) async fn end_all(&self, user: &str) -> Result<(), Unknown> {
        let key = self.series_key(user);
        while let Some((version, _)) = self.store.load(&key).await? {
            if let Swapped::Stored(_) = self.store.swap(&key, Some(version), None).await? {
                break;
            }
        }
        Ok(())
    }

    fn series_key(&self, user: &str) -> String {
        format!("series:{} {user}", self.issuer)
    }

    /// Ends a session, for every instance.
    pub(crate) async fn end(&self, id: &str) -> Result<(), Unknown> {
        let key = key(id);
        // Nobody else writes it: a conflict means that somebody has ended it already.
        if let Some((version, _)) = self.store.load(&key).await? {
            self.store.swap(&key, Some(version), None).await?;
        }
        Ok(())
    }
}

/// Why a sign-in can't go on.
#[derive(Debug)]
pub(crate) enum Untaken {
    Already,
    Unknown(Unknown),
}

/// 256 bits.
fn random() -> Result<String, SysError> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The store sees a hash: who can read it, can't act as those who are signed in.
fn key(id: &str) -> String {
    format!("session:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(id)))
}

//! What the file holds: JSON in which a person finds a login by its key.
//!
//! ```json
//! {
//!   "oauth2-proto-stores": 1,
//!   "logins": {
//!     "alice": {
//!       "version": "6f0c0f5c1d0e4a3b0000000000000007",
//!       "record": "eyJWMSI6…"
//!     }
//!   }
//! }
//! ```
//!
//! A version is text because a number of 128 bits does not survive many a JSON tool. A record is
//! base64 because it need not be text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use oauth2_proto::Version;
use oauth2_proto::agent::Record;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The logins of a file, borrowed from its text: parsing copies no secret.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<'t> {
    #[serde(rename = "oauth2-proto-stores")]
    format: u64,
    #[serde(borrow)]
    logins: BTreeMap<String, Entry<'t>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'t> {
    #[serde(borrow)]
    version: Cow<'t, str>,
    #[serde(borrow)]
    record: Cow<'t, str>,
}

/// What all formats have in common.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "oauth2-proto-stores")]
    format: u64,
}

const FORMAT: u64 = 1;

impl<'t> Document<'t> {
    pub(super) const fn empty() -> Self {
        Self { format: FORMAT, logins: BTreeMap::new() }
    }

    /// Errors quote nothing: what is no document of ours may be a secret of someone's.
    pub(super) fn parse(text: &'t [u8]) -> io::Result<Self> {
        if text.is_empty() {
            return Err(damaged(
                "this file is empty, and no write leaves it so, whenever it is interrupted: \
                 restore it, or delete it to begin without logins",
            ));
        }
        let garbage = |_| damaged("this is not a file of logins: name another");
        let head: Head = serde_json::from_slice(text).map_err(garbage)?;
        if head.format != FORMAT {
            return Err(damaged("a newer version of this program has written this file"));
        }
        let document: Self = serde_json::from_slice(text).map_err(garbage)?;
        Ok(document)
    }

    /// The version under this key.
    pub(super) fn version(&self, key: &str) -> io::Result<Option<Version>> {
        self.logins.get(key).map(|entry| version(&entry.version)).transpose()
    }

    /// The version and the login under this key.
    pub(super) fn login(&self, key: &str) -> io::Result<Option<(Version, Record)>> {
        let Some(entry) = self.logins.get(key) else { return Ok(None) };
        let record = BASE64.decode(&*entry.record).map_err(|_| damaged(ENTRY))?;
        Ok(Some((version(&entry.version)?, Record::new(record))))
    }

    /// Puts a record, which [`encoded`] has made text, in the place of another.
    pub(super) fn put(&mut self, key: String, version: Version, record: &'t str) {
        let version = Cow::Owned(format!("{:032x}", version.number()));
        self.logins.insert(key, Entry { version, record: Cow::Borrowed(record) });
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.logins.remove(key);
    }

    pub(super) fn to_text(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        // Text that outgrew its memory would leave a copy behind that nobody wipes.
        let sizes = self.logins.iter().map(|(key, entry)| {
            let escaped = key.len().saturating_mul(6);
            escaped.saturating_add(entry.record.len()).saturating_add(128)
        });
        let size = sizes.fold(128, usize::saturating_add);
        let mut text = Zeroizing::new(Vec::with_capacity(size));
        self.serialize(&mut serde_json::Serializer::pretty(&mut *text))?;
        text.push(b'\n');
        Ok(text)
    }
}

/// A record as text.
pub(super) fn encoded(record: &Record) -> Zeroizing<String> {
    Zeroizing::new(BASE64.encode(record.as_bytes()))
}

fn version(text: &str) -> io::Result<Version> {
    u128::from_str_radix(text, 16).map(Version::new).map_err(|_| damaged(ENTRY))
}

fn damaged(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

const ENTRY: &str = "the entry of this login is damaged: delete it to begin without this login";

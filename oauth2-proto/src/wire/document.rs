//! A JSON document of named members, as metadata (RFC 8414 §2, RFC 9728 §2) and registrations
//! (RFC 7591 §2) are. It refuses members that appear twice and values of a wrong type; members that
//! nobody asked for are kept as they came.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{ACCEPT, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use url::Url;

use super::Reply;
use crate::error::{Error, Problem};
use crate::value::{Body, LearntUrl};

/// The longest document that is read, in bytes.
pub(crate) const LONGEST_DOCUMENT: usize = 1024 * 1024;

/// Asks for a document.
pub(crate) fn fetch(uri: &Uri) -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.uri_mut() = uri.clone();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
}

impl<'a> Reply<'a> {
    /// Takes an answer that is not longer than a document may be.
    pub(crate) fn document<B: AsRef<[u8]>>(
        endpoint: &'static str,
        response: &'a Response<B>,
    ) -> Result<Self, Error> {
        let (status, headers, body) = (response.status(), response.headers(), response.body());
        Self::new(endpoint, status, headers, body.as_ref(), LONGEST_DOCUMENT)
    }
}

/// The members that have not been taken yet, each once, their values as they stand in the answer.
pub(crate) struct Document<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Document<'a> {
    /// Reads the metadata that an answer holds.
    pub(crate) fn of_metadata(reply: &Reply<'a>) -> Result<Self, Error> {
        // RFC 8414 §3.2, RFC 9728 §3.2: a successful response MUST use the 200 OK status code. No
        // words of OAuth's are defined for others.
        if reply.status() != StatusCode::OK {
            return Err(reply.malformed(Problem::Status(reply.status())));
        }
        reply.object(StatusCode::OK)
    }

    /// Takes a member out; `null` stands for an absent one.
    pub(crate) fn take<T: Deserialize<'a>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        let value = self.member(name)?;
        self.0.remove(name);
        Ok(value)
    }

    /// Reads a member that stays; `null` stands for an absent one.
    pub(crate) fn member<T: Deserialize<'a>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|_| Problem::Member(name))
    }

    /// Takes a text out; an empty one stands for an absent one.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        Ok(self.take::<String>(name)?.filter(|text| !text.is_empty()))
    }

    /// Takes a text out that has to be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Result<String, Problem> {
        self.text(name)?.ok_or(Problem::MemberMissing(name))
    }

    /// Takes the members out that a kind of metadata defines, and keeps the rest.
    pub(crate) fn known(mut self, names: &Names, source: &Url) -> Result<Known, Problem> {
        let mut known = Known::default();
        for name in names.lists {
            if let Some(list) = self.take::<Vec<String>>(name)? {
                known.lists.insert(name, list);
            }
        }
        for name in names.flags {
            if self.take::<bool>(name)? == Some(true) {
                known.flags.insert(name);
            }
        }
        for name in names.urls {
            if let Some(text) = self.text(name)? {
                known.urls.insert(name, LearntUrl::new(names.teacher, name, &text, source)?);
            }
        }
        for name in names.links {
            let link = self.text(name)?.filter(|text| is_link(text));
            if let Some(link) = link {
                known.links.insert(name, link);
            }
        }
        let rest = self.0.into_iter().map(|(name, value)| (name, value.to_owned()));
        known.extras = Extras(rest.collect());
        Ok(known)
    }

    /// The members that are left, each with its value.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Unique;
        impl<'de> Visitor<'de> for Unique {
            type Value = Document<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    // Readers disagree about which of two counts; who sends both uses that.
                    if members.insert(name, value).is_some() {
                        return Err(M::Error::custom("a member appears twice"));
                    }
                }
                Ok(Document(members))
            }
        }
        from.deserialize_map(Unique)
    }
}

/// The members that a kind of metadata defines, by the type of their values.
pub(crate) struct Names {
    /// Who says so, for errors.
    pub(crate) teacher: &'static str,
    pub(crate) lists: &'static [&'static str],
    pub(crate) flags: &'static [&'static str],
    pub(crate) urls: &'static [&'static str],
    /// URLs that people visit.
    pub(crate) links: &'static [&'static str],
}

/// The members of a metadata document, read.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    lists: BTreeMap<&'static str, Vec<String>>,
    flags: BTreeSet<&'static str>,
    urls: BTreeMap<&'static str, LearntUrl>,
    links: BTreeMap<&'static str, String>,
    pub(crate) extras: Extras,
}

impl Known {
    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.flags.contains(name)
    }

    pub(crate) fn url(&self, name: &str) -> Option<&LearntUrl> {
        self.urls.get(name)
    }

    pub(crate) fn link(&self, name: &str) -> Option<&str> {
        self.links.get(name).map(String::as_str)
    }
}

/// Writes members as one JSON object, without leaving copies of it behind.
pub(crate) fn object<'m>(members: impl Iterator<Item = (&'m str, &'m RawValue)> + Clone) -> String {
    // Writing a string as JSON cannot fail.
    let name = |name| serde_json::to_string(name).unwrap_or_default();
    // Quotes apart, a name can need six characters for one; then a colon and a comma or brace.
    let room = members.clone().fold(2_usize, |room, (name, value)| {
        let name = name.len().saturating_mul(6);
        room.saturating_add(name).saturating_add(value.get().len()).saturating_add(4)
    });
    let mut text = String::with_capacity(room);
    text.push('{');
    for (index, (own, value)) in members.enumerate() {
        text.extend([if index == 0 { "" } else { "," }, &*name(own), ":", value.get()]);
    }
    text.push('}');
    text
}

/// Members that this crate does not know.
#[derive(Clone, Default)]
pub(crate) struct Extras(BTreeMap<String, Box<RawValue>>);

impl Extras {
    pub(crate) fn member<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl PartialEq for Extras {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        self.0.len() == other.0.len()
            && pairs
                .all(|((name, own), (other, theirs))| name == other && own.get() == theirs.get())
    }
}

impl Eq for Extras {}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// RFC 8414 §2, RFC 9728 §2: pages for people. What cannot be shown as a link is left out.
fn is_link(text: &str) -> bool {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Declares the members of a kind of metadata, and a getter for each.
macro_rules! members {
    (
        $type:ident of $teacher:expr;
        $($kind:ident -> $result:ty, $reader:ident { $($(#[$doc:meta])* $name:ident)* })*
    ) => {
        const NAMES: Names = Names {
            teacher: $teacher,
            $($kind: &[$(stringify!($name)),*],)*
        };

        impl $type {
            $($(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self) -> $result {
                    self.known.$reader(stringify!($name))
                }
            )*)*
        }
    };
}

pub(super) use members;

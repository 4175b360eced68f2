//! The origins whose requests may carry the token.

use alloc::string::String;
use alloc::vec::Vec;

use http::Uri;
use url::Url;

use crate::error::Misuse;
use crate::value::is_loopback;

/// Which origins (scheme, host and port) may see the token.
///
/// A token that is sent to the wrong host is stolen; so a program names the right ones once.
#[derive(Clone, Default, Debug)]
pub struct Origins(Vec<Origin>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origins {
    /// Reads origins such as `https://api.example`; a path is ignored.
    ///
    /// # Errors
    /// [`Misuse::Url`] for what is not https (plain http: this machine only).
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, Misuse> {
        origins.into_iter().map(Origin::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether requests to this URI may carry the token.
    #[must_use]
    pub fn contain(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return false;
        };
        let host = authority.host();
        // A port that is none, such as 99999, is not the usual one.
        let is_usual = authority.as_str().ends_with(host);
        let port = if is_usual { default_port(scheme) } else { authority.port_u16() };
        let Some(port) = port else { return false };
        self.0.iter().any(|origin| {
            origin.scheme.eq_ignore_ascii_case(scheme)
                && origin.host.eq_ignore_ascii_case(host)
                && origin.port == port
        })
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, Misuse> {
        let name = "origin";
        let url = Url::parse(text).map_err(|_| Misuse::Url(name, "is not an absolute URL"))?;
        let host = url.host_str().ok_or(Misuse::Url(name, "has no host"))?;
        let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(host));
        match url.port_or_known_default() {
            Some(port) if secure => {
                Ok(Self { scheme: url.scheme().into(), host: host.into(), port })
            }
            Some(_) | None => {
                Err(Misuse::Url(name, "must be https (plain http: this machine only)"))
            }
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

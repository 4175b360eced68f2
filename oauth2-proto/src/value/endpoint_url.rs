//! Where a request may go: https, or http to this machine, without fragment and user information.
//! The one place for these rules, whoever names the URL.

use core::net::Ipv6Addr;

use http::Uri;
use url::{Host, Url};

use super::is_loopback;
use crate::error::Misuse;

/// A URL that the host gave, in both spellings that are needed.
#[derive(Clone, Debug)]
pub(crate) struct EndpointUrl {
    pub(crate) url: Url,
    pub(crate) uri: Uri,
}

impl EndpointUrl {
    /// Reads a URL; `name` is what the error calls it.
    pub(crate) fn new(name: &'static str, text: &str) -> Result<Self, Misuse> {
        let url = endpoint_url(name, text)?;
        let uri = uri(&url).map_err(|why| Misuse::Url(name, why))?;
        Ok(Self { url, uri })
    }
}

/// Reads a URL; `name` is what the error calls it.
pub(crate) fn endpoint_url(name: &'static str, text: &str) -> Result<Url, Misuse> {
    parse(text).map_err(|why| Misuse::Url(name, why))
}

/// Reads a URL, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not an absolute URL")?;
    let local = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    // RFC 6749 §3.1, §3.2: the endpoints MUST require TLS. What never leaves this machine may not.
    if url.scheme() != "https" && !local {
        return Err("must be https (plain http: this machine only)");
    }
    // RFC 6749 §3.1, §3.2: the endpoint URI MUST NOT include a fragment component.
    if url.fragment().is_some() {
        return Err("must not have a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password");
    }
    Ok(url)
}

/// The URL as HTTP clients take it.
pub(super) fn uri(url: &Url) -> Result<Uri, &'static str> {
    Uri::try_from(url.as_str()).map_err(|_| "is not a URI")
}

/// Whether requests to this URL may end on this machine: wider than [`is_loopback`], because here
/// it serves to refuse, not to allow.
pub(super) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            // RFC 6761 §6.3: names below `localhost` are this machine, too.
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback() || address.octets().starts_with(&[0]),
        Some(Host::Ipv6(address)) => {
            let inner = address
                .to_ipv4()
                .is_some_and(|inner| inner.is_loopback() || inner.is_unspecified());
            address == Ipv6Addr::LOCALHOST || address == Ipv6Addr::UNSPECIFIED || inner
        }
        None => true,
    }
}

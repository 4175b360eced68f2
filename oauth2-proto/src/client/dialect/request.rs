//! Requests in the words of RFC 6749, as a server wants them.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::Dialect;
use super::members::Object;
use crate::client::RequestKind;
use crate::client::server::is_machine_parameter;
use crate::error::Misuse;
use crate::value::{Body, EndpointUrl};
use crate::wire::Form;

/// How requests of one kind deviate.
///
/// The parameters that stop forgeries and stolen codes (`state`, `code_challenge`,
/// `code_challenge_method`, `code_verifier`) can be neither renamed, removed nor set, and no other
/// parameter gets their names.
///
/// **An [`endpoint`](Self::endpoint) sees the client's secret and the tokens that are sent there.**
/// Whoever can write a dialect can have them: trust it as the URLs of the server itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RequestDialect {
    /// Parameters by other names: the RFC's name, the server's name.
    pub rename: BTreeMap<String, String>,
    /// Parameters that are left out, by the RFC's names.
    pub remove: Vec<String>,
    /// Parameters that are the same for every request. They replace what the RFC puts there, such
    /// as `grant_type`; what a caller asks for besides is left as it is.
    pub set: BTreeMap<String, String>,
    /// Header fields that are the same for every request, such as `User-Agent`.
    pub headers: BTreeMap<String, String>,
    /// Where the parameters stand.
    pub format: RequestFormat,
    /// Parameters, by the RFC's names, that stand in the query besides. Secrets are never repeated
    /// there.
    pub also_in_query: Vec<String>,
    /// Where these requests go instead of the endpoint of [`Server`](crate::Server): an https URL.
    pub endpoint: Option<String>,
}

/// Where the parameters of a request stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestFormat {
    /// In the body, as a form (RFC 6749 Appendix B).
    #[default]
    Form,
    /// In the body, as one JSON object.
    Json,
    /// In the URL of a `POST`. Servers, proxies and clients write URLs into their logs: the secret,
    /// code and tokens in it are exposed to whoever reads these. RFC 6749 §2.3.1 forbids it.
    DangerousQuery,
    /// In the URL of a `GET`; as [`DangerousQuery`](Self::DangerousQuery), and in caches, too.
    DangerousGet,
}

type Pairs<'a> = Vec<(Cow<'a, str>, Zeroizing<String>)>;

impl Dialect {
    const fn request_dialect(&self, kind: RequestKind) -> &RequestDialect {
        match kind {
            RequestKind::Authorization => &self.authorization_request,
            RequestKind::Token => &self.token_request,
            RequestKind::Refresh => &self.refresh_request,
            RequestKind::DeviceAuthorization => &self.device_authorization_request,
            RequestKind::DevicePoll => &self.device_poll,
            RequestKind::PushedAuthorization => &self.pushed_authorization_request,
            RequestKind::Revocation => &self.revocation_request,
            RequestKind::Introspection => &self.introspection_request,
        }
    }

    /// Whether the parameters of these requests stay as they are.
    fn is_silent(&self, own: &RequestDialect) -> bool {
        let is_silent =
            |it: &RequestDialect| it.rename.is_empty() && it.remove.is_empty() && it.set.is_empty();
        self.scope_separator == ' '
            && !self.dangerous_without_pkce
            && is_silent(own)
            && is_silent(&self.every_request)
    }

    pub(super) fn visited(&self, mut url: Url) -> Url {
        let own = &self.authorization_request;
        if !self.is_silent(own) {
            let pairs = url.query_pairs().into_owned();
            let pairs = pairs.map(|(name, value)| (name.into(), Zeroizing::new(value))).collect();
            let pairs = self.spoken(own, pairs);
            let mut query = url.query_pairs_mut();
            query.clear();
            pairs.iter().for_each(|(name, value)| {
                query.append_pair(name, value);
            });
        }
        if self.authorization_fragment.is_some() {
            url.set_fragment(self.authorization_fragment.as_deref());
        }
        url
    }

    pub(super) fn said(
        &self,
        kind: RequestKind,
        mut request: Request<Body>,
    ) -> Result<Request<Body>, Misuse> {
        let own = self.request_dialect(kind);
        if let Some(second) = &self.second_request {
            // Better refused now than when a code has been spent.
            EndpointUrl::new(ENDPOINT, &second.endpoint)?;
        }
        let every = &self.every_request;
        if let Some(text) = own.endpoint.as_ref().or(every.endpoint.as_ref()) {
            *request.uri_mut() = EndpointUrl::new(ENDPOINT, text)?.uri;
        }
        let headers = every.headers.iter().chain(&own.headers);
        for (name, value) in headers {
            let misuse = || Misuse::Parameter(name.as_str().into());
            let value = HeaderValue::try_from(value).map_err(|_| misuse())?;
            let name = HeaderName::try_from(name).map_err(|_| misuse())?;
            insert(&mut request, name, value)?;
        }
        let format = if own.format == RequestFormat::Form { every.format } else { own.format };
        let mut repeated = every.also_in_query.iter().chain(&own.also_in_query).peekable();
        let is_form = format == RequestFormat::Form && repeated.peek().is_none();
        if is_form && self.is_silent(own) {
            return Ok(request);
        }
        let form = core::mem::take(request.body_mut());
        let pairs = form_urlencoded::parse(form.as_ref());
        let pairs: Pairs<'_> =
            pairs.map(|(name, value)| (name, Zeroizing::new(value.into_owned()))).collect();
        let repeated: Pairs<'_> = repeated
            .filter(|name| !is_secret(name))
            .filter_map(|name| pairs.iter().find(|(own, _)| own == name).cloned())
            .collect();
        let pairs = self.spoken(own, pairs);
        if !repeated.is_empty() {
            extend_query(request.uri_mut(), &self.spoken_names(own, repeated))?;
        }
        put(format, &pairs, &mut request)?;
        Ok(request)
    }

    /// Parameters in the server's own words.
    fn spoken<'a>(&'a self, own: &'a RequestDialect, pairs: Pairs<'a>) -> Pairs<'a> {
        let mut pairs = self.spoken_names(own, pairs);
        let set = self.every_request.set.iter().chain(&own.set);
        for (name, value) in set.filter(|(name, _)| !is_guard(name)) {
            // What the caller has asked for counts more than what is usual here.
            match pairs.iter_mut().find(|(present, _)| present == name) {
                Some((_, present)) if is_ours(name) => *present = Zeroizing::new(value.clone()),
                Some(_) => {}
                None => pairs.push((Cow::Borrowed(name), Zeroizing::new(value.clone()))),
            }
        }
        pairs
    }

    fn spoken_names<'a>(&'a self, own: &'a RequestDialect, pairs: Pairs<'a>) -> Pairs<'a> {
        let every = &self.every_request;
        let mut spoken = Pairs::with_capacity(pairs.len());
        for (name, mut value) in pairs {
            if is_guard(&name) {
                // RFC 7636: without these, whoever gets hold of a code can redeem it.
                if !self.dangerous_without_pkce || name == "state" {
                    spoken.push((name, value));
                }
                continue;
            }
            if own.remove.iter().chain(&every.remove).any(|removed| *removed == name) {
                continue;
            }
            if name == "scope" && !matches!(self.scope_separator, ' ' | '+') {
                let mut separator = [0; 4];
                *value = value.replace(' ', self.scope_separator.encode_utf8(&mut separator));
            }
            let other = own.rename.get(&*name).or_else(|| every.rename.get(&*name));
            let other = other.filter(|other| !is_guard(other));
            spoken.push((other.map_or(name, |other| Cow::Borrowed(other)), value));
        }
        spoken
    }
}

/// What an error calls an endpoint that a dialect names.
pub(super) const ENDPOINT: &str = "endpoint in the dialect";

/// Puts parameters where a server looks for them.
pub(super) fn put(
    format: RequestFormat,
    pairs: &[(Cow<'_, str>, Zeroizing<String>)],
    request: &mut Request<Body>,
) -> Result<(), Misuse> {
    match format {
        RequestFormat::Form => *request.body_mut() = form(pairs).into_body(),
        RequestFormat::Json => {
            let mut object = Object::with_capacity(256);
            for (index, (name, value)) in pairs.iter().enumerate() {
                // RFC 8259 §4: names SHOULD be unique; the first one is what a form's reader takes.
                if pairs.iter().take(index).all(|(earlier, _)| earlier != name) {
                    object.text(name, value);
                }
            }
            *request.body_mut() = core::mem::take(&mut *object.finish()).into();
            insert(request, CONTENT_TYPE, HeaderValue::from_static("application/json"))?;
        }
        RequestFormat::DangerousQuery | RequestFormat::DangerousGet => {
            extend_query(request.uri_mut(), pairs)?;
            *request.body_mut() = Body::default();
            request.headers_mut().remove(CONTENT_TYPE);
            if format == RequestFormat::DangerousGet {
                *request.method_mut() = Method::GET;
            }
        }
    }
    Ok(())
}

fn insert(request: &mut Request<Body>, name: HeaderName, value: HeaderValue) -> Result<(), Misuse> {
    request.headers_mut().try_insert(name, value).map_err(|_| Misuse::TooManyHeaders)?;
    Ok(())
}

fn form(pairs: &[(Cow<'_, str>, Zeroizing<String>)]) -> Form {
    let length = pairs.iter().fold(0_usize, |length, (name, value)| {
        length.saturating_add(name.len()).saturating_add(value.len()).saturating_add(2)
    });
    let mut form = Form::with_capacity(length.saturating_mul(2));
    pairs.iter().for_each(|(name, value)| form.own_pair(name, value));
    form
}

pub(super) fn extend_query(
    target: &mut Uri,
    pairs: &[(Cow<'_, str>, Zeroizing<String>)],
) -> Result<(), Misuse> {
    let mut text = Zeroizing::new(target.to_string());
    if !pairs.is_empty() {
        text.push(if target.query().is_some() { '&' } else { '?' });
        text.push_str(form(pairs).as_str());
    }
    *target = uri(&text)?;
    Ok(())
}

fn uri(text: &str) -> Result<Uri, Misuse> {
    Uri::try_from(text).map_err(|_| Misuse::Url(ENDPOINT, "is not a URI"))
}

/// What stops forged callbacks and stolen codes (RFC 6749 §10.12, RFC 7636).
fn is_guard(name: &str) -> bool {
    matches!(name, "state" | "code_challenge" | "code_challenge_method" | "code_verifier")
}

/// What the machine puts into requests by itself.
fn is_ours(name: &str) -> bool {
    is_machine_parameter(name) || name == "grant_type"
}

/// What must not be repeated where it can be read.
fn is_secret(name: &str) -> bool {
    !matches!(name, "redirect_uri" | "client_id" | "grant_type" | "scope" | "state" | "resource")
}

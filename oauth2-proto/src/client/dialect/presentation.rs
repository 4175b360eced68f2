//! Where a server's resources look for the token, and how its issuer is compared.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::parse;
use zeroize::Zeroizing;

use super::request::extend_query;
use crate::error::{Error, Misuse};
use crate::value::AccessToken;

/// Where the access token stands in a request to a resource.
///
/// Where a server wants it in the body, put it there by hand:
/// [`AccessToken::expose`](crate::AccessToken::expose).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenPresentation {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[default]
    Bearer,
    /// In the `Authorization` header, behind another word.
    Scheme(String),
    /// Alone in a header field of this name.
    Header(String),
    /// In the query, by this name. URLs end up in logs, histories and `Referer` fields, and whoever
    /// reads them can use the token: RFC 6750 §5.3 advises against it.
    DangerousQuery(String),
}

impl TokenPresentation {
    pub(super) fn attach(
        &self,
        token: &AccessToken,
        uri: &mut Uri,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        match self {
            Self::Bearer => token.attach_header(headers),
            Self::Scheme(scheme) => {
                let value = Zeroizing::new(format!("{scheme} {}", token.expose()));
                insert(headers, AUTHORIZATION.as_str(), &value)
            }
            Self::Header(name) => insert(headers, name, token.expose()),
            Self::DangerousQuery(name) => {
                let token = Zeroizing::new(String::from(token.expose()));
                let mut target = without(uri, name)?;
                extend_query(&mut target, &[(Cow::Borrowed(name), token)])?;
                *uri = target;
                Ok(())
            }
        }
    }
}

/// The URI without parameters of this name: a token takes the place of whatever stood there, as it
/// does in a header field. All others stay as they are written.
fn without(uri: &Uri, name: &str) -> Result<Uri, Misuse> {
    let is_other = |pair: &&str| parse(pair.as_bytes()).all(|(own, _)| own != *name);
    let query = uri.query().unwrap_or_default();
    if query.split('&').all(|pair| is_other(&pair)) {
        return Ok(uri.clone());
    }
    let others: Vec<&str> = query.split('&').filter(is_other).collect();
    let mut target = String::from(uri.path());
    if !others.is_empty() {
        target.extend(["?", &others.join("&")]);
    }
    let not_a_uri = |_| Misuse::Presentation("the query is no part of a URI");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(not_a_uri)?);
    Uri::from_parts(parts).map_err(|_| Misuse::Presentation("the query is no part of a URI"))
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Error> {
    let misuse = || Misuse::Parameter(name.into());
    let own_name = HeaderName::try_from(name).map_err(|_| misuse())?;
    let mut value = HeaderValue::try_from(value).map_err(|_| misuse())?;
    value.set_sensitive(true);
    headers.try_insert(own_name, value).map_err(|_| Misuse::TooManyHeaders)?;
    Ok(())
}

/// How `iss` of a callback is compared with the issuer of [`Server`](crate::Server) (RFC 9207).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssuerMatch {
    /// As plain strings, which RFC 9207 §2.4 demands.
    #[default]
    Exact,
    /// `{tenantid}` in the issuer stands for the name of any tenant: letters, digits and hyphens.
    Tenants,
    /// Any `iss` will do: a mix-up attack is not noticed. Give each server a redirect URI of its
    /// own instead.
    DangerousAny,
}

impl IssuerMatch {
    pub(super) fn is_issuer(self, issuer: &str, iss: &str) -> bool {
        match self {
            Self::Exact => issuer == iss,
            Self::Tenants => {
                let Some((before, after)) = issuer.split_once("{tenantid}") else {
                    return issuer == iss;
                };
                let tenant = iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                tenant.is_some_and(|tenant| {
                    !tenant.is_empty()
                        && tenant.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
                })
            }
            Self::DangerousAny => true,
        }
    }
}

//! Pages: what they look like, what browsers may do with them, and what they say when something
//! went wrong.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use oauth2_proto::{Error, Failed, Lost, Unknown};
use oauth2_proto_stores::cookie::{BeginError, TakeError};
use tokio::task::JoinError;
use url::form_urlencoded;

use crate::api::Uncalled;
use crate::session::Untaken;

/// A page of this application. The template escapes all that is put into it.
pub(crate) fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (title) } }
            body { h1 { (title) } (content) }
        }
    };
    Html(page.into_string())
}

/// What every answer tells the browser, unless its handler has said otherwise.
pub(crate) async fn secured(mut response: Response) -> Response {
    for (name, value) in [
        // What is for one user, is for no cache.
        (CACHE_CONTROL, "no-store"),
        // The callback's URL holds a code, which no other site may learn.
        (REFERRER_POLICY, "no-referrer"),
        // No scripts, no frames, and forms go nowhere else.
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

const POLICY: &str =
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Why there is no other page than this one: what it says never holds a secret.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    title: &'static str,
    text: String,
    /// Where a person can try again.
    again: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self { status, title, text: text.into(), again: "/sign-in".to_owned() }
    }

    /// The next sign-in leads where this one should have.
    pub(crate) fn returning_to(self, path: &str) -> Self {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("return_to", path).finish();
        Self { again: format!("/sign-in?{query}"), ..self }
    }

    /// This program is to blame, or what it depends on: the reason is for the log.
    fn broken(title: &'static str, error: &dyn core::error::Error) -> Self {
        eprintln!("{title}: {error}");
        let text = "It is not your fault, and it has been noted down.";
        Self::new(StatusCode::BAD_GATEWAY, title, text)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let content = html! {
            p { (self.text) }
            p { a href=(self.again) { "Sign in" } " or go to the " a href="/" { "start" } "." }
        };
        (self.status, page(self.title, &content)).into_response()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        // What the provider says has been filtered and cut to size already.
        let text = error.to_string();
        let (status, title) = match error {
            Error::Denied(_) => (StatusCode::FORBIDDEN, "You are not signed in"),
            Error::Expired(_) => (StatusCode::FORBIDDEN, "That took too long"),
            Error::Forged(_) => (StatusCode::BAD_REQUEST, NO_ANSWER),
            Error::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "The provider does not answer")
            }
            Error::Malformed(_) => return Self::broken("The provider answered oddly", &error),
            // What this program did wrong is for its log.
            Error::Misuse(_) | _ => return Self::broken("Something is wrong here", &error),
        };
        Self::new(status, title, text)
    }
}

impl From<BeginError> for Refusal {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::ReturnTo(_) => {
                Self::new(StatusCode::BAD_REQUEST, "This leads elsewhere", error.to_string())
            }
            BeginError::TooLong | BeginError::Expired | BeginError::Seal(_) | _ => {
                Self::broken("Something is wrong here", &error)
            }
        }
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, NO_ANSWER, error.to_string())
    }
}

impl From<Untaken> for Refusal {
    fn from(untaken: Untaken) -> Self {
        match untaken {
            Untaken::Already => {
                Self::new(StatusCode::BAD_REQUEST, NO_ANSWER, "It has been answered before.")
            }
            Untaken::Unknown(unknown) => unknown.into(),
        }
    }
}

const NO_ANSWER: &str = "This is no answer to your sign-in";

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        failed.error.into()
    }
}

impl From<Lost> for Refusal {
    fn from(lost: Lost) -> Self {
        Self::broken("The provider does not answer", &lost)
    }
}

impl From<Unknown> for Refusal {
    fn from(_: Unknown) -> Self {
        let text = "The database does not answer. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "We are not quite there", text)
    }
}

impl From<Uncalled> for Refusal {
    fn from(uncalled: Uncalled) -> Self {
        Self::broken("The API does not answer", &*uncalled.0)
    }
}

impl From<JoinError> for Refusal {
    fn from(error: JoinError) -> Self {
        Self::broken("Something is wrong here", &error)
    }
}

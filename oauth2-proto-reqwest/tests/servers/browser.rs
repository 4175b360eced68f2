//! A browser without a screen or scripts: cookies, redirects, forms.

use http::header::{CONTENT_TYPE, LOCATION, REFERER};
use oauth2_proto::Callback;
use oauth2_proto_reqwest::reqwest::redirect::Policy;
use oauth2_proto_reqwest::reqwest::{Client, Response, Url};

use crate::page::{Button, Field, Form, Page};
use crate::registered::{PASSWORD, USER};
use crate::server::Labels;
use crate::world::builder;

/// What the person says when asked for consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    Allow,
    Deny,
}

/// Where the way through the pages ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The server sends the browser elsewhere: to this, as it was written, byte for byte.
    Sent(String),
    /// A page posts this form elsewhere, by itself.
    Posted(String),
    /// This is the last page: nothing is left to press.
    Page(Url),
}

impl End {
    pub(crate) fn callback(&self) -> Callback<'_> {
        match self {
            Self::Sent(url) => Callback::url(url),
            Self::Posted(form) => Callback::form_post(form.as_bytes()),
            Self::Page(url) => panic!("nothing to press at {url}"),
        }
    }
}

/// How a person with this browser acts on pages.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) http: Client,
    /// What stays within this origin is followed.
    origin: String,
    labels: Labels,
    decision: Decision,
    /// What is typed in where a page asks for it.
    user_code: String,
}

impl Browser {
    pub(crate) fn new(origin: &str, labels: Labels, decision: Decision) -> Self {
        let http = builder().cookie_store(true).redirect(Policy::none()).build().unwrap();
        Self { http, origin: origin.to_owned(), labels, decision, user_code: String::new() }
    }

    pub(crate) fn typing(self, user_code: &str) -> Self {
        Self { user_code: user_code.to_owned(), ..self }
    }

    /// Logs in and decides, on whatever pages there are.
    pub(crate) async fn visit(&self, url: Url) -> End {
        let press = self.labels.press(self.decision);
        let mut url = url;
        let mut knows_code = self.user_code.is_empty();
        let mut answer = self.get(&url).await;
        for _ in 0..20 {
            if answer.status().is_redirection() {
                let location = answer.headers()[LOCATION].to_str().unwrap().to_owned();
                let next = url.join(&location).unwrap();
                if !next.as_str().starts_with(&self.origin) {
                    return End::Sent(location);
                }
                url = next;
                answer = self.get(&url).await;
                continue;
            }
            let status = answer.status();
            let html = answer.text().await.unwrap();
            let page = Page::read(&html);
            let elsewhere = |form: &&Form| !form.target(&url).as_str().starts_with(&self.origin);
            let code = page.asking_for(|field| field.is_text("user_code") && !knows_code);
            knows_code |= code.is_some();
            let asking = code.or_else(|| page.asking_for(Field::is_password));
            answer = if let Some(form) = page.forms.iter().find(elsewhere) {
                return End::Posted(self.filled_in(form, None));
            } else if let Some((form, button)) = asking.or_else(|| page.button(press)) {
                self.submit(&mut url, form, button).await
            } else if let Some(to) = page.link(press) {
                url = url.join(to).unwrap();
                self.get(&url).await
            } else {
                assert!(status.is_success(), "{status} at {url}\n{html}");
                return End::Page(url);
            };
        }
        panic!("the person is sent around in circles at {url}");
    }

    pub(crate) async fn get(&self, url: &Url) -> Response {
        self.http.get(url.clone()).send().await.unwrap()
    }

    async fn submit(&self, url: &mut Url, form: &Form, button: &Button) -> Response {
        let target = form.target(url);
        let request = self
            .http
            .post(target.clone())
            .header(REFERER, url.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.filled_in(form, Some(button)));
        *url = target;
        request.send().await.unwrap()
    }

    /// What the form sends.
    fn filled_in(&self, form: &Form, pressed: Option<&Button>) -> String {
        let fields = form.fields.iter().map(|field| {
            let value = match &*field.name {
                "login" | "username" => USER,
                "password" => PASSWORD,
                "user_code" if field.is_text("user_code") => &self.user_code,
                _ => &field.value,
            };
            (&*field.name, value)
        });
        let pressed = pressed.and_then(|button| Some((button.name.as_deref()?, &*button.value)));
        let mut body = Url::parse("none:").unwrap();
        body.query_pairs_mut().extend_pairs(fields.chain(pressed));
        body.query().unwrap_or_default().to_owned()
    }
}

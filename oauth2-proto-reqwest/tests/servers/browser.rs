//! A browser without a screen or scripts: cookies, redirects, forms.

use http::header::{CONTENT_TYPE, LOCATION, REFERER};
use oauth2_proto_reqwest::reqwest::redirect::Policy;
use oauth2_proto_reqwest::reqwest::{Client, Response, Url};

use crate::page::{Button, Form, Page};
use crate::registered::{PASSWORD, USER};
use crate::server::Labels;
use crate::world::builder;

/// What the person says when asked for consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    Allow,
    Deny,
}

/// How a person with this browser acts on pages.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) http: Client,
    /// What stays within this origin is followed.
    origin: String,
    labels: Labels,
}

impl Browser {
    pub(crate) fn new(origin: &str, labels: Labels) -> Self {
        let http = builder().cookie_store(true).redirect(Policy::none()).build().unwrap();
        Self { http, origin: origin.to_owned(), labels }
    }

    /// Logs in and decides, on whatever pages there are: where the server sends the browser then.
    pub(crate) async fn visit(&self, url: Url, decision: Decision) -> String {
        let mut url = url;
        let mut answer = self.http.get(url.clone()).send().await.unwrap();
        for _ in 0..20 {
            if answer.status().is_redirection() {
                let location = answer.headers()[LOCATION].to_str().unwrap().to_owned();
                let next = url.join(&location).unwrap();
                if !next.as_str().starts_with(&self.origin) {
                    // As it was written, byte for byte.
                    return location;
                }
                url = next;
                answer = self.http.get(url.clone()).send().await.unwrap();
                continue;
            }
            let status = answer.status();
            let html = answer.text().await.unwrap();
            let page = Page::read(&html);
            answer = if let Some(form) = page.forms.iter().find(|form| form.asks_for_password()) {
                self.submit(&mut url, form, &form.buttons[0]).await
            } else if let Some((form, button)) = page.button(self.labels.press(decision)) {
                self.submit(&mut url, form, button).await
            } else if let Some(to) = page.link(self.labels.press(decision)) {
                url = url.join(to).unwrap();
                self.http.get(url.clone()).send().await.unwrap()
            } else {
                panic!("nothing to press at {url}: {status}\n{html}");
            };
        }
        panic!("the person is sent around in circles at {url}");
    }

    async fn submit(&self, url: &mut Url, form: &Form, button: &Button) -> Response {
        let fields = form.fields.iter().map(|field| {
            let value = match &*field.name {
                "login" | "username" => USER,
                "password" => PASSWORD,
                _ => &field.value,
            };
            (&*field.name, value)
        });
        let pressed = button.name.iter().map(|name| (&**name, &*button.value));
        let mut body = Url::parse("none:").unwrap();
        body.query_pairs_mut().extend_pairs(fields.chain(pressed));
        let target = form.target(url);
        let request = self
            .http
            .post(target.clone())
            .header(REFERER, url.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.query().unwrap_or_default().to_owned());
        *url = target;
        request.send().await.unwrap()
    }
}

//! The compliance hooks, and what was built with them.

use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use oauth2_proto::{Body, Client, Hook, RequestKind};

use crate::support::{
    NOW, TOKENS, answer, authorized, body, client, receive, redeem, refreshing,
};

/// Writes down what it was called for, and leaves a mark on requests of one kind.
#[derive(Debug)]
struct Witness {
    name: &'static str,
    seen: Arc<Mutex<Vec<(&'static str, &'static str, RequestKind)>>>,
}

impl Hook for Witness {
    fn request(&self, kind: RequestKind, request: &mut Request<Body>) {
        self.seen.lock().unwrap().push((self.name, "request", kind));
        request.headers_mut().insert("x-hook", HeaderValue::from_static(self.name));
        let form = format!("{}&by={}", body(request), self.name);
        *request.body_mut() = Body::from(form);
    }

    fn answer(
        &self,
        kind: RequestKind,
        answer: &mut Response<zeroize::Zeroizing<Vec<u8>>>,
    ) {
        self.seen.lock().unwrap().push((self.name, "answer", kind));
        // `token_type` is missing from what this server says.
        let text = core::str::from_utf8(answer.body()).unwrap();
        let text = text.replace("{\"t\":", "{\"token_type\":\"Bearer\",\"access_token\":");
        *answer.body_mut() = zeroize::Zeroizing::new(text.into_bytes());
    }
}

type Seen = Arc<Mutex<Vec<(&'static str, &'static str, RequestKind)>>>;

fn hooked(names: &[&'static str]) -> (Client, Seen) {
    let seen = Seen::default();
    let hook = |&name| Arc::new(Witness { name, seen: Arc::clone(&seen) });
    let client = names.iter().map(hook).fold(client(), |client, hook| client.with_hook(hook));
    (client, seen)
}

//! What a person sees of an HTML page: its forms, buttons and links.

use html5gum::{StartTag, Token, Tokenizer};
use oauth2_proto_reqwest::reqwest::Url;

/// The parts of a page that can be acted upon.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) forms: Vec<Form>,
    /// Where the links go, by their text.
    pub(crate) links: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) action: Option<String>,
    pub(crate) fields: Vec<Field>,
    pub(crate) buttons: Vec<Button>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) kind: String,
}

#[derive(Debug)]
pub(crate) struct Button {
    pub(crate) name: Option<String>,
    pub(crate) value: String,
    pub(crate) label: String,
}

impl Page {
    pub(crate) fn read(html: &str) -> Self {
        let mut page = Self::default();
        // The text since a link or a button was opened.
        let mut text = String::new();
        for Ok(token) in Tokenizer::new(html) {
            match token {
                Token::StartTag(tag) => {
                    text.clear();
                    page.open(&tag);
                }
                Token::EndTag(tag) => match &**tag.name {
                    b"button" => {
                        let form = page.forms.last_mut();
                        if let Some(button) = form.and_then(|form| form.buttons.last_mut()) {
                            button.label = text.trim().to_owned();
                        }
                    }
                    b"a" => {
                        if let Some((label, _)) = page.links.last_mut() {
                            *label = text.trim().to_owned();
                        }
                    }
                    _ => {}
                },
                Token::String(more) => text.push_str(&String::from_utf8_lossy(&more)),
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
        }
        page
    }

    fn open(&mut self, tag: &StartTag<()>) {
        let attribute = |name: &str| {
            let value = tag.attributes.get(name.as_bytes())?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        match &**tag.name {
            b"a" => self.links.extend(attribute("href").map(|to| (String::new(), to))),
            b"form" => {
                self.forms.push(Form { action: attribute("action"), ..Form::default() });
            }
            b"button" | b"input" => {
                let Some(form) = self.forms.last_mut() else { return };
                let is_button = &**tag.name == b"button";
                let kind = attribute("type");
                let kind = kind.as_deref().unwrap_or(if is_button { "submit" } else { "text" });
                let (name, value) = (attribute("name"), attribute("value").unwrap_or_default());
                if kind == "submit" {
                    form.buttons.push(Button { name, label: value.clone(), value });
                } else if let (Some(name), false) = (name, is_button) {
                    form.fields.push(Field { name, value, kind: kind.to_owned() });
                }
            }
            _ => {}
        }
    }

    /// The form with a button of this label, and that button.
    pub(crate) fn button(&self, label: &str) -> Option<(&Form, &Button)> {
        self.forms.iter().find_map(|form| {
            Some((form, form.buttons.iter().find(|button| button.label == label)?))
        })
    }

    /// Where the link with this text goes.
    pub(crate) fn link(&self, text: &str) -> Option<&str> {
        let (_, to) = self.links.iter().find(|(label, _)| label == text)?;
        Some(to)
    }
}

impl Form {
    /// Whether a person logs in with this form.
    pub(crate) fn asks_for_password(&self) -> bool {
        self.fields.iter().any(|field| field.kind == "password")
    }

    /// Where the form goes, on a page at `base`.
    pub(crate) fn target(&self, base: &Url) -> Url {
        base.join(self.action.as_deref().unwrap_or_default()).unwrap()
    }
}

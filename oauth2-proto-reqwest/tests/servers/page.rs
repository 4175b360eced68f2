//! What a person sees of an HTML page: its forms, buttons and links.

use html5gum::{StartTag, Token, Tokenizer};
use oauth2_proto_reqwest::reqwest::Url;

/// The parts of a page that can be acted upon.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) forms: Vec<Form>,
    buttons: Vec<Button>,
    /// Where the links go, by their text.
    links: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Form {
    id: Option<String>,
    action: Option<String>,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
    kind: String,
}

#[derive(Debug)]
pub(crate) struct Button {
    /// Which form it submits.
    form: Option<usize>,
    pub(crate) name: Option<String>,
    pub(crate) value: String,
    label: String,
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
                        if let Some(button) = page.buttons.last_mut() {
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
                let (id, action) = (attribute("id"), attribute("action"));
                self.forms.push(Form { id, action, fields: Vec::new() });
            }
            b"button" | b"input" => {
                let is_button = &**tag.name == b"button";
                let kind = attribute("type");
                let kind = kind.as_deref().unwrap_or(if is_button { "submit" } else { "text" });
                let (name, value) = (attribute("name"), attribute("value").unwrap_or_default());
                if is_button || kind == "submit" {
                    // Its form may be elsewhere, named by its id.
                    let form = match attribute("form") {
                        Some(id) => {
                            self.forms.iter().position(|form| form.id.as_ref() == Some(&id))
                        }
                        None => self.forms.len().checked_sub(1),
                    };
                    let form = form.filter(|_| kind == "submit");
                    self.buttons.push(Button { form, name, label: value.clone(), value });
                } else if let (Some(name), Some(form)) = (name, self.forms.last_mut()) {
                    form.fields.push(Field { name, value, kind: kind.to_owned() });
                }
            }
            _ => {}
        }
    }

    /// The form with a button of this label, and that button.
    pub(crate) fn button(&self, label: &str) -> Option<(&Form, &Button)> {
        let button = self.buttons.iter().find(|button| button.label == label)?;
        Some((&self.forms[button.form?], button))
    }

    /// The form that asks for what is typed into a field of this kind, and its first button.
    pub(crate) fn asking_for(&self, is_asked: impl Fn(&Field) -> bool) -> Option<(&Form, &Button)> {
        let asking = self.forms.iter().position(|form| form.fields.iter().any(&is_asked))?;
        let button = self.buttons.iter().find(|button| button.form == Some(asking))?;
        Some((&self.forms[asking], button))
    }

    /// Where the link with this text goes.
    pub(crate) fn link(&self, text: &str) -> Option<&str> {
        let (_, to) = self.links.iter().find(|(label, _)| label == text)?;
        Some(to)
    }
}

impl Field {
    pub(crate) fn is_password(&self) -> bool {
        self.kind == "password"
    }

    /// Whether a person can see it and write into it.
    pub(crate) fn is_text(&self, name: &str) -> bool {
        self.kind == "text" && self.name == name
    }
}

impl Form {
    /// Where the form goes, on a page at `base`.
    pub(crate) fn target(&self, base: &Url) -> Url {
        base.join(self.action.as_deref().unwrap_or_default()).unwrap()
    }
}

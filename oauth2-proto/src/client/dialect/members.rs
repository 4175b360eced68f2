//! The members of a JSON object as they stand in its text, and a text that is being written.
//!
//! Values are never taken apart unless somebody asks for them: what nobody asks for is copied as it
//! came, digit by digit. An object that names a member twice says nothing, and is not read.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::wire::Text;

/// The members of one JSON object, in their order.
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

/// No answer has so many. Telling repeated names apart takes time that grows with the square of
/// their number.
const MOST_MEMBERS: usize = 500;

impl<'a> Members<'a> {
    pub(super) fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    /// The value of a member that says something: neither absent nor `null` nor an empty text.
    pub(super) fn said(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| says_something(value))
    }

    /// Gives a member another name, unless a member of that name says something.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if from == to || self.said(from).is_none() || self.said(to).is_some() {
            return;
        }
        self.0.retain(|(name, _)| name != to);
        for (name, _) in self.0.iter_mut().filter(|(name, _)| name == from) {
            *name = Cow::Owned(to.into());
        }
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Text(name)) = map.next_key()? {
                    if members.len() == MOST_MEMBERS || members.iter().any(|(own, _)| *own == name)
                    {
                        return Err(M::Error::custom("a repeated member, or too many"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Reader)
    }
}

/// The value that a JSON pointer (RFC 6901) leads to.
pub(super) fn at<'a>(mut value: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    if pointer.is_empty() {
        return Some(value);
    }
    for step in pointer.strip_prefix('/')?.split('/') {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = if value.get().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            *items.get(step.parse::<usize>().ok()?)?
        } else {
            Members::of(value)?.get(&step)?
        };
    }
    Some(value)
}

/// Neither `null` nor an empty text.
pub(super) fn says_something(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | "\"\"")
}

/// The text of a string, the spelling of a number or of a truth value.
pub(super) fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0),
        b'{' | b'[' => None,
        _ => Some(Cow::Borrowed(value.get())).filter(|text| *text != "null"),
    }
}

/// One JSON object that is being written. It holds tokens: when it grows, no copy stays behind.
pub(super) struct Object(Zeroizing<String>);

impl Object {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(bytes.saturating_add(2)));
        text.push('{');
        Self(text)
    }

    /// Adds a member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.push(value);
    }

    /// Adds a member whose value is a text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    pub(super) fn finish(mut self) -> Zeroizing<String> {
        self.push("}");
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.push(",");
        }
        self.string(name);
        self.push(":");
    }

    /// RFC 8259 §7.
    fn string(&mut self, text: &str) {
        self.push("\"");
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\x1F')) {
            let (plain, escaped) = rest.split_at(at);
            self.push(plain);
            let mut characters = escaped.chars();
            match characters.next() {
                Some('"') => self.push("\\\""),
                Some('\\') => self.push("\\\\"),
                Some(control) => self.push(&alloc::format!("\\u{:04x}", u32::from(control))),
                None => {}
            }
            rest = characters.as_str();
        }
        self.push(rest);
        self.push("\"");
    }

    fn push(&mut self, text: &str) {
        let needed = self.0.len().saturating_add(text.len());
        if needed > self.0.capacity() {
            let mut grown = Zeroizing::new(String::with_capacity(needed.saturating_mul(2)));
            grown.push_str(&self.0);
            self.0 = grown;
        }
        self.0.push_str(text);
    }
}

//! A body that was refused, field by field: everything that one look at its fields shows, in memory that grows no faster than the body.

use super::{
    body_value::{Leaf, Value},
    field_error::{FieldCode, FieldError, MOST_ERRORS, child, is_shown},
};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use std::fmt;

/// What a field has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Kind {
    Text,
    Texts,
    /// A whole number from 0.
    Whole,
    Flag,
    /// An object, whose members are looked at by whoever knows them.
    Object,
}

/// A field that a body may have.
#[derive(Debug)]
pub(in crate::http) struct Field {
    name: &'static str,
    kind: Kind,
    is_required: bool,
    /// Whether `null` is as good as no field.
    takes_null: bool,
}

impl Field {
    pub(in crate::http) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, is_required: true, takes_null: true }
    }

    /// One that is left out rather than `null`.
    pub(in crate::http) const fn defaulted(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, is_required: false, takes_null: false }
    }

    pub(in crate::http) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, is_required: false, takes_null: true }
    }
}

/// A body whose fields are known by more than its parser.
pub(in crate::http) trait Body: DeserializeOwned {
    /// All there are.
    const FIELDS: &'static [Field];
}

/// What a body has in its fields, and what is wrong with that at first sight.
#[derive(Debug)]
pub(in crate::http) struct Fields {
    values: Vec<(&'static str, Value)>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads a body, of which it is known that it is an object.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub(in crate::http) fn read(body: &[u8], fields: &'static [Field]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let mut read = Known(fields).deserialize(&mut deserializer)?;
        deserializer.end()?;
        for field in fields {
            if field.is_required && !read.mentions(field.name) {
                read.note(FieldError::at(child("", field.name), FieldCode::Required, "has to be there"));
            }
        }
        Ok(read)
    }

    /// Whether a field is there, of whatever type, and not `null`.
    pub(in crate::http) fn mentions(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| *known == name)
    }

    pub(in crate::http) fn text(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Some(Value::Leaf(Leaf::Text(text))) => Some(text),
            Some(_) | None => None,
        }
    }

    pub(in crate::http) fn whole(&self, name: &str) -> Option<u64> {
        match self.value(name) {
            Some(Value::Leaf(Leaf::Whole(number))) => Some(*number),
            Some(_) | None => None,
        }
    }

    /// The first items of a list, each where it is a text, and how many there are.
    pub(in crate::http) fn texts(&self, name: &str) -> Option<(Vec<Option<&str>>, usize)> {
        match self.value(name) {
            Some(Value::List(items, count)) => Some((items.iter().map(Leaf::text).collect(), *count)),
            Some(_) | None => None,
        }
    }

    /// The first members of an object, each with its value where that is a text.
    pub(in crate::http) fn members(&self, name: &str) -> Option<Vec<(&str, Option<&str>)>> {
        match self.value(name) {
            Some(Value::Object(members)) => {
                Some(members.iter().map(|(name, value)| (name.as_str(), value.text())).collect())
            }
            Some(_) | None => None,
        }
    }

    /// What is wrong at first sight.
    pub(in crate::http) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn note(&mut self, error: FieldError) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(error);
        }
    }

    fn note_unknown(&mut self, name: &str) {
        let detail =
            if is_shown(name) { "there is no such field" } else { "there is a field of no name that is known" };
        self.note(FieldError::at(child("", name), FieldCode::Unknown, detail));
    }

    fn note_value(&mut self, field: &Field, value: Value) {
        let pointer = child("", field.name);
        if matches!(value, Value::Leaf(Leaf::Null)) && field.takes_null {
            return;
        }
        match wrong(field.kind, &value) {
            Some((code, detail)) => self.note(FieldError::at(pointer, code, detail)),
            None if field.kind == Kind::Texts => self.note_items(&pointer, &value),
            None => {}
        }
        self.values.push((field.name, value));
    }

    fn note_items(&mut self, pointer: &str, value: &Value) {
        let Value::List(items, _) = value else { return };
        for (index, item) in items.iter().enumerate() {
            if item.text().is_none() {
                self.note(FieldError::at(format!("{pointer}/{index}"), FieldCode::Type, "has to be a text"));
            }
        }
    }
}

/// What is wrong with a value of this kind, if it is not of it.
fn wrong(kind: Kind, value: &Value) -> Option<(FieldCode, &'static str)> {
    match (kind, value) {
        (Kind::Text, Value::Leaf(Leaf::Text(_)))
        | (Kind::Texts, Value::List(..))
        | (Kind::Whole, Value::Leaf(Leaf::Whole(_)))
        | (Kind::Flag, Value::Leaf(Leaf::Flag))
        | (Kind::Object, Value::Object(..)) => None,
        (Kind::Whole, Value::Leaf(Leaf::Negative)) => Some((FieldCode::Range, "has to be 0 or more")),
        (Kind::Text, _) => Some((FieldCode::Type, "has to be a text")),
        (Kind::Texts, _) => Some((FieldCode::Type, "has to be a list of texts")),
        (Kind::Whole, _) => Some((FieldCode::Type, "has to be a whole number")),
        (Kind::Flag, _) => Some((FieldCode::Type, "has to be true or false")),
        (Kind::Object, _) => Some((FieldCode::Type, "has to be an object")),
    }
}

/// Reads an object with these fields.
struct Known(&'static [Field]);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = Fields;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Known {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields { values: Vec::new(), errors: Vec::new() };
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            match self.0.iter().find(|field| field.name == name) {
                Some(field) if !seen.contains(&field.name) => {
                    seen.push(field.name);
                    fields.note_value(field, map.next_value()?);
                }
                Some(field) => {
                    map.next_value::<IgnoredAny>()?;
                    fields.note(FieldError::at(child("", field.name), FieldCode::Conflict, "is there twice"));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                    fields.note_unknown(&name);
                }
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
pub(in crate::http) mod tests {
    use super::{super::body_value::MOST_ITEMS, *};
    use serde_json::json;

    const FIELDS: &[Field] = &[
        Field::required("a", Kind::Text),
        Field::optional("b", Kind::Texts),
        Field::optional("c", Kind::Whole),
        Field::optional("d", Kind::Flag),
        Field::optional("e", Kind::Object),
    ];

    fn errors(body: &str) -> Vec<(String, String)> {
        let errors = serde_json::to_value(Fields::read(body.as_bytes(), FIELDS).unwrap().into_errors()).unwrap();
        let text = |error: &serde_json::Value, name: &str| error[name].as_str().unwrap().to_owned();
        errors.as_array().unwrap().iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
    }

    fn found(errors: &[(&str, &str)]) -> Vec<(String, String)> {
        errors.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
    }

    /// The parser names all fields it knows in the error for one that it does not.
    pub(in crate::http) fn assert_fields<T: Body>() {
        let error = serde_json::from_value::<T>(json!({ "no such": 1 })).err().unwrap().to_string();
        let (_, expected) = error.split_once("expected ").unwrap();
        let parsed: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        assert_eq!(T::FIELDS.iter().map(|field| field.name).collect::<Vec<_>>(), parsed);
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let body = r#"{"x":1,"b":["y",2,null,[3],{}],"c":-1,"d":"true","e":[],"c":5,"":0}"#;
        let all = [
            ("/x", "unknown"),
            ("/b/1", "type"),
            ("/b/2", "type"),
            ("/b/3", "type"),
            ("/b/4", "type"),
            ("/c", "range"),
            ("/d", "type"),
            ("/e", "type"),
            ("/c", "conflict"),
            ("/", "unknown"),
            ("/a", "required"),
        ];
        assert_eq!(errors(body), found(&all));
        assert_eq!(errors(r#"{"a":null,"b":null,"c":null,"d":null,"e":null}"#), found(&[("/a", "required")]));
        for whole in ["1.5", "1e-3", "18446744073709551616", "[]", "\"1\""] {
            assert_eq!(errors(&format!(r#"{{"a":"","c":{whole}}}"#)), found(&[("/c", "type")]), "{whole}");
        }
        assert_eq!(errors(r#"{"a":"","b":[],"c":0,"d":false,"e":{}}"#), []);
        assert_eq!(errors(r#"{"a":"","c":1e3}"#), [], "an integer, however it is written");
    }

    #[test]
    fn nothing_of_a_body_is_kept_without_bound_or_quoted() {
        let many: String = (0..10_000).map(|n| format!(r#""n{n}":"secret","#)).collect();
        let list = "0,".repeat(100_000);
        let body = format!(r#"{{{many}"a":["secret"],"b":[{list}0],"e":{{{many}"x":0}}}}"#);
        let read = Fields::read(body.as_bytes(), FIELDS).unwrap();
        assert_eq!(read.texts("b").map(|(items, count)| (items.len(), count)), Some((MOST_ITEMS, 100_001)));
        assert_eq!(read.members("e").unwrap().len(), MOST_ITEMS);
        let errors = read.into_errors();
        assert_eq!(errors.len(), MOST_ERRORS);
        assert!(!serde_json::to_string(&errors).unwrap().contains("secret"));
        let name = "secret".repeat(100_000);
        let errors = Fields::read(format!(r#"{{"{name}":1,"a":{{"{name}":1}}}}"#).as_bytes(), FIELDS).unwrap();
        assert!(serde_json::to_string(&errors.into_errors()).unwrap().len() < 400);
    }

    #[test]
    fn depth_is_no_matter() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(errors(&format!(r#"{{"a":{deep},"x":{deep},"b":[{deep}]}}"#)).len(), 3);
        assert!(Fields::read(br#"{"a":"#, FIELDS).is_err());
        assert!(Fields::read(br#"{"a":""} x"#, FIELDS).is_err());
    }
}

//! The metadata of a request, as a body has it.

use super::problem::Problem;
use crate::{Metadata, metadata::is_name};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use std::fmt;
use warp::http::StatusCode;

/// The members of an object, as they stand there: whichever there are, and however often.
pub(super) struct Members(Vec<(String, Value)>);

impl Members {
    /// Each with its value, where that is a text.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn parse(&self) -> Result<Metadata, Problem> {
        let text = |(name, value): &(String, Value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            // What could be no name is refused as one.
            _ if !is_name(name) => Ok((name.clone(), String::new())),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(invalid(format!("{name:?} has to be a text")))
            }
        };
        let values = self.0.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Metadata::new(values).map_err(|error| invalid(error.to_string()))
    }
}

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_metadata", format!("metadata: {detail}"))
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfAnObject)
    }
}

struct OfAnObject;

impl<'de> Visitor<'de> for OfAnObject {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata to be an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<Metadata, Problem> {
        serde_json::from_str::<Members>(json).unwrap().parse()
    }

    #[test]
    fn is_an_object_of_texts_each_there_once() {
        let metadata = parsed(r#"{"b":"2","a":"\u0000"}"#).unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("a", "\0"), ("b", "2")]);
        for json in [r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":{"b":"c"}}"#, r#"{"a":"1","a":"1"}"#, r#"{"a b":1}"#] {
            assert_eq!(parsed(json).unwrap_err().code(), "invalid_metadata", "{json}");
        }
        let error = serde_json::from_str::<Members>("[]").err().unwrap().to_string();
        assert!(error.contains("metadata"), "{error}");
    }
}

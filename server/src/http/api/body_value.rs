//! A value of a body, as deep as it is looked at: no deeper than one level, and no longer than is told.

use super::whole_number::whole;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// As many items of a list, or members of an object, are looked at. The others are counted.
pub(super) const MOST_ITEMS: usize = 64;

/// A value without what is in it.
#[derive(Debug)]
pub(super) enum Leaf {
    Null,
    Flag,
    Whole(u64),
    Negative,
    OtherNumber,
    Text(String),
    Compound,
}

/// A value, and what is in it at the first level.
#[derive(Debug)]
pub(super) enum Value {
    Leaf(Leaf),
    /// The first of its items, and how many there are.
    List(Vec<Leaf>, usize),
    /// The first of its members, each as often as it is there.
    Object(Vec<(String, Leaf)>),
}

impl Leaf {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Flag | Self::Whole(_) | Self::Negative | Self::OtherNumber | Self::Compound => None,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyLeaf)
    }
}

/// What JSON has without something in it.
macro_rules! visit_leaves {
    ($of:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($of(Leaf::Null))
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($of(Leaf::Flag))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok($of(Leaf::Whole(value)))
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($of(Leaf::Negative))
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
            Ok($of(whole(value).map_or(Leaf::OtherNumber, Leaf::Whole)))
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
            Ok($of(Leaf::Text(value.to_owned())))
        }
    };
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    visit_leaves!(Value::Leaf);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MOST_ITEMS {
            match seq.next_element()? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        let mut count = items.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Value::List(items, count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while members.len() < MOST_ITEMS {
            match map.next_entry()? {
                Some(member) => members.push(member),
                None => break,
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(members))
    }
}

struct AnyLeaf;

impl<'de> Visitor<'de> for AnyLeaf {
    type Value = Leaf;

    visit_leaves!(|leaf| leaf);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Leaf, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Leaf::Compound)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Leaf, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Leaf::Compound)
    }
}

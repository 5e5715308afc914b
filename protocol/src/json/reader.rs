//! Takes the fields of an object by name.

use super::{
    error::JsonError,
    scanner::{Scanner, Value},
};
use crate::{binary::decode_array, wire_name::WireName};
use alloc::borrow::Cow;
use core::{fmt, str::FromStr};

/// Room for the fields of the largest object there is.
const MOST_FIELDS: usize = 20;

/// The names of the fields that a reader knows. All others are ignored, as often as they stand there.
#[derive(Debug, Clone, Copy)]
pub struct Fields(&'static [&'static str]);

impl Fields {
    /// These, at most 20 of them.
    pub const fn new(names: &'static [&'static str]) -> Self {
        assert!(names.len() <= MOST_FIELDS, "more fields than an object has room for");
        Self(names)
    }
}

#[derive(Debug, Clone, Copy)]
enum Slot<'a> {
    Absent,
    Once(Value<'a>),
    Twice,
}

/// Takes from an object what a `T` is made of.
pub type Read<T> = fn(&Object<'_>) -> Result<T, JsonError>;

/// A JSON object whose fields are taken by name. Every taking says whether the field must be there; `null` stands for absence.
///
/// # Errors
/// Each method gives a [`JsonError`] that names the field: it is missing, stands twice, or is not of the form asked for.
#[derive(Debug)]
pub struct Object<'a> {
    fields: Fields,
    slots: [Slot<'a>; MOST_FIELDS],
}

impl<'a> Object<'a> {
    /// Reads a text that is one object.
    ///
    /// # Errors
    /// [`JsonError`] where it is none.
    pub fn read(text: &'a str, fields: Fields) -> Result<Self, JsonError> {
        let mut slots = [Slot::Absent; MOST_FIELDS];
        Scanner::new(text).members(|name, value| {
            let known = fields.0.iter().zip(&mut slots).find(|(known, _)| **known == name);
            if let Some((_, slot)) = known {
                *slot = if let Slot::Absent = slot { Slot::Once(value) } else { Slot::Twice };
            }
        })?;
        Ok(Self { fields, slots })
    }

    /// A string that is read as a `T`.
    pub fn required<T: FromStr<Err: fmt::Display>>(&self, field: &'static str) -> Result<T, JsonError> {
        parsed(field, &self.text(field)?)
    }

    /// A string that is read as a `T`, if it is there.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&self, field: &'static str) -> Result<Option<T>, JsonError> {
        self.optional_text(field)?.map(|text| parsed(field, &text)).transpose()
    }

    /// Exactly `N` bytes in base64.
    pub fn base64<const N: usize>(&self, field: &'static str) -> Result<[u8; N], JsonError> {
        decode_array(field, &self.text(field)?).map_err(|error| JsonError::value(field, &error))
    }

    /// One of a list of names.
    pub fn name<T: WireName>(&self, field: &'static str) -> Result<T, JsonError> {
        named(field, &self.text(field)?)
    }

    /// One of a list of names, if it is there.
    pub fn optional_name<T: WireName>(&self, field: &'static str) -> Result<Option<T>, JsonError> {
        self.optional_text(field)?.map(|text| named(field, &text)).transpose()
    }

    /// An integer without sign, fraction or exponent.
    pub fn integer<T: TryFrom<u64>>(&self, field: &'static str) -> Result<T, JsonError> {
        let number = match self.value(field)?.ok_or_else(|| JsonError::missing(field))? {
            Value::Number(digits) => digits.parse().ok(),
            Value::Null | Value::String(_) | Value::Object(_) | Value::Other => None,
        };
        let fits = number.and_then(|number: u64| T::try_from(number).ok());
        fits.ok_or_else(|| {
            JsonError::value(field, &format_args!("not an integer of {} bits without a sign", size_of::<T>() * 8))
        })
    }

    /// A string.
    pub fn text(&self, field: &'static str) -> Result<Cow<'a, str>, JsonError> {
        self.optional_text(field)?.ok_or_else(|| JsonError::missing(field))
    }

    /// An object, of which `read` takes the fields.
    pub fn object<T>(&self, field: &'static str, fields: Fields, read: Read<T>) -> Result<T, JsonError> {
        self.optional_object(field, fields, read)?.ok_or_else(|| JsonError::missing(field))
    }

    /// An object, if it is there.
    pub fn optional_object<T>(
        &self,
        field: &'static str,
        fields: Fields,
        read: Read<T>,
    ) -> Result<Option<T>, JsonError> {
        match self.value(field)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(text)) => {
                let object = Object::read(text, fields).and_then(|object| read(&object));
                object.map(Some).map_err(|error| JsonError::value(field, &error))
            }
            Some(Value::Number(_) | Value::String(_) | Value::Other) => Err(JsonError::value(field, &"not an object")),
        }
    }

    fn optional_text(&self, field: &'static str) -> Result<Option<Cow<'a, str>>, JsonError> {
        match self.value(field)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => match text.decode() {
                Some(text) => Ok(Some(text)),
                None => Err(JsonError::value(field, &"half of a surrogate pair")),
            },
            Some(Value::Number(_) | Value::Object(_) | Value::Other) => Err(JsonError::value(field, &"not a string")),
        }
    }

    fn value(&self, field: &'static str) -> Result<Option<Value<'a>>, JsonError> {
        let slot = self.fields.0.iter().zip(&self.slots).find(|(name, _)| **name == field);
        match slot {
            Some((_, Slot::Once(value))) => Ok(Some(*value)),
            Some((_, Slot::Twice)) => Err(JsonError::duplicate(field)),
            Some((_, Slot::Absent)) | None => Ok(None),
        }
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(field: &'static str, text: &str) -> Result<T, JsonError> {
    text.parse().map_err(|error| JsonError::value(field, &error))
}

fn named<T: WireName>(field: &'static str, text: &str) -> Result<T, JsonError> {
    T::from_name(text).map_err(|error| JsonError::value(field, &error))
}

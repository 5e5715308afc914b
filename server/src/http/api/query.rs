//! The parameters of a query.

use super::{
    any_case::parse_any_case,
    field_error::{FieldCode, FieldError, printable},
    problem::Problem,
};
use percent_encoding::percent_decode_str;
use std::{
    fmt::Display,
    ops::RangeInclusive,
    str::{FromStr, Utf8Error},
};

/// One segment of a path.
pub(in crate::http) fn decoded(text: &str) -> Result<String, Problem> {
    utf8(text).map_err(|_| Problem::malformed(NO_UTF8))
}

const NO_UTF8: &str = "the URL is not UTF-8";

fn utf8(text: &str) -> Result<String, Utf8Error> {
    Ok(percent_decode_str(text).decode_utf8()?.into_owned())
}

/// The parameters of a query, each to be taken. What is wrong with them is told at the [`end`](Self::end), all of it.
#[derive(Debug, Default)]
pub(in crate::http) struct Parameters {
    left: Vec<(String, String)>,
    /// The first thing that is wrong.
    problem: Option<Problem>,
    errors: Vec<FieldError>,
}

impl Parameters {
    /// As forms are encoded, in which a plus sign stands for a space.
    pub(in crate::http) fn of_form(query: &str) -> Self {
        Self::parse(Some(&query.replace('+', "%20")))
    }

    pub(in crate::http) fn parse(query: Option<&str>) -> Self {
        let mut parameters = Self::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Ok(name) = utf8(name) else {
                parameters.problem.get_or_insert_with(|| Problem::malformed(NO_UTF8));
                continue;
            };
            if parameters.left.iter().any(|(known, _)| *known == name) {
                let problem = Problem::malformed(format!("the query has {:?} twice", printable(&name)));
                parameters.refuse(&name, FieldCode::Conflict, "is there twice", problem);
                continue;
            }
            match utf8(value) {
                Ok(value) => parameters.left.push((name, value)),
                Err(_) => {
                    parameters.refuse(&name, FieldCode::Format, "is not UTF-8", Problem::malformed(NO_UTF8));
                }
            }
        }
        parameters
    }

    /// A parameter, if it is there and right.
    pub(in crate::http) fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.take_with(name, |text| text.parse().map_err(|error| Problem::malformed(format!("{name}: {error}"))))
    }

    /// Likewise, an id in either case.
    pub(in crate::http) fn take_id<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.take_with(name, |text| {
            parse_any_case(text).map_err(|error| Problem::malformed(format!("{name}: {error}")))
        })
    }

    /// Likewise, a number within limits.
    pub(in crate::http) fn take_within<T>(&mut self, name: &str, limits: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr<Err: Display> + PartialOrd + Display,
    {
        let number = self.take(name)?;
        if limits.contains(&number) {
            return Some(number);
        }
        let detail = format!("has to be from {} to {}", limits.start(), limits.end());
        let problem = Problem::malformed(format!("{name} {detail}"));
        self.refuse(name, FieldCode::Range, detail, problem);
        None
    }

    /// Likewise, read in a way of its own.
    pub(in crate::http) fn take_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        match read(&self.left.swap_remove(at).1) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(name, FieldCode::Format, problem.detail().to_owned(), problem);
                None
            }
        }
    }

    /// Refuses what was wrong, and what nobody has taken: a filter with a slip in its name would otherwise let everything through.
    pub(in crate::http) fn end(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.left) {
            let problem = Problem::malformed(format!("the query's {:?} means nothing here", printable(&name)));
            self.refuse(&name, FieldCode::Unknown, "means nothing here", problem);
        }
        match self.problem {
            None => Ok(()),
            Some(problem) => Err(problem.with_errors(self.errors)),
        }
    }

    fn refuse(&mut self, name: &str, code: FieldCode, detail: impl Into<String>, problem: Problem) {
        self.errors.push(FieldError::of_parameter(name, code, detail.into()));
        self.problem.get_or_insert(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_parameter_is_taken_once() {
        let mut parameters = Parameters::parse(Some("a=1&b=x%20y"));
        assert_eq!(parameters.take::<u8>("a"), Some(1));
        assert_eq!(parameters.take::<u8>("a"), None);
        assert_eq!(parameters.take::<String>("b").as_deref(), Some("x y"));
        assert!(parameters.end().is_ok());
        assert!(Parameters::parse(None).end().is_ok());
        let mut form = Parameters::of_form("a=1+2%2b");
        assert_eq!(form.take::<String>("a").as_deref(), Some("1 2+"));
        for query in ["a=%ff", "%ff=a", "c", "a=1&a=2"] {
            let mut parameters = Parameters::parse(Some(query));
            parameters.take::<String>("a");
            assert_eq!(parameters.end().unwrap_err().code(), "malformed", "{query}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut parameters = Parameters::parse(Some("a=x&a=2&b=5&c=%ff&d=1&%00=1&e=1"));
        assert_eq!(parameters.take::<u8>("a"), None);
        assert_eq!(parameters.take_within("b", 1..=4), None::<u8>);
        assert_eq!(parameters.take_within("e", 1..=4), Some(1));
        let problem = parameters.end().unwrap_err();
        assert_eq!(problem.detail(), "the query has \"a\" twice");
        let document = serde_json::to_value(problem.document(None)).unwrap();
        let told = |error: &Value| (error["parameter"].clone(), error["code"].clone());
        let told: Vec<_> = document["errors"].as_array().unwrap().iter().map(told).collect();
        let expected = [
            ("a", "conflict"),
            ("c", "format"),
            ("a", "format"),
            ("b", "range"),
            ("d", "unknown"),
            ("\u{fffd}", "unknown"),
        ];
        let expected = expected.map(|(name, code)| (json!(name), json!(code)));
        assert_eq!(told.iter().cloned().collect::<std::collections::HashSet<_>>(), expected.into());
        assert_eq!(told.len(), 6);
    }
}

//! The parameters of a query.

use super::problem::Problem;
use percent_encoding::percent_decode_str;
use std::{fmt::Display, str::FromStr};

/// One segment of a path, or one value of a query.
pub(in crate::http) fn decoded(text: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Problem::malformed("the URL is not UTF-8"))?;
    Ok(decoded.into_owned())
}

/// The parameters of a query, each to be taken.
#[derive(Debug)]
pub(in crate::http) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// As forms are encoded, in which a plus sign stands for a space.
    pub(in crate::http) fn of_form(query: &str) -> Result<Self, Problem> {
        Self::parse(Some(&query.replace('+', "%20")))
    }

    pub(in crate::http) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Problem::malformed(format!("the query has {name:?} twice")));
            }
            parameters.push((name, decoded(value)?));
        }
        Ok(Self(parameters))
    }

    /// A parameter, if it is there.
    pub(in crate::http) fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        self.take_with(name, |text| text.parse().map_err(|error| Problem::malformed(format!("{name}: {error}"))))
    }

    /// Likewise, read in a way of its own.
    pub(in crate::http) fn take_with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        let Some(at) = self.0.iter().position(|(known, _)| known == name) else { return Ok(None) };
        read(&self.0.swap_remove(at).1).map(Some)
    }

    /// Refuses what nobody has taken: a filter with a slip in its name would otherwise let everything through.
    pub(in crate::http) fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::malformed(format!("the query's {name:?} means nothing here"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_taken_once() {
        let mut parameters = Parameters::parse(Some("a=1&b=x%20y")).unwrap();
        assert_eq!(parameters.take::<u8>("a").unwrap(), Some(1));
        assert_eq!(parameters.take::<u8>("a").unwrap(), None);
        assert_eq!(parameters.take::<String>("b").unwrap().as_deref(), Some("x y"));
        assert!(parameters.end().is_ok());
        assert!(Parameters::parse(None).unwrap().end().is_ok());
        let mut form = Parameters::of_form("a=1+2%2b").unwrap();
        assert_eq!(form.take::<String>("a").unwrap().as_deref(), Some("1 2+"));
        assert!(Parameters::parse(Some("a=1&a=2")).is_err() && Parameters::parse(Some("a=%ff")).is_err());
        assert!(Parameters::parse(Some("c")).unwrap().end().is_err());
        assert!(Parameters::parse(Some("a=x")).unwrap().take::<u8>("a").is_err());
    }
}

//! [`Params`]: a request's parameters as they were sent, so that a repeated one is seen.

use serde::{Deserialize, Serialize};

use super::error::ProtocolError;

/// The longest value that is accepted; longer than any honest one.
const MAX_VALUE: usize = 8 * 1024;
/// The most parameters that are accepted; every look-up walks through them.
const MAX_COUNT: usize = 200;

/// A list of names and values in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Takes the pairs as they were sent.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// A parameter's only value. One without a value counts as not sent (RFC 6749 section 3.1).
    ///
    /// # Errors
    /// `invalid_request` when it is repeated, too long or contains a NUL, and when there are too many parameters.
    pub fn get(&self, name: &str) -> Result<Option<&str>, ProtocolError> {
        if self.0.len() > MAX_COUNT {
            return Err(ProtocolError::invalid_request("Too many parameters."));
        }
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(ProtocolError::invalid_request(format!("Duplicate {name} parameter.")));
        }
        match first {
            Some(value) if value.len() > MAX_VALUE => Err(ProtocolError::invalid_request(format!("{name} is too long."))),
            Some(value) if value.contains('\0') => Err(ProtocolError::invalid_request(format!("{name} contains a NUL character."))),
            Some("") | None => Ok(None),
            some => Ok(some),
        }
    }

    /// [`Params::get`] where a bad value counts as none: for what goes into an error redirect.
    pub fn get_lenient(&self, name: &str) -> Option<&str> {
        self.get(name).ok().flatten()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These parameters with one set to a value, at the end if it was not there.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self.0.iter().filter(|(known, _)| known != name).cloned().collect();
        pairs.push((name.to_owned(), value.to_owned()));
        Self(pairs)
    }

    /// These parameters without one.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// These parameters without all others than these names: whatever is kept or sent on is bounded.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
    }

    /// The query string that says the same.
    pub fn to_query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(self.iter()).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_an_error_and_an_empty_one_is_absent() {
        let params: Params = [("a", "1"), ("b", ""), ("a", "1")].into_iter().collect();
        assert!(params.get("a").is_err());
        assert_eq!(params.get("b"), Ok(None));
        assert_eq!(params.get("c"), Ok(None));
        assert_eq!(params.with("a", "2").get("a"), Ok(Some("2")));
    }
}

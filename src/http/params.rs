//! Frappe's parameter dictionary (contract 1.4): a JSON body replaces the query; form fields override it.

use std::collections::HashSet;
use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Bytes;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::extract::text;
use crate::error::AppError;

/// Parameters that are accepted at most; more is an attack on the parser.
const MAX_PARAMETERS: usize = 1000;
/// How deep JSON may nest.
pub const MAX_DEPTH: usize = 64;

/// The parameters of a request by name. Values from a query or form are strings.
#[derive(Clone, Debug, Default)]
pub struct Params {
    pub values: Map<String, Value>,
    /// Names that were given more than once in the same place (query, form or JSON object).
    pub repeated: HashSet<String>,
    /// Whether the values come from a JSON body.
    pub is_json: bool,
}

impl Params {
    /// Reads the parameters of a request whose body was read.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] for malformed JSON, forms and escapes.
    pub fn read(request: &HttpRequest, body: &Bytes) -> Result<Self, AppError> {
        let query = request.query_string();
        if query.is_empty() && body.is_empty() {
            return Ok(Self::default());
        }
        let content_type = text(request.headers(), &header::CONTENT_TYPE).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let charset =
            content_type.split(';').find_map(|part| part.trim().strip_prefix("charset=")).map(|charset| charset.trim_matches('"'));
        if charset.is_some_and(|charset| !["utf-8", "utf8", "us-ascii"].contains(&charset.to_ascii_lowercase().as_str())) {
            return Err(AppError::InvalidData("request body must be UTF-8".into()));
        }
        let mut params = Self::default();
        if essence.eq_ignore_ascii_case("application/json") && !body.is_empty() {
            params.read_json(body)?;
        } else {
            params.read_urlencoded(query.as_bytes())?;
            let mut form = Self::default();
            if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                form.read_urlencoded(body)?;
            } else if essence.eq_ignore_ascii_case("multipart/form-data") {
                form.read_multipart(content_type, body)?;
            } else if essence.is_empty() && looks_like_json_object(body) {
                // Frappe reads a body without a content type where a document is expected (230).
                form.read_json(body)?;
            } else if !body.is_empty() && !essence.is_empty() && !essence.starts_with("text/") {
                return Err(AppError::InvalidData(format!("content type {essence} is not understood; send application/json or a form")));
            }
            for (name, value) in form.values {
                params.values.insert(name, value);
            }
            params.repeated.extend(form.repeated);
        }
        // Frappe's cache buster.
        params.values.shift_remove("_");
        Ok(params)
    }

    /// The parameters of a request whose form was read elsewhere, field by field.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] for malformed escapes, NUL, and too many of them.
    pub fn from_fields(query: &str, fields: Vec<(String, String)>) -> Result<Self, AppError> {
        let (mut params, mut form) = (Self::default(), Self::default());
        params.read_urlencoded(query.as_bytes())?;
        for (name, value) in fields {
            form.add(name, value)?;
        }
        params.values.extend(form.values);
        params.repeated.extend(form.repeated);
        Ok(params)
    }

    fn read_json(&mut self, body: &[u8]) -> Result<(), AppError> {
        if nests_too_deep(body) {
            return Err(AppError::InvalidData(format!("request body nests deeper than {MAX_DEPTH}")));
        }
        let JsonBody { values, repeated } = serde_json::from_slice(body).map_err(|error| {
            let text = if error.is_data() { "request body must be a JSON object" } else { "Invalid request body" };
            AppError::InvalidData(text.into())
        })?;
        if has_nul_key(&values) {
            return Err(AppError::InvalidData("parameter names must not contain NUL".into()));
        }
        (self.values, self.repeated, self.is_json) = (values, repeated, true);
        Ok(())
    }

    fn read_urlencoded(&mut self, bytes: &[u8]) -> Result<(), AppError> {
        for pair in bytes.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|&b| b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            let (name, value) = (decode(name)?, decode(value)?);
            self.add(name, value)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String, value: String) -> Result<(), AppError> {
        if self.values.len() >= MAX_PARAMETERS {
            return Err(AppError::InvalidData(format!("more than {MAX_PARAMETERS} parameters")));
        }
        if name.contains('\0') || value.contains('\0') {
            return Err(AppError::InvalidData("parameters must not contain NUL".into()));
        }
        // Werkzeug keeps the first of repeated fields.
        if self.values.contains_key(&name) {
            self.repeated.insert(name);
        } else {
            self.values.insert(name, Value::String(value));
        }
        Ok(())
    }

    /// Reads the text fields of a multipart body; files are the business of `upload_file`.
    fn read_multipart(&mut self, content_type: &str, body: &[u8]) -> Result<(), AppError> {
        let malformed = || AppError::InvalidData("multipart body is malformed".into());
        let boundary = content_type
            .split(';')
            .find_map(|part| part.trim().strip_prefix("boundary="))
            .map(|text| text.trim_matches('"'))
            .filter(|text| !text.is_empty())
            .ok_or_else(malformed)?;
        let delimiter = format!("--{boundary}");
        let mut rest = body;
        let mut first = true;
        loop {
            let at = find(rest, delimiter.as_bytes()).ok_or_else(malformed)?;
            let part = &rest[..at];
            rest = &rest[at + delimiter.len()..];
            if !std::mem::replace(&mut first, false) {
                let part = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n")).ok_or_else(malformed)?;
                let part = part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).ok_or_else(malformed)?;
                self.read_part(part)?;
            }
            if rest.starts_with(b"--") {
                return Ok(());
            }
        }
    }

    fn read_part(&mut self, part: &[u8]) -> Result<(), AppError> {
        let malformed = || AppError::InvalidData("multipart body is malformed".into());
        let (head, value) = match (find(part, b"\r\n\r\n"), find(part, b"\n\n")) {
            (Some(at), _) => (&part[..at], &part[at + 4..]),
            (None, Some(at)) => (&part[..at], &part[at + 2..]),
            (None, None) => return Err(malformed()),
        };
        let head = std::str::from_utf8(head).map_err(|_| malformed())?;
        let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:")).ok_or_else(malformed)?;
        let attribute = |name: &str| {
            disposition
                .split(';')
                .find_map(|word| word.trim().strip_prefix(name)?.strip_prefix('='))
                .map(|value| value.trim_matches('"').to_owned())
        };
        if attribute("filename").is_some() {
            return Ok(());
        }
        let name = attribute("name").ok_or_else(malformed)?;
        let value = String::from_utf8(value.to_vec()).map_err(|_| AppError::InvalidData(format!("field {name} is not UTF-8")))?;
        self.add(name, value)
    }

    /// A parameter as text; numbers and booleans from JSON are spelled out. `None` when absent or null.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] naming it.
    pub fn required(&self, name: &str) -> Result<String, AppError> {
        self.text(name).filter(|text| !text.is_empty()).ok_or_else(|| AppError::InvalidData(format!("parameter {name} is required")))
    }

    /// Takes a parameter out, as text.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        self.values.shift_remove(name);
        text
    }

    /// All parameters as text, with what was repeated appearing twice, for flows that must refuse repeats.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::with_capacity(self.values.len());
        for name in self.values.keys() {
            let repeated = self.repeated.contains(name);
            // A repeat is seen even where null came last.
            let Some(text) = self.text(name).or_else(|| repeated.then(String::new)) else { continue };
            if repeated {
                pairs.push((name.clone(), text.clone()));
            }
            pairs.push((name.clone(), text));
        }
        pairs
    }

    /// The document a create or update carries: the field `data` (JSON text or object, as the Python
    /// clients send it) or all parameters themselves.
    ///
    /// # Errors
    /// [`AppError::InvalidData`] when it is no JSON object.
    pub fn into_document(mut self) -> Result<Map<String, Value>, AppError> {
        let not_an_object = || AppError::InvalidData("the document must be a JSON object".into());
        self.values.shift_remove("csrf_token");
        match self.values.shift_remove("data") {
            None => Ok(self.values),
            Some(Value::Object(document)) => Ok(document),
            Some(Value::String(text)) => {
                if nests_too_deep(text.as_bytes()) {
                    return Err(AppError::InvalidData(format!("data nests deeper than {MAX_DEPTH}")));
                }
                match serde_json::from_str(&text) {
                    Ok(Value::Object(document)) => Ok(document),
                    _ => Err(not_an_object()),
                }
            }
            Some(_) => Err(not_an_object()),
        }
    }
}

/// A JSON body's members. The last of repeated ones wins, as with Frappe's `json.loads`, but the
/// OAuth endpoints must hear of it (RFC 6749 section 3.2).
struct JsonBody {
    values: Map<String, Value>,
    repeated: HashSet<String>,
}

impl<'de> Deserialize<'de> for JsonBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonBodyVisitor)
    }
}

struct JsonBodyVisitor;

impl<'de> Visitor<'de> for JsonBodyVisitor {
    type Value = JsonBody;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonBody, A::Error> {
        let mut body = JsonBody { values: Map::new(), repeated: HashSet::new() };
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if body.values.insert(name.clone(), value).is_some() {
                body.repeated.insert(name);
            }
        }
        Ok(body)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<JsonBody, A::Error> {
        let list = Value::deserialize(SeqAccessDeserializer::new(items))?;
        // Frappe 15: a list becomes the parameter `data`.
        Ok(JsonBody { values: Map::from_iter([("data".to_owned(), list)]), repeated: HashSet::new() })
    }
}

fn looks_like_json_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

fn has_nul_key(values: &Map<String, Value>) -> bool {
    values.keys().any(|name| name.contains('\0'))
}

/// Counts brackets outside strings; exact for valid JSON, and invalid JSON is refused by the parser anyway.
pub fn nests_too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Decodes a form-encoded word: `+` is a space, `%XX` a byte; the bytes must be UTF-8.
fn decode(word: &[u8]) -> Result<String, AppError> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let ahead = rest.as_slice();
                let hex = ahead.get(..2).and_then(|pair| Some((char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?)));
                match hex {
                    Some((high, low)) => {
                        rest = ahead[2..].iter();
                        u8::try_from(high * 16 + low).unwrap_or_default()
                    }
                    // As Python's decoder: a percent sign that escapes nothing stands for itself.
                    None => b'%',
                }
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| AppError::InvalidData("parameters must be UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    /// Parameters that no rule of their own applies to.
    fn named_texts() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map("[a-z]{1,3}|[^_\\x00]{1,6}", "[^\\x00]{0,8}", 0..5)
    }

    fn form(text: &str) -> Params {
        let mut params = Params::default();
        params.read_urlencoded(text.as_bytes()).expect("well formed");
        params
    }

    #[test]
    fn form_words_are_decoded_and_repeats_remembered() {
        let params = form("a=1+2&b=%C3%A9&a=3&c&d=50%");
        assert_eq!(params.text("a").as_deref(), Some("1 2"));
        assert_eq!(params.text("b").as_deref(), Some("é"));
        assert_eq!(params.text("c").as_deref(), Some(""));
        assert_eq!(params.text("d").as_deref(), Some("50%"));
        assert_eq!(params.repeated, HashSet::from(["a".to_owned()]));
        assert_eq!(params.pairs().iter().filter(|(name, _)| name == "a").count(), 2);
    }

    #[test]
    fn the_last_of_repeated_json_members_wins_and_the_repeat_is_remembered() {
        let mut params = Params::default();
        params.read_json(br#"{"a": 1, "b": {"c": 1, "c": 2}, "a": "2", "d": "x", "d": null}"#).expect("well formed");
        assert_eq!(params.text("a").as_deref(), Some("2"));
        assert_eq!(params.repeated, HashSet::from(["a", "d"].map(str::to_owned)));
        for (name, times) in [("a", 2), ("b", 1), ("d", 2)] {
            assert_eq!(params.pairs().iter().filter(|(known, _)| known == name).count(), times, "{name}");
        }
    }

    #[test]
    fn json_bodies_are_objects_or_lists() {
        let read = |text: &str| {
            let mut params = Params::default();
            params.read_json(text.as_bytes()).map(|()| params)
        };
        assert_eq!(read("[1, 2]").expect("a list").values["data"], serde_json::json!([1, 2]));
        for (text, said) in [("1", "must be a JSON object"), ("null", "must be a JSON object"), ("{} {}", "Invalid"), ("{\"a\"", "Invalid")]
        {
            assert!(read(text).is_err_and(|error| error.to_string().contains(said)), "{text}");
        }
    }

    #[test]
    fn nul_bytes_bad_utf8_and_deep_nesting_are_refused() {
        assert!(Params::default().read_urlencoded(b"a=%00").is_err());
        assert!(Params::default().read_urlencoded(b"a=%ff").is_err());
        let deep = "[".repeat(100_000);
        assert!(Params::default().read_json(deep.as_bytes()).is_err());
        assert!(!nests_too_deep(br#"{"a":"[[[[\"[[["}"#));
    }

    #[test]
    fn multipart_text_fields_are_read_and_files_left_alone() {
        let body = b"--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\xff\r\n--xx--\r\n";
        let mut params = Params::default();
        params.read_multipart("multipart/form-data; boundary=xx", body).expect("well formed");
        assert_eq!(params.text("a").as_deref(), Some("1"));
        assert!(params.text("f").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Params::default().read_urlencoded(&bytes);
            let _ = Params::default().read_json(&bytes);
            let _ = Params::default().read_multipart("multipart/form-data; boundary=x", &bytes);
        }

        #[test]
        fn a_form_overrides_the_query_and_json_replaces_it(query in named_texts(), body in named_texts()) {
            let encoded = |pairs: &BTreeMap<String, String>| {
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
            };
            let request = |kind: &'static str| {
                TestRequest::post().uri(&format!("/?{}", encoded(&query))).insert_header(("content-type", kind)).to_http_request()
            };
            let texts = |params: Params| -> BTreeMap<String, String> {
                params.values.iter().map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
            };
            let form = Params::read(&request("application/x-www-form-urlencoded"), &encoded(&body).into()).expect("well formed");
            let mut merged = query.clone();
            merged.extend(body.clone());
            prop_assert!(form.repeated.is_empty() && !form.is_json);
            prop_assert_eq!(texts(form), merged);
            let json = serde_json::to_vec(&body).expect("texts").into();
            let json = Params::read(&request("application/json"), &json).expect("well formed");
            prop_assert!(json.is_json);
            prop_assert_eq!(texts(json), body);
        }

        #[test]
        fn a_name_that_comes_twice_is_remembered_wherever_it_comes(name in "[a-z]{1,8}", left in "[a-z]{0,4}", right in "[a-z]{0,4}") {
            let twice = form(&format!("{name}={left}&other=1&{name}={right}"));
            prop_assert!(twice.repeated.contains(&name));
            prop_assert_eq!(twice.text(&name), Some(left.clone()));
            let mut json = Params::default();
            json.read_json(format!(r#"{{"{name}":"{left}","other":1,"{name}":"{right}"}}"#).as_bytes()).expect("well formed");
            prop_assert!(json.repeated.contains(&name));
        }
    }
}

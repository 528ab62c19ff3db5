//! Claims about a user (OpenID Connect Core section 5.1), the scopes that carry them, and requests
//! for single ones (section 5.5).

use serde_json::{Map, Value};

use super::Scope;
use super::scope::ALL;

/// Something that may be said about a user, besides `sub`, which is always said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Name,
    GivenName,
    FamilyName,
    Email,
    Picture,
    Roles,
    PreferredUsername,
    EmailVerified,
    PhoneNumber,
    PhoneNumberVerified,
}

impl Claim {
    /// All of them in the order of an answer: Frappe's first, in its order.
    pub const ALL: [Claim; 10] = [
        Self::Name,
        Self::GivenName,
        Self::FamilyName,
        Self::Email,
        Self::Picture,
        Self::Roles,
        Self::PreferredUsername,
        Self::EmailVerified,
        Self::PhoneNumber,
        Self::PhoneNumberVerified,
    ];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::Email => "email",
            Self::Picture => "picture",
            Self::Roles => "roles",
            Self::PreferredUsername => "preferred_username",
            Self::EmailVerified => "email_verified",
            Self::PhoneNumber => "phone_number",
            Self::PhoneNumberVerified => "phone_number_verified",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.as_str() == text)
    }

    /// The scope word that carries it.
    pub fn carrier(self) -> &'static str {
        match self {
            Self::Name | Self::GivenName | Self::FamilyName | Self::Picture | Self::PreferredUsername => "profile",
            Self::Email | Self::EmailVerified => "email",
            Self::Roles => "roles",
            Self::PhoneNumber | Self::PhoneNumberVerified => "phone",
        }
    }

    /// Whether a granted scope opens it. `all` opens what Frappe's `all` does and no more, so that
    /// the answer keeps Frappe's shape.
    pub fn is_opened_by(self, scope: &Scope) -> bool {
        scope.contains(self.carrier()) || (scope.contains(ALL) && self.is_frappes())
    }

    /// Whether a client of this registered scope may ask for it by its name.
    fn may_be_asked_by(self, registered: &Scope) -> bool {
        registered.contains(self.carrier()) || registered.contains(ALL)
    }

    fn is_frappes(self) -> bool {
        match self {
            Self::Name | Self::GivenName | Self::FamilyName | Self::Email | Self::Picture | Self::Roles => true,
            Self::PreferredUsername | Self::EmailVerified | Self::PhoneNumber | Self::PhoneNumberVerified => false,
        }
    }
}

/// The single claims that were asked for beside the scope, by the place they are wanted in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimsRequest {
    pub id_token: Vec<Claim>,
    pub userinfo: Vec<Claim>,
}

impl ClaimsRequest {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.id_token.is_empty() && self.userinfo.is_empty()
    }

    /// What of it a client of this registered scope may have.
    #[must_use]
    pub fn within(&self, registered: &Scope) -> Self {
        let keep = |claims: &[Claim]| claims.iter().copied().filter(|claim| claim.may_be_asked_by(registered)).collect();
        Self { id_token: keep(&self.id_token), userinfo: keep(&self.userinfo) }
    }

    /// The scope words that carry what is asked for: what a user is shown of it.
    pub fn carriers(&self) -> Scope {
        self.id_token.iter().chain(&self.userinfo).fold(Scope::default(), |scope, claim| scope.with(claim.carrier()))
    }

    /// The text it is kept as.
    pub fn to_text(&self) -> String {
        let names = |claims: &[Claim]| claims.iter().map(|claim| Value::from(claim.as_str())).collect::<Value>();
        let members = [("id_token", &self.id_token), ("userinfo", &self.userinfo)];
        let kept = members.into_iter().filter(|(_, claims)| !claims.is_empty()).map(|(place, claims)| (place.to_owned(), names(claims)));
        Value::Object(kept.collect()).to_string()
    }

    /// Reads what [`ClaimsRequest::to_text`] wrote; a claim that is gone since is left out.
    ///
    /// # Errors
    /// From the JSON parser.
    pub fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        let kept: Map<String, Value> = serde_json::from_str(text)?;
        let read = |place: &str| {
            let names = kept.get(place).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(|name| Claim::from_text(name.as_str()?)).collect()
        };
        Ok(Self { id_token: read("id_token"), userinfo: read("userinfo") })
    }
}

/// A `claims` parameter as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedClaims {
    /// The claims that exist here; all others are ignored (section 5.5).
    pub request: ClaimsRequest,
    /// Lists of subjects, of each of which the user must be one (section 5.5.1).
    pub subjects: Vec<Vec<String>>,
    /// Lists of authentication contexts, of each of which one must have been met (section 5.5.1.1).
    pub essential_acrs: Vec<Vec<String>>,
}

/// A `claims` parameter that is not what section 5.5 describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    #[error("claims is longer than {MAX_LENGTH} bytes.")]
    TooLong,
    #[error("claims must be a JSON object.")]
    NotAnObject,
    #[error("The members userinfo and id_token of claims must be objects.")]
    PlaceIsNotAnObject,
    #[error("Each claim of claims must be null or an object with essential (true or false), value or values (a list).")]
    ClaimIsNotAnObject,
    #[error("sub and acr in claims take texts as value and values.")]
    NotText,
}

/// The longest text that is read; many times what an honest request takes.
const MAX_LENGTH: usize = 4096;

impl AskedClaims {
    /// Reads a `claims` parameter. How deep it may nest is the JSON parser's limit.
    ///
    /// # Errors
    /// [`InvalidClaims`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidClaims> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidClaims::TooLong);
        }
        let root: Map<String, Value> = serde_json::from_str(text).map_err(|_| InvalidClaims::NotAnObject)?;
        let mut asked = Self::default();
        asked.request.id_token = asked.read_place(root.get("id_token"))?;
        asked.request.userinfo = asked.read_place(root.get("userinfo"))?;
        Ok(asked)
    }

    fn read_place(&mut self, place: Option<&Value>) -> Result<Vec<Claim>, InvalidClaims> {
        let members = match place {
            None => return Ok(Vec::new()),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(InvalidClaims::PlaceIsNotAnObject),
        };
        let mut claims = Vec::new();
        for (name, wish) in members {
            let wish = Wish::read(wish)?;
            match name.as_str() {
                "sub" => self.subjects.extend(wish.texts()?),
                "acr" if wish.essential => self.essential_acrs.extend(wish.texts()?),
                other => claims.extend(Claim::from_text(other)),
            }
        }
        Ok(claims)
    }
}

/// How one claim is asked for.
struct Wish<'a> {
    essential: bool,
    /// What it may be; `None` where nothing is said of that.
    values: Option<Vec<&'a Value>>,
}

impl<'a> Wish<'a> {
    fn read(wish: &'a Value) -> Result<Self, InvalidClaims> {
        let members = match wish {
            Value::Null => return Ok(Self { essential: false, values: None }),
            Value::Object(members) => members,
            _ => return Err(InvalidClaims::ClaimIsNotAnObject),
        };
        let essential = match members.get("essential") {
            None => false,
            Some(Value::Bool(essential)) => *essential,
            Some(_) => return Err(InvalidClaims::ClaimIsNotAnObject),
        };
        let several = match members.get("values") {
            None => None,
            Some(Value::Array(values)) => Some(values),
            Some(_) => return Err(InvalidClaims::ClaimIsNotAnObject),
        };
        let one = members.get("value");
        let named = one.is_some() || several.is_some();
        Ok(Self { essential, values: named.then(|| one.into_iter().chain(several.into_iter().flatten()).collect()) })
    }

    fn texts(&self) -> Result<Option<Vec<String>>, InvalidClaims> {
        let text = |value: &&Value| value.as_str().map(str::to_owned).ok_or(InvalidClaims::NotText);
        self.values.as_ref().map(|values| values.iter().map(text).collect()).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).expect("valid")
    }

    #[test]
    fn claims_are_read_by_their_place_and_unknown_ones_ignored() {
        let text = r#"{"userinfo": {"email": null, "nickname": {"essential": true}, "https://x.example/y": null},
            "id_token": {"name": {"essential": true, "value": "Ada"}, "auth_time": {"essential": true}}, "other": 1}"#;
        let asked = AskedClaims::parse(text).expect("valid");
        assert_eq!(asked.request, ClaimsRequest { id_token: vec![Claim::Name], userinfo: vec![Claim::Email] });
        assert_eq!((asked.subjects.len(), asked.essential_acrs.len()), (0, 0));
        assert_eq!(asked.request.carriers(), scope("profile email"));
        assert_eq!(AskedClaims::parse("{}"), Ok(AskedClaims::default()));
    }

    #[test]
    fn subjects_and_essential_contexts_are_remembered() {
        let text = r#"{"userinfo": {"sub": {"value": "a"}}, "id_token": {"sub": {"values": ["a", "b"]}, "acr": {"essential": true, "values": ["1", "0"]}}}"#;
        let asked = AskedClaims::parse(text).expect("valid");
        assert_eq!(asked.subjects, [vec!["a", "b"], vec!["a"]]);
        assert_eq!(asked.essential_acrs, [["1", "0"]]);
        let voluntary = AskedClaims::parse(r#"{"id_token": {"acr": {"values": ["1"]}, "sub": null}}"#).expect("valid");
        assert_eq!(voluntary, AskedClaims::default());
    }

    #[test]
    fn wrong_types_are_refused() {
        let deep = format!("{{\"userinfo\":{}", "{\"a\":".repeat(500));
        for (text, error) in [
            ("", InvalidClaims::NotAnObject),
            ("[]", InvalidClaims::NotAnObject),
            ("{\"userinfo\":", InvalidClaims::NotAnObject),
            (deep.as_str(), InvalidClaims::NotAnObject),
            (r#"{"userinfo": null}"#, InvalidClaims::PlaceIsNotAnObject),
            (r#"{"id_token": ["email"]}"#, InvalidClaims::PlaceIsNotAnObject),
            (r#"{"userinfo": {"email": true}}"#, InvalidClaims::ClaimIsNotAnObject),
            (r#"{"userinfo": {"unknown": "x"}}"#, InvalidClaims::ClaimIsNotAnObject),
            (r#"{"userinfo": {"email": {"essential": "true"}}}"#, InvalidClaims::ClaimIsNotAnObject),
            (r#"{"userinfo": {"email": {"values": "x"}}}"#, InvalidClaims::ClaimIsNotAnObject),
            (r#"{"id_token": {"sub": {"value": 7}}}"#, InvalidClaims::NotText),
            (" ".repeat(MAX_LENGTH + 1).as_str(), InvalidClaims::TooLong),
        ] {
            assert_eq!(AskedClaims::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_client_gets_no_claim_beyond_what_it_registered() {
        let everything = ClaimsRequest { id_token: Claim::ALL.to_vec(), userinfo: vec![Claim::Email, Claim::PhoneNumber] };
        let some = everything.within(&scope("openid email"));
        assert_eq!(some, ClaimsRequest { id_token: vec![Claim::Email, Claim::EmailVerified], userinfo: vec![Claim::Email] });
        assert!(everything.within(&scope("openid read")).is_empty());
        assert_eq!(everything.within(&scope("all")), everything);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_again(picked in proptest::sample::subsequence(Claim::ALL.to_vec(), 0..=10), rest in proptest::sample::subsequence(Claim::ALL.to_vec(), 0..=10)) {
            let request = ClaimsRequest { id_token: picked, userinfo: rest };
            prop_assert_eq!(ClaimsRequest::from_text(&request.to_text()).expect("our own text"), request);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}", json in "[\\[\\]{}:,\"a-z0-9 ]{0,80}") {
            let _ = (AskedClaims::parse(&text), AskedClaims::parse(&json));
            let _ = AskedClaims::parse(&format!(r#"{{"userinfo":{json},"id_token":{{"sub":{json}}}}}"#));
        }
    }
}

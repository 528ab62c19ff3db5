//! Which resource a token is wanted for (RFC 8707): this server's API, a path of it, or one that an
//! administrator registered ([`super::resources`]). A grant is for one of them.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::{ErrorCode, ProtocolError, Stop};
use super::params::Params;
use super::resources;
use crate::cx::Cx;
use crate::domain::Scope;
use crate::domain::client::Client;
use crate::domain::resource::{Resource, path_below, without_empty_path};
use crate::domain::scope::{ADMIN_CREDENTIALS, ALL};

/// What a token is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// The whole API of this server, which is meant where no resource is named.
    Api,
    /// What is at and below a path of it.
    Path(String),
    Registered(Arc<Resource>),
}

impl Target {
    /// How codes, grants, tokens and consents name it; the API has no name.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Api => None,
            Self::Path(uri) => Some(uri),
            Self::Registered(resource) => Some(&resource.uri),
        }
    }

    /// The client with the scope that its users may be asked for there.
    ///
    /// A client that came by itself was written before it met a registered resource: a Client ID Metadata Document names no scope,
    /// and a host of the Model Context Protocol registers with the words of its first request and asks for more when a tool
    /// needs more. What such a client registered bounds nothing that it could not change by registering again, so the resource's own
    /// words do, and the user. So too where a client that may ask for `all` registered none of them. A trusted client, for
    /// which no user is asked, has what it registered.
    pub fn client_there<'a>(&self, client: &'a Client) -> Cow<'a, Client> {
        let Self::Registered(resource) = self else { return Cow::Borrowed(client) };
        let says_nothing = client.scope.contains(ALL) && client.scope.intersect(&resource.scope).is_empty();
        if client.skip_authorization || (client.verified && !says_nothing) {
            return Cow::Borrowed(client);
        }
        let scope = client.scope.union(&resource.scope.only(|word| word != ADMIN_CREDENTIALS));
        Cow::Owned(Client { scope, ..client.clone() })
    }

    /// The words of a scope that mean something there.
    pub fn known_of(&self, scope: &Scope) -> Scope {
        match self {
            Self::Api | Self::Path(_) => scope.clone(),
            Self::Registered(resource) => scope.only(|word| resource.knows(word)),
        }
    }

    /// What a client gets that may have `scope`: all of it where it `asked` for it, else as much as there is at the resource.
    ///
    /// # Errors
    /// `invalid_scope` naming the words that the resource does not know.
    pub fn grant(&self, scope: Scope, asked: bool) -> Result<Scope, ProtocolError> {
        let known = self.known_of(&scope);
        let Self::Registered(resource) = self else { return Ok(known) };
        let unknown = scope.without(&known);
        if unknown.is_empty() || (!asked && !known.is_empty()) {
            return Ok(known);
        }
        let text = format!("The resource does not know the scope: {unknown}. It knows: {}.", resource.scope);
        Err(ProtocolError::new(ErrorCode::InvalidScope, text))
    }
}

/// The resource that a request names, if it names one.
///
/// # Errors
/// `invalid_target` for one that no token is issued for, and for several.
pub(super) fn wanted(cx: &mut Cx, params: &Params) -> Result<Option<Target>, Stop> {
    // Read again by nobody else, so whatever is wrong with it is wrong with the target.
    let named = params.get("resource").map_err(|error| {
        let text = error.description.unwrap_or_default();
        invalid_target(format!("{text} A grant is for one resource: name it once, and ask for another grant for another."))
    })?;
    let Some(uri) = named else { return Ok(None) };
    match find(cx, uri)? {
        Some(target) => Ok(Some(target)),
        None => Err(invalid_target(format!(
            "Tokens are issued for {}, for paths below it in their normal spelling, and for resources registered here (doctype OAuth \
             Resource). This is none of them.",
            cx.env.public_url.as_str()
        ))
        .into()),
    }
}

/// What a token of a grant is for: what the grant is `bound` to, or where that is the whole API, the part of it that the
/// request names. To be asked before anything is spent.
///
/// # Errors
/// `invalid_target` when the request names something else, and when what the grant is bound to is a resource no more.
pub(super) fn of_grant(cx: &mut Cx, bound: Option<&str>, params: &Params) -> Result<Target, Stop> {
    let wanted = wanted(cx, params)?;
    let Some(bound) = bound else {
        return match wanted {
            None => Ok(Target::Api),
            Some(part @ (Target::Api | Target::Path(_))) => Ok(part),
            // Its scopes mean something else, and the user was not asked about it.
            Some(Target::Registered(_)) => {
                Err(invalid_target("This grant is not for that resource: name it in the request to authorize already.").into())
            }
        };
    };
    if wanted.is_some_and(|wanted| wanted.key() != Some(bound)) {
        return Err(
            invalid_target("This grant is for another resource: leave resource out, or name the one that was named at authorize.").into()
        );
    }
    match find(cx, bound)? {
        Some(target) if target.key() == Some(bound) => Ok(target),
        _ => Err(invalid_target("The resource of this grant is not registered any more.").into()),
    }
}

fn find(cx: &mut Cx, uri: &str) -> Result<Option<Target>, Stop> {
    let uri = without_empty_path(uri);
    let public_url = cx.env.public_url.as_str();
    if uri == public_url {
        return Ok(Some(Target::Api));
    }
    if let Some(resource) = resources::known(cx)?.find(uri) {
        return Ok(Some(Target::Registered(Arc::clone(resource))));
    }
    Ok(path_below(uri, public_url).map(|_| Target::Path(uri.to_owned())))
}

fn invalid_target(description: impl Into<String>) -> ProtocolError {
    ProtocolError::new(ErrorCode::InvalidTarget, description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::clients::ClientKind;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).expect("valid")
    }

    /// A client with this scope, and whether somebody vouches for it.
    fn client(words: &str, verified: bool) -> Client {
        Client { verified, ..ClientKind::Browser.template("App", scope(words), vec!["https://app.example.com/".into()]) }
    }

    #[test]
    fn a_client_that_knew_nothing_of_a_resource_may_ask_its_users_for_what_there_is() {
        let tools = registered("tools:run tools:list admin:credentials");
        let there = |target: &Target, client: &Client| target.client_there(client).scope.to_string();
        for (asking, expected) in [
            (client("all openid", true), "all openid tools:run tools:list"),
            (client("openid tools:list", false), "openid tools:list tools:run"),
            // An administrator's word.
            (client("openid", true), "openid"),
            (client("all tools:list", true), "all tools:list"),
            (Client { skip_authorization: true, ..client("all", true) }, "all"),
        ] {
            assert_eq!(there(&tools, &asking), expected);
            assert_eq!(there(&Target::Api, &asking), asking.scope.to_string());
        }
    }

    fn registered(scopes: &str) -> Target {
        let (uri, title) = ("https://mcp.example".to_owned(), "Tools".to_owned());
        Target::Registered(Arc::new(Resource { uri, title, scope: scope(scopes), introspecting_client: None }))
    }

    #[test]
    fn a_registered_resource_bounds_what_is_asked_and_cuts_what_is_not() {
        let tools = registered("tools:run tools:list");
        assert_eq!(tools.grant(scope("openid tools:run"), true), Ok(scope("openid tools:run")));
        let refused = tools.grant(scope("all openid tools:run read"), true).expect_err("all and read are not its own");
        assert_eq!(refused.code, ErrorCode::InvalidScope);
        assert!(refused.description.is_some_and(|text| text.contains("all read. It knows: tools:run tools:list")));
        assert_eq!(tools.grant(scope("all openid tools:run read"), false), Ok(scope("openid tools:run")));
        assert!(tools.grant(scope("all read"), false).is_err(), "nothing would be left");
    }

    #[test]
    fn the_api_and_resources_without_scopes_bound_nothing() {
        for target in [Target::Api, Target::Path("https://id.example/api".into()), registered("")] {
            assert_eq!(target.grant(scope("all tools:run"), true), Ok(scope("all tools:run")));
        }
    }
}

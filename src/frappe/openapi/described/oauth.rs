//! `frappe.integrations.*`: the authorization server.

use serde_json::json;

use super::Answer::{Flat, Message, Page};
use super::What::{OneOf, Text};
use super::common::object;
use super::{Answer, Described, Takes, What, may, needs, row};

pub(super) static DESCRIBED: &[Described] = &[
    row(
        "frappe.integrations.doctype.oauth_client.oauth_client.rotate_secret",
        "Replace an OAuth client's secret",
        &[needs("client_id", Text, "Which client."), may("keep_old", Text, "How long the old one is accepted, such as `7d`.")],
        Message(|| object(&["client_id", "client_secret"])),
    ),
    row("frappe.integrations.oauth2.approve", "Answer the question of authorize", AUTHORIZATION, Page),
    row("frappe.integrations.oauth2.authorize", "Begin a login for an app (RFC 6749 section 4.1.1)", AUTHORIZATION, Page),
    row(
        "frappe.integrations.oauth2.end_session",
        "Log out for an app (OpenID Connect RP-Initiated Logout)",
        &[
            may("id_token_hint", Text, "An ID token of the app."),
            may("client_id", Text, "The app."),
            may("post_logout_redirect_uri", Text, "Where to go then."),
            may("state", Text, "Comes back unchanged."),
        ],
        Page,
    ),
    row(
        "frappe.integrations.oauth2.get_token",
        "Get an access token (RFC 6749 section 3.2)",
        &[
            needs(
                "grant_type",
                OneOf(&["authorization_code", "refresh_token", "client_credentials"]),
                "What the token is asked for with: a code, a refresh token, or the client's own authentication.",
            ),
            may("code", Text, "The code that authorize gave."),
            may("redirect_uri", Text, "Where the code was sent."),
            may("code_verifier", Text, "The PKCE verifier (RFC 7636)."),
            may("refresh_token", Text, "The refresh token."),
            may("scope", Text, "Scopes, separated by spaces, where fewer are wanted than were granted or registered."),
            may("client_id", Text, "Which client."),
            may("client_secret", Text, "The client's secret, if it does not come in the header `Authorization`."),
        ],
        Flat(|| object(&["access_token", "token_type"])),
    ),
    row(
        "frappe.integrations.oauth2.introspect_token",
        "What a token is (RFC 7662)",
        TOKEN,
        Flat(|| json!({ "type": "object", "required": ["active"], "properties": { "active": { "type": "boolean" } } })),
    ),
    row(
        "frappe.integrations.oauth2.jwks",
        "The keys that sign ID tokens (RFC 7517)",
        &[],
        Flat(
            || json!({ "type": "object", "required": ["keys"], "properties": { "keys": { "type": "array", "items": { "type": "object" } } } }),
        ),
    ),
    row(
        "frappe.integrations.oauth2.openid_configuration",
        "What this authorization server offers (OpenID Connect Discovery)",
        &[],
        Flat(|| object(&["issuer", "authorization_endpoint", "token_endpoint"])),
    ),
    row(
        "frappe.integrations.oauth2.openid_profile",
        "Claims about the user (OpenID Connect Core section 5.3)",
        &[],
        Flat(|| object(&["sub"])),
    ),
    row("frappe.integrations.oauth2.register_client", "Register an app (RFC 7591)", REGISTRATION, Flat(|| object(&["client_id"])))
        .in_json(),
    row("frappe.integrations.oauth2.revoke_token", "Revoke a token (RFC 7009)", TOKEN, Answer::Nothing),
];

const AUTHORIZATION: &[Takes] = &[
    may("client_id", Text, "Which app."),
    may("redirect_uri", Text, "Where the answer is sent."),
    may("response_type", Text, "`code`."),
    may("scope", Text, "Scopes, separated by spaces; those of the app if it is left out."),
    may("state", Text, "Comes back unchanged."),
    may("code_challenge", Text, "The PKCE challenge (RFC 7636)."),
    may("code_challenge_method", Text, "`S256`."),
    may("nonce", Text, "Comes back in the ID token."),
    may("prompt", Text, "`none`, `login` or `consent`."),
];

const TOKEN: &[Takes] = &[
    needs("token", Text, "The token."),
    may("token_type_hint", Text, "`access_token` or `refresh_token`."),
    may("client_id", Text, "Which client."),
    may("client_secret", Text, "The client's secret, if it does not come in the header `Authorization`."),
];

const REGISTRATION: &[Takes] = &[
    needs("redirect_uris", What::Json, "Where codes may be sent: a list."),
    may("client_name", Text, "What users are shown."),
    may("token_endpoint_auth_method", Text, "How it authenticates."),
    may("grant_types", What::Json, "Which grants it uses: a list."),
    may("scope", Text, "Scopes that it may ask for, separated by spaces."),
];

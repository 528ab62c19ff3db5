"""Authlib (PyPI): OAuth2Session by hand, an app in Flask, an app with a key, and a machine, as its documentation writes them.

    python authlib_client.py session | flask | keys | machine
"""

import os
import sys
from urllib.parse import parse_qsl, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc8414 import get_well_known_url as oauth_address
from authlib.oauth2.rfc9207 import AuthorizationServerMetadata as IssuerInAnswers
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.discovery import get_well_known_url as openid_address
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from person import Person, documented, given, is_json, refused, step

# The server of the test is on loopback, without TLS.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

SERVER = given("SERVER")
# Of the client that an administrator registered, which `keys` does not need. A public one has no secret.
CLIENT_ID = os.environ.get("CLIENT_ID")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET")
METHOD = os.environ.get("AUTH_METHOD")
REDIRECT_URI = "https://app.example.com/callback"
BYE = "https://app.example.com/bye"
SCOPE = "openid profile email offline_access read"
WHOAMI = f"{SERVER}/api/method/frappe.auth.get_logged_user"


def discover():
    """The discovery documents, looked over by the library."""
    for address, kind in (
        (openid_address(SERVER, external=True), OpenIDProviderMetadata),
        (oauth_address(SERVER, external=True), AuthorizationServerMetadata),
    ):
        answer = requests.get(address, timeout=30, allow_redirects=False)
        assert answer.status_code == 200, answer
        document = kind(answer.json())
        document.validate(metadata_classes=[IssuerInAnswers])
        assert document["issuer"] == SERVER
        assert document["authorization_response_iss_parameter_supported"] is True
        assert "S256" in document["code_challenge_methods_supported"]
    return document


def verify_id_token(token, server, nonce):
    """As the library's integrations do it, with nothing but the published keys."""
    keys = KeySet.import_key_set(requests.get(server["jwks_uri"], timeout=30).json())
    algorithm = given("ALGORITHM")
    decoded = jwt.decode(token["id_token"], keys, algorithms=[algorithm])
    options = {"iss": {"essential": True, "values": [server["issuer"]]}, "aud": {"essential": True, "value": CLIENT_ID}}
    params = {"client_id": CLIENT_ID, "access_token": token["access_token"], "nonce": nonce}
    claims = CodeIDToken(decoded.claims, decoded.header, options, params)
    claims.validate(leeway=120)
    return claims


def session(server, **more):
    return OAuth2Session(
        CLIENT_ID,
        CLIENT_SECRET,
        token_endpoint_auth_method=METHOD,
        revocation_endpoint_auth_method=METHOD,
        scope=SCOPE,
        redirect_uri=REDIRECT_URI,
        code_challenge_method="S256",
        token_endpoint=server["token_endpoint"],
        **more,
    )


def log_in(person, server, client):
    verifier, nonce = generate_token(48), generate_token()
    link, state = client.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    arrived = person.open(link)
    answer = dict(parse_qsl(urlsplit(arrived).query))
    assert answer["state"] == state and answer["iss"] == SERVER, answer
    return arrived, state, verifier, nonce


def by_hand():
    with step("both discovery documents hold what the library checks"):
        server = discover()
    person = Person(SERVER).log_in(given("PERSON"), given("PASSWORD"))
    renewed = []
    client = session(server, update_token=lambda token, **old: renewed.append((token, old)))
    with step("exchanges the code for tokens"):
        arrived, state, verifier, nonce = log_in(person, server, client)
        token = client.fetch_token(authorization_response=arrived, state=state, code_verifier=verifier)
        assert token["scope"].split() == SCOPE.split(), token["scope"]
        first = token["refresh_token"]
    with step("the id token is what it should be"):
        claims = verify_id_token(token, server, nonce)
        with refused(Exception):
            verify_id_token(token, server, "another nonce")
    with step("uses the token"):
        is_json(client.get(WHOAMI), {"message": given("PERSON")})
        about = client.get(server["userinfo_endpoint"]).json()
        assert about["sub"] == claims["sub"] and about["email"] == given("PERSON"), about
    with step("renews the token by itself when it has expired"):
        client.token = {**token, "expires_at": 1}
        is_json(client.get(WHOAMI), {"message": given("PERSON")})
        assert len(renewed) == 1 and renewed[0][1] == {"refresh_token": first}, renewed
        assert client.token["access_token"] != token["access_token"]
        assert client.token["refresh_token"] != first
        assert client.token["scope"].split() == SCOPE.split()
    if METHOD != "none":
        with step("introspects"):
            seen = client.introspect_token(server["introspection_endpoint"], token=client.token["access_token"]).json()
            assert seen["active"] is True and seen["client_id"] == CLIENT_ID and seen["sub"] == claims["sub"], seen
    with step("revokes"):
        dead = dict(client.token)
        answer = client.revoke_token(server["revocation_endpoint"], token=dead["refresh_token"], token_type_hint="refresh_token")
        assert answer.status_code == 200, answer.text
        assert client.get(WHOAMI).status_code == 401
        with refused(OAuthError, "invalid_grant"):
            client.refresh_token(server["token_endpoint"], refresh_token=dead["refresh_token"])
    with step("is told when the code, the verifier or the user says no"):
        other = session(server)
        arrived, state, _, _ = log_in(person, server, other)
        with refused(OAuthError, "invalid_grant"):
            other.fetch_token(authorization_response=arrived, state=state, code_verifier=generate_token(48))
        link, state = other.create_authorization_url(
            server["authorization_endpoint"], code_verifier=generate_token(48), prompt="consent"
        )
        denied = person.open(link, decision="deny")
        assert "error=access_denied" in denied and f"state={state}" in denied, denied


def in_flask():
    """The app of docs/libraries.md."""
    blanks = {
        "https://id.example.com": SERVER,
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET or "",
        '"code_challenge_method": "S256"': f'"code_challenge_method": "S256", "token_endpoint_auth_method": "{METHOD}"',
    }
    app = documented("authorize_access_token", blanks)["app"]
    # So that what it would answer with a page for errors arrives here.
    app.testing = True

    person = Person(SERVER).log_in(given("PERSON"), given("PASSWORD"))
    browser = app.test_client()

    with step("logs the user in"):
        arrived = person.open(browser.get("/login").headers["Location"])
        assert browser.get(at_app(arrived)).status_code == 302
        known = browser.get("/").get_json()
        assert known["email"] == given("PERSON") and known["sub"], known
    with step("an answer to somebody else's login is refused"):
        with refused(OAuthError):
            app.test_client().get(at_app(arrived))
    with step("is told when the user says no"):
        denied = person.open(app.test_client().get("/login").headers["Location"] + "&prompt=consent", decision="deny")
        with refused(OAuthError, "access_denied"):
            browser.get(at_app(denied))
    with step("logs the user out, who is back at the app"):
        back = person.open(browser.get("/logout").headers["Location"])
        assert back.startswith(f"{BYE}?state="), back
        assert browser.get(at_app(back)).status_code == 200
        assert browser.get("/").status_code == 302


def at_app(url):
    return url.removeprefix("https://app.example.com")


def with_a_key():
    """A client that proves itself with a key of its own (RFC 7523) instead of a secret."""
    server = discover()
    person = Person(SERVER).log_in(given("PERSON"), given("PASSWORD"))
    algorithm = given("ALGORITHM")
    kind, size = {"RS256": (RSAKey, 2048), "ES256": (ECKey, "P-256"), "EdDSA": (OKPKey, "Ed25519")}[algorithm]
    key = kind.generate_key(size)
    with step("registers with its public key"):
        metadata = {
            "client_name": "An app with a key",
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [key.as_dict(private=False)]},
            "scope": SCOPE,
        }
        answer = requests.post(server["registration_endpoint"], json=metadata, timeout=30)
        assert answer.status_code == 201, answer.text
        client_id = answer.json()["client_id"]
    client = OAuth2Session(
        client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
        scope=SCOPE,
        redirect_uri=REDIRECT_URI,
        code_challenge_method="S256",
        token_endpoint=server["token_endpoint"],
    )
    # The library says for itself how long an assertion lives, and to whom it speaks: the endpoint.
    client.register_client_auth_method(PrivateKeyJWT(alg=algorithm))
    with step("exchanges a code, refreshes, introspects and revokes with assertions"):
        arrived, state, verifier, _ = log_in(person, server, client)
        token = client.fetch_token(authorization_response=arrived, state=state, code_verifier=verifier)
        client.refresh_token()
        assert client.token["access_token"] != token["access_token"]
        seen = client.introspect_token(server["introspection_endpoint"], token=client.token["access_token"]).json()
        assert seen["active"] is True and seen["client_id"] == client_id, seen
        refresh_token = client.token["refresh_token"]
        assert client.revoke_token(server["revocation_endpoint"], token=refresh_token).status_code == 200
        with refused(OAuthError, "invalid_grant"):
            client.refresh_token(refresh_token=refresh_token)
    with step("another key is refused"):
        client.client_secret = kind.generate_key(size)
        with refused(OAuthError, "invalid_client"):
            client.refresh_token(refresh_token="ost_rt_unknown")


def machine():
    server = discover()
    client = OAuth2Session(
        CLIENT_ID,
        CLIENT_SECRET,
        token_endpoint_auth_method=METHOD,
        scope="all",
        token_endpoint=server["token_endpoint"],
        grant_type="client_credentials",
    )
    with step("gets a token of its own, and the next when that has expired"):
        token = client.fetch_token(grant_type="client_credentials")
        assert "refresh_token" not in token
        is_json(client.get(WHOAMI), {"message": given("PERSON")})
        client.token = {**token, "expires_at": 1}
        is_json(client.get(WHOAMI), {"message": given("PERSON")})
        assert client.token["access_token"] != token["access_token"]
    with step("is told that its secret is wrong"):
        impostor = OAuth2Session(CLIENT_ID, "wrong", token_endpoint_auth_method=METHOD)
        with refused(OAuthError, "invalid_client"):
            impostor.fetch_token(server["token_endpoint"], grant_type="client_credentials")


{"session": by_hand, "flask": in_flask, "keys": with_a_key, "machine": machine}[sys.argv[1]]()

"""requests-oauthlib (PyPI): the web application flow and the backend application flow of its documentation."""

import os
import sys

import requests
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error, TokenExpiredError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from person import Person, given, is_json, refused, step

# The server of the test is on loopback, without TLS.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

SERVER = given("SERVER")
CLIENT_ID = given("CLIENT_ID")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET")
METHOD = given("AUTH_METHOD")
REDIRECT_URI = "https://app.example.com/callback"
SCOPE = ["openid", "profile", "read"]
WHOAMI = f"{SERVER}/api/method/frappe.auth.get_logged_user"

# How the library is told who the client is: at an exchange, at a refresh, and for renewals that it does by itself.
BASIC = {"auth": HTTPBasicAuth(CLIENT_ID, CLIENT_SECRET)}
IN_THE_BODY = {"client_id": CLIENT_ID, **({"client_secret": CLIENT_SECRET} if CLIENT_SECRET else {})}
AT_EXCHANGE, AT_REFRESH = {
    "client_secret_basic": (BASIC, BASIC),
    "client_secret_post": ({"client_secret": CLIENT_SECRET, "include_client_id": True}, IN_THE_BODY),
    "none": ({"include_client_id": True}, IN_THE_BODY),
}[METHOD]
BY_ITSELF = IN_THE_BODY if METHOD == "client_secret_basic" else {}


def web_application():
    with step("discovers the server"):
        server = requests.get(f"{SERVER}/.well-known/openid-configuration", timeout=30).json()
    person = Person(SERVER).log_in(given("PERSON"), given("PASSWORD"))
    saved = []
    client = OAuth2Session(
        CLIENT_ID,
        redirect_uri=REDIRECT_URI,
        scope=SCOPE,
        pkce="S256",
        auto_refresh_url=server["token_endpoint"],
        auto_refresh_kwargs={} if METHOD == "client_secret_basic" else IN_THE_BODY,
        token_updater=saved.append,
    )
    with step("exchanges the code, and the scope is what was asked for"):
        link, _ = client.authorization_url(server["authorization_endpoint"])
        # The library raises a Warning when the scope in the answer is another.
        token = client.fetch_token(server["token_endpoint"], authorization_response=person.open(link), **AT_EXCHANGE)
    with step("uses the token"):
        is_json(client.get(WHOAMI), {"message": given("PERSON")})
        assert client.get(server["userinfo_endpoint"]).json()["sub"]
    with step("renews the token by itself when it has expired"):
        client.token = {**token, "expires_in": "-30", "expires_at": 1}
        # Given both here, it sends them as HTTP Basic.
        is_json(client.get(WHOAMI, **BY_ITSELF), {"message": given("PERSON")})
        assert len(saved) == 1 and saved[0]["refresh_token"] != token["refresh_token"]
        client.token = saved[0]
    with step("understands refusals"):
        with refused(OAuth2Error, "invalid_grant"):
            client.refresh_token(server["token_endpoint"], refresh_token="ost_rt_unknown", **AT_REFRESH)
        denied = OAuth2Session(CLIENT_ID, redirect_uri=REDIRECT_URI, scope=SCOPE, pkce="S256")
        link, _ = denied.authorization_url(server["authorization_endpoint"], prompt="consent")
        with refused(OAuth2Error, "access_denied"):
            denied.fetch_token(server["token_endpoint"], authorization_response=person.open(link, "deny"), **AT_EXCHANGE)


def backend_application():
    server = requests.get(f"{SERVER}/.well-known/openid-configuration", timeout=30).json()
    client = OAuth2Session(client=BackendApplicationClient(client_id=CLIENT_ID, scope=["all"]))
    with step("gets a token of its own"):
        client.fetch_token(server["token_endpoint"], **AT_EXCHANGE)
        is_json(client.get(WHOAMI), {"message": given("PERSON")})
    with step("knows when it has expired"):
        client.token = {**client.token, "expires_in": "-30", "expires_at": 1}
        with refused(TokenExpiredError):
            client.get(WHOAMI)


{"web": web_application, "machine": backend_application}[sys.argv[1]]()

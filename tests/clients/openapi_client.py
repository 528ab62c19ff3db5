"""The API's own description: openapi-spec-validator (PyPI) reads it, and schemathesis (PyPI) calls everything in it.

    python openapi_client.py valid | known | stranger

PATHS says which operations schemathesis calls.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

from person import given, step

SERVER = given("SERVER")
# Whoever may do everything: the document is asked for with this.
AUTHORIZATION = given("AUTHORIZATION")
DOCTYPES = os.environ.get("DOCTYPES")

# How schemathesis is to judge. 417 is what Frappe answers to whatever breaks a rule; a rule that a schema cannot
# state (a link leads nowhere, a name is taken, a filter's value does not fit its field) answers with it too.
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 417, 429, 503]
SETTINGS = f"""
seed = 20261123
continue-on-failure = true
color = false
hooks = "seen.py"
workers = 1
request-timeout = 30
{{headers}}

[generation]
max-examples = {{examples}}
deterministic = true
no-shrink = true
database = "none"

[checks]
negative_data_rejection.expected-statuses = {REFUSALS}
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 417]

# RFC 6749 calls what it refuses a bad request, also where only the database knows that it is one.
[[operations]]
include-path-regex = "oauth2[.]"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404]
"""
# This ends the API key that asks for it, so somebody else asks.
KEYS_OF_ANOTHER = """
[[operations]]
include-path-regex = "generate_keys$"
headers = {{ Authorization = "{}" }}
"""
# Notes which statuses each operation answered with. A list or an object in the query is one name sent several times, of
# which the first counts, as in Frappe: what stands behind it is nobody's business.
HOOKS = """
import atexit, collections, json, schemathesis

seen = collections.defaultdict(collections.Counter)

@schemathesis.hook
def filter_query(context, query):
    return not any(isinstance(value, (dict, list)) for value in (query or {}).values())

@schemathesis.hook
def after_call(context, case, response):
    seen[case.operation.label][response.status_code] += 1

atexit.register(lambda: json.dump(seen, open("seen.json", "w")))
"""


def fetch(**headers):
    answer = requests.get(f"{SERVER}/api/openapi.json", headers=headers, params={"doctypes": DOCTYPES} if headers else None, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json", answer.headers
    return answer.json()


def operations(document):
    """Those that are called, by their labels."""
    chosen = {path: item for path, item in document["paths"].items() if re.search(given("PATHS"), path)}
    return {f"{verb.upper()} {path}": item[verb] for path, item in chosen.items() for verb in item if verb != "parameters"}


def valid():
    for who, document in {"somebody": fetch(Authorization=AUTHORIZATION), "nobody": fetch()}.items():
        with step(f"is valid for {who}"):
            assert document["openapi"].startswith("3.1."), document["openapi"]
            OpenAPIV31SpecValidator(document).validate()
            found = [item[verb]["operationId"] for item in document["paths"].values() for verb in item if verb != "parameters"]
            assert len(found) == len(set(found)) > 10, found


def fuzz(is_known):
    document = fetch(Authorization=AUTHORIZATION)
    Path("openapi.json").write_text(json.dumps(document))
    Path("seen.py").write_text(HOOKS)
    headers = f"headers = {json.dumps({'Authorization': AUTHORIZATION}).replace(':', ' =', 1)}" if is_known else ""
    settings = SETTINGS.format(headers=headers, examples=given("EXAMPLES"))
    Path("schemathesis.toml").write_text(settings + (KEYS_OF_ANOTHER.format(given("ANOTHER")) if is_known else ""))
    with step("schemathesis finds nothing to complain about"):
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json"]
        options = ["--include-path-regex", given("PATHS"), "--url", SERVER, "--checks", "all", "--report", "json", "--report-json-path", "report.json"]
        # From one operation to the next go only those that name what follows; without any the phase itself would be an error.
        leads_on = any(answer.get("links") for operation in operations(document).values() for answer in operation["responses"].values())
        options += ["--phases", "examples,coverage,fuzzing" + (",stateful" if leads_on else "")]
        run = subprocess.run([*command, *options], env={**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:."}, capture_output=True, text=True)
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    report, seen = json.loads(Path("report.json").read_text()), json.loads(Path("seen.json").read_text())
    with step(f"it called all of {len(operations(document))} operations, {report['test_cases']['generated']} times"):
        assert report["complete"] and report["phases"]["coverage"]["status"] == report["phases"]["fuzzing"]["status"] == "success", report
        assert set(seen) == set(operations(document)), set(operations(document)).symmetric_difference(seen)
        assert not any(int(status) >= 500 and status != "503" for statuses in seen.values() for status in statuses), seen
    succeeded = {label for label, statuses in seen.items() if any(status[0] in "23" for status in statuses)}
    if is_known:
        with step("most of them had something to do"):
            # What takes the name of a document or a secret that nobody knows has not.
            missing = set(operations(document)) - succeeded
            print("never with success:", *sorted(missing), sep="\n  ")
            assert len(missing) < len(seen) / 2, missing
    else:
        with step("nobody in particular got only what anybody may have"):
            open_to_all = {label for label, operation in operations(document).items() if {} in operation["security"]}
            assert succeeded <= open_to_all, succeeded - open_to_all


{"valid": valid, "known": lambda: fuzz(True), "stranger": lambda: fuzz(False)}[sys.argv[1]]()

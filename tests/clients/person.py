"""What a client library leaves to others: the person in front of the browser, and keeping the score."""

import os
import re
import sys
import traceback
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests


class _Forms(HTMLParser):
    """The forms of a page: where they go and what is in them."""

    def __init__(self, html):
        super().__init__()
        self.forms = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append((attributes.get("action", ""), {}))
        elif tag == "input" and self.forms:
            self.forms[-1][1][attributes["name"]] = attributes.get("value", "")


class Person:
    """A browser with a person who is logged in to the server. Only the server's own pages are opened."""

    def __init__(self, server):
        self._server = server
        self._browser = requests.Session()
        self._browser.trust_env = False

    def log_in(self, name, password):
        answer = self._browser.post(f"{self._server}/api/method/login", data={"usr": name, "pwd": password})
        assert answer.status_code == 200, answer.text
        return self

    def open(self, link, decision="allow"):
        """Opens an app's link, presses the button where the person is asked, and says where this led: a URL of the app."""
        answer = self._send("GET", link)
        for _ in range(10):
            if answer.status_code in (302, 303):
                following = urljoin(self._server, answer.headers["Location"])
                if not self._is_ours(following):
                    return following
                answer = self._send("GET", following)
                continue
            assert answer.status_code == 200, f"a page of the server: {answer.text}"
            forms = [form for form in _Forms(answer.text).forms if "frappe.integrations.oauth2." in form[0]]
            assert forms, f"a form to go on with in {answer.text}"
            action, fields = forms[0]
            if action.endswith(".approve"):
                fields["decision"] = decision
            answer = self._send("POST", urljoin(self._server, action), fields)
        raise AssertionError(f"no end of redirects from {link}")

    def _is_ours(self, url):
        return urlsplit(url)[:2] == urlsplit(self._server)[:2]

    def _send(self, method, url, form=None):
        assert self._is_ours(url), f"{url} is none of the server's"
        return self._browser.request(method, url, data=form, headers={"Accept": "text/html"}, allow_redirects=False)


@contextmanager
def step(name):
    """Runs one step; the first that fails ends the program with its reason."""
    try:
        yield
    except BaseException:
        print(f"FAILED  {name}", file=sys.stderr)
        traceback.print_exc()
        sys.exit(1)
    print(f"ok      {name}", flush=True)


@contextmanager
def refused(kind, error=None):
    """What is done here must be refused: by an exception of this kind, with this error code."""
    try:
        yield
    except kind as caught:
        assert error is None or caught.error == error, f"{caught.error} instead of {error}"
    else:
        raise AssertionError(f"{error or kind} was expected")


def given(name):
    """A variable that whoever starts the program must set."""
    assert os.environ.get(name), f"{name} is not set"
    return os.environ[name]


def is_json(answer, expected):
    """An answer of the API with exactly this body."""
    assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
    assert answer.json() == expected, answer.text


def documented(part, blanks):
    """Runs the program of docs/libraries.md that has `part` in it, its blanks filled in as its reader would: what it defines."""
    with open(given("DOCUMENT"), encoding="utf-8") as page:
        programs = re.findall(r"^```python\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)
    program = next(program for program in programs if part in program)
    for blank, filled in blanks.items():
        assert blank in program, f"{blank} is not in the program"
        program = program.replace(blank, filled)
    names = {"__name__": "documented"}
    exec(compile(program, "docs/libraries.md", "exec"), names)
    return names

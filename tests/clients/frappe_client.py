"""frappe-client (PyPI, imported as `frappeclient`): documents, with a password and with an API key.

    python frappe_client.py password | key
"""

import base64
import json
import os
import sys
from types import SimpleNamespace

import frappeclient.frappeclient as library
from frappeclient import FrappeClient

from person import given, refused, step

SERVER = given("SERVER")
PERSON = given("PERSON")
PASSWORD = given("PASSWORD")

# Its insert_many takes its JSON encoder from a name that it never imports; this is the one that it means.
library.frappe = SimpleNamespace(as_json=json.dumps)

# What it makes of a refusal: of one that came as a page, because it posted to `/` without asking for JSON, only this.
REFUSED = (library.FrappeException, ValueError)


def with_password():
    with step("logs in with a password"):
        client = FrappeClient(SERVER, PERSON, PASSWORD)
        assert client.get_api("frappe.auth.get_logged_user") == PERSON
    with step("understands a wrong password"), refused(library.AuthError):
        FrappeClient(SERVER, PERSON, PASSWORD + "?")
    with step("says who logged in"):
        said = FrappeClient(SERVER).login(PERSON, PASSWORD)
        assert said["message"] == "Logged In" and said["full_name"], said
    documents(client)


def with_key():
    key, secret = given("API_KEY"), given("API_SECRET")
    with step("logs in with an API key"):
        client = FrappeClient(SERVER, api_key=key, api_secret=secret)
        assert client.get_api("frappe.auth.get_logged_user") == PERSON
    with step("understands a wrong secret"):
        stranger = FrappeClient(SERVER)
        stranger.authenticate(key, secret + "?")
        with refused(library.FrappeException):
            stranger.get_list("ToDo")
    with step("logs in later"):
        late = FrappeClient(SERVER)
        with refused(library.FrappeException):
            late.get_list("ToDo")
        late.authenticate(key, secret)
        assert late.get_list("ToDo") == []
    documents(client)


def names(rows):
    return sorted(row["name"] for row in rows)


def documents(client):
    with step("inserts"):
        milk = client.insert({"doctype": "ToDo", "description": "Milk & <b>honey</b> für 100 %", "priority": "High", "date": "2026-03-01"})
        assert milk["doctype"] == "ToDo" and milk["owner"] == PERSON and milk["docstatus"] == 0, milk
        assert milk["description"] == "Milk & <b>honey</b> für 100 %" and milk["status"] == "Open", milk
        with refused(library.FrappeException):
            client.insert({"doctype": "ToDo", "priority": "High"})
    with step("inserts many"):
        many = client.insert_many([{"doctype": "ToDo", "description": f"Task {number}", "priority": "Low"} for number in range(25)])
        assert len(set(many)) == 25, many
    with step("reads one"):
        assert client.get_doc("ToDo", milk["name"]) == milk
        # A missing document is an answer without `exc`, of which the library makes None.
        assert client.get_doc("ToDo", "nosuch") is None
    with step("lists"):
        assert names(client.get_list("ToDo", fields=["name"], limit_page_length=100)) == sorted([milk["name"], *many])
        assert len(client.get_list("ToDo")) == 20
        assert client.get_list("ToDo", filters={"priority": "High"})[0] == {**dict.fromkeys(client.get_list("ToDo")[0]), **row_of(milk)}
    with step("lists with filters, in an order, by pages"):
        found = client.get_list("ToDo", fields=["description"], filters=[["ToDo", "description", "like", "Task 1%"]], order_by="description desc")
        assert [row["description"] for row in found] == [f"Task {number}" for number in (*range(19, 9, -1), 1)], found
        pages = [
            client.get_list("ToDo", fields=["name"], filters={"name": ["in", many]}, limit_start=start, limit_page_length=10, order_by="name")
            for start in (0, 10, 20)
        ]
        assert [len(page) for page in pages] == [10, 10, 5]
        assert [row["name"] for page in pages for row in page] == sorted(many)
        assert client.get_list("ToDo", filters=[["priority", "=", "Medium"]]) == []
        assert names(client.get_doc("ToDo", filters={"priority": "High"}, fields=["name"])) == [milk["name"]]
        with refused(library.FrappeException):
            client.get_list("ToDo", filters={"nosuch": 1})
    with step("updates"):
        changed = client.update({"doctype": "ToDo", "name": milk["name"], "status": "Closed"})
        assert changed["status"] == "Closed" and changed["description"] == milk["description"], changed
        with refused(library.FrappeException):
            client.update({**milk, "status": "Open"})  # its `modified` is older than the change
        assert client.set_value("ToDo", milk["name"], "priority", "Medium")["priority"] == "Medium"
        answer = client.bulk_update([{"doctype": "ToDo", "docname": name, "priority": "Medium"} for name in many[:2]])
        assert answer == {"failed_docs": []}, answer
        assert names(client.get_list("ToDo", filters={"priority": "Medium"})) == sorted([milk["name"], *many[:2]])
    with step("gets values"):
        assert client.get_value("ToDo", "priority", {"name": milk["name"]}) == {"priority": "Medium"}
        assert client.get_value("ToDo", ["status", "priority"], milk["name"]) == {"status": "Closed", "priority": "Medium"}
        assert client.get_value("ToDo", filters={"description": "Task 7"}) == {"name": many[7]}
        assert client.get_value("ToDo", "priority", {"name": "nosuch"}) in ({}, None)
    with step("calls methods"):
        assert client.get_api("frappe.client.get_count", {"doctype": "ToDo", "filters": json.dumps({"priority": "Low"})}) == 23
        assert client.post_api("frappe.client.get_count", {"doctype": "ToDo"}) == 26
        with refused(library.FrappeException):
            client.get_api("frappe.client.nosuch")
    with step("renames"):
        contact = client.insert({"doctype": "Contact", "first_name": "Shopping", "last_name": "List"})
        renamed = f"{contact['name']} / by {os.path.basename(sys.argv[0])}"
        assert client.rename_doc("Contact", contact["name"], renamed) == renamed
        # It leaves names as they are where others escape them.
        assert client.get_list("Contact", fields=["name", "first_name"], filters={"first_name": "Shopping"}) == [{"name": renamed, "first_name": "Shopping"}]
        assert client.get_value("Contact", "first_name", {"name": contact["name"]}) in ({}, None)
        with refused(REFUSED):
            client.rename_doc("ToDo", milk["name"], "Milk")  # its doctype does not let itself be renamed
    with step("attaches a file"):
        content = base64.b64encode(bytes(range(256))).decode()
        file = client.post_request({
            "cmd": "frappe.client.attach_file", "filename": "bytes.bin", "filedata": content, "decode_base64": 1,
            "doctype": "ToDo", "docname": milk["name"], "is_private": 1,
        })
        assert file["attached_to_name"] == milk["name"] and file["file_size"] == 256, file
        assert client.session.get(SERVER + file["file_url"]).content == bytes(range(256))
    with step("uploads a file"):
        # The library has no upload of its own; its session is what its users send one with.
        answer = client.session.post(
            f"{SERVER}/api/method/upload_file",
            files={"file": ("note.txt", b"hello", "text/plain")},
            data={"is_private": 1, "doctype": "ToDo", "docname": milk["name"]},
        )
        file = client.post_process(answer)
        assert file["file_name"] == "note.txt" and file["is_private"] == 1 and file["file_url"].startswith("/private/files/"), file
        assert client.session.get(SERVER + file["file_url"]).content == b"hello"
    with step("deletes"):
        assert client.delete("ToDo", many[0]) is None
        assert client.get_doc("ToDo", many[0]) is None
        assert client.get_api("frappe.client.get_count", {"doctype": "ToDo"}) == 25
    with step("is refused what belongs to somebody else"):
        theirs = given("THEIRS")
        assert client.get_list("ToDo", filters={"name": theirs}) == []
        for attempt in (
            lambda: client.get_doc("ToDo", theirs),
            lambda: client.update({"doctype": "ToDo", "name": theirs, "status": "Closed"}),
            lambda: client.set_value("ToDo", theirs, "status", "Closed"),
            lambda: client.delete("ToDo", theirs),
        ):
            with refused(REFUSED):
                attempt()


def row_of(document):
    """What a list of all fields shows of a document."""
    return {name: value for name, value in document.items() if name != "doctype"}


{"password": with_password, "key": with_key}[sys.argv[1]]()

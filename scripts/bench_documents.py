"""`./scripts/bench --documents`: what a list, a read, a create and a search cost at 10,000 and at 1,000,000 tickets.

Latencies are of one connection, but for creates and scans, which come over 16. The database is filled by `scripts/load`.
"""

import concurrent.futures
import importlib.machinery
import importlib.util
import json
import os
import statistics
import time
import urllib.parse

SIZES = (10_000, 1_000_000)
AGENT, PASSWORD = "agent@example.com", "a long enough pass phrase 7!"
WHO = "/api/method/frappe.auth.get_logged_user"
FIELDS = '["name","subject","status","priority","raised_by","modified"]'
SCANS = 16
# Of the database that `--loaded` names; each of ours sets its own for the loader.
LOADED_KEY = os.environ.get("OSTIARY_SEAL_KEY")

# Row: what it measures, the most milliseconds of its median, and the most that the larger database may multiply it by.
ROWS = {
    "modified": ("list of 20 by `modified`", 5, 1.3),
    "ordered": ("list of 20 by an indexed field", 5, 1.3),
    "few": ("list of 20 with an indexed field that few have", 5, None),
    "many": ("list of 20 with an indexed field that many have", 5, 1.3),
    "customer": ("list of 20 as the customer who owns 5", 5, 1.3),
    "read": ("read one, random", 1, None),
    "create": ("create, 16 connections", 2, None),
    "rare": ("full text, up to 1,000 rows match", 5, None),
    "common": ("full text, more match", None, None),
    "first": ("v2, first page by cursor", 5, None),
    "deep": ("v2, page 1,000 by cursor", 5, None),
}


def loader(root):
    path = os.path.join(root, "scripts", "load")
    loader = importlib.machinery.SourceFileLoader("load", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("load", loader))
    loader.exec_module(module)
    return module


class Site:
    """A server on a database with so many tickets."""

    def __init__(self, bench, options, binary, work, postgres, count, loaded=None):
        self.bench, self.count, self.binary, self.postgres = bench, count, binary, postgres
        self.name = f"{count:,}"
        self.work = os.path.join(work, str(count))
        os.mkdir(self.work)
        self.address = ("127.0.0.1", bench.free_port())
        self.url = "http://%s:%d" % self.address
        if loaded:
            self.database_url = loaded
        elif postgres:
            database = f"documents_{count}"
            postgres.psql("postgres", f"CREATE DATABASE {database}")
            self.database_url = postgres.url(database)
        else:
            self.database_url = "sqlite://" + os.path.join(self.work, "ostiary.db")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")} | {
            "OSTIARY_ADMIN_PASSWORD": PASSWORD,
            "OSTIARY_LIMIT_SCALE": "1000000",
            "OSTIARY_LOG_FILE": os.path.join(self.work, "ostiary.log"),
        }
        # A database that is there already has its own.
        key = LOADED_KEY if loaded else bench.base64.b64encode(b"ostiary-bench-seal-key-32-bytes!").decode()
        self.environment |= {"OSTIARY_SEAL_KEY": key} if key else {}
        os.environ.update({name: value for name, value in self.environment.items() if name.startswith("OSTIARY_")})
        load = loader(bench.ROOT)
        if not loaded:
            load.load(self.database_url, count, options.doctypes, binary)
        self.load, self.five = load, load.FIVE
        command = [binary, "serve", "--listen", "%s:%d" % self.address, "--database-url", self.database_url]
        self.process = bench.Process(command, os.path.join(self.work, "output.log"), env=self.environment, cwd=self.work)
        self.started = self.process.wait_for(self.address, "/health/ready")
        self.idle = bench.resident_kib(self.process.pid)
        self.indexed = self.wait_for_search()
        self.api = bench.Api(self.address)
        answer, _ = self.api.call("POST", "/api/method/login", {"usr": "Administrator", "pwd": PASSWORD})
        cookie = next(line.split(";")[0] for line in answer.headers.get_all("Set-Cookie") if line.startswith("sid="))
        self.admin = {"Cookie": cookie}
        self.agent = self.person(AGENT, ["Agent"])
        self.customer = self.person(self.five, [])
        self.last = {}

    def wait_for_search(self):
        """Until the background has looked at every ticket; returns the seconds."""
        started = time.monotonic()
        database = self.load.database_at(self.database_url)
        while database.rows("SELECT count(*) FROM search_progress WHERE doctype = 'HD Ticket' AND done")[0][0] in (0, "0"):
            if self.process.child.poll() is not None:
                raise RuntimeError("the server ended")
            time.sleep(0.5)
        seconds = time.monotonic() - started
        self.bench.note(f"{self.count:,} tickets looked at for search in {seconds:.0f} s")
        return seconds

    def person(self, name, roles):
        """A user, and the header with which they call."""
        listed = [{"role": role} for role in roles]
        user = {"email": name, "first_name": "Bench", "new_password": PASSWORD, "roles": listed, "send_welcome_email": 0}
        self.api.call("POST", "/api/resource/User", user, self.admin, expect=(200, 409))
        client = {"app_name": name, "scopes": "all", "redirect_uris": "https://bench.example.com/", "default_redirect_uri": "https://bench.example.com/",
                  "grant_type": "Client Credentials", "response_type": "Code", "token_endpoint_auth_method": "Client Secret Post", "user": name}
        made = self.api.json("POST", "/api/resource/OAuth%20Client", client, self.admin)["data"]
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]})
        token = self.api.json("POST", "/api/method/frappe.integrations.oauth2.get_token", form)["access_token"]
        return {"Authorization": "Bearer " + token}

    def list(self, **parameters):
        return "/api/resource/HD%20Ticket?" + urllib.parse.urlencode({"fields": FIELDS, "limit_page_length": 20, **parameters})

    def prepare(self, row):
        """Script, path and connections of a row; None where the server does not have it."""
        bench = self.bench
        lua = lambda path, headers, method="GET", body=None: self.script(row, path, headers, method, body)
        contact = "contact17@example.com"
        match row:
            case "modified":
                return lua(self.list(order_by="modified desc"), self.agent)
            case "ordered":
                return lua(self.list(order_by="raised_by asc"), self.agent)
            case "few":
                return lua(self.list(filters=json.dumps({"raised_by": contact})), self.agent)
            case "many":
                return lua(self.list(filters=json.dumps({"agent_group": "Team 3"})), self.agent)
            case "customer":
                found = self.api.json("GET", self.list(), headers=self.customer)["data"]
                if len(found) != 5:
                    bench.note(f"{self.five} sees {len(found)} tickets instead of 5")
                    return None
                return lua(self.list(), self.customer)
            case "read":
                listed = os.path.join(self.work, "names.txt")
                with open(listed, "w") as file:
                    file.writelines(f"HD-{number:05}\n" for number in range(1, self.count + 1, max(self.count // 5000, 1)))
                request = f'wrk.format("GET", "/api/resource/HD%20Ticket/" .. line, {{ ["Authorization"] = "{self.agent["Authorization"]}" }})'
                return self.write(row, bench.RANDOM.replace("FILE", listed).replace("REQUEST", request)), "/", 1
            case "create":
                body = json.dumps({"subject": "Printer does not answer", "description": "<p>Since Monday.</p>", "priority": "Medium"})
                headers = self.agent | {"Content-Type": "application/json"}
                answer, text = self.api.call("POST", "/api/resource/HD%20Ticket", json.loads(body), self.agent, expect=(200, 409, 417))
                if answer.status != 200:
                    bench.note(text[:300])
                    return None
                script, path, _ = lua("/api/resource/HD%20Ticket", headers, "POST", body)
                return script, path, 16
            case "rare" | "common":
                # Of so many that up to a thousand, and more than that, have it.
                word = {"rare": "chrysanthemum", "common": "escalator"}[row]
                return self.if_there(row, f"/api/search?txt={word}&doctype=HD%20Ticket&limit=20", self.agent)
            case "first" | "deep":
                return self.by_cursor(row)

    def by_cursor(self, row):
        """The first page, or the one after a thousand others; each answer says how to ask for the next."""
        path = lambda cursor: "/api/v2/document/HD%20Ticket?" + urllib.parse.urlencode({"fields": FIELDS, "limit": 20, "cursor": cursor})
        here, following = path(""), None
        for _ in range(1 if row == "first" else 1_000):
            answer, text = self.api.call("GET", here, headers=self.agent, expect=(200, 417))
            following = json.loads(text).get("next_cursor") if answer.status == 200 else None
            if not following:
                return None
            here = path("") if row == "first" else path(following)
        return self.script(row, here, self.agent)

    def if_there(self, row, path, headers):
        answer, _ = self.api.call("GET", path, headers=headers, expect=(200, 404, 417))
        return self.script(row, path, headers) if answer.status == 200 else None

    def script(self, row, path, headers, method="GET", body=None):
        lines = "\n".join(f'wrk.headers["{name}"] = {json.dumps(value)}' for name, value in headers.items())
        text = self.bench.STATIC.replace("{method}", method).replace("{body}", json.dumps(body) if body else "nil").replace("{headers}", lines)
        return self.write(row, text), path, 1

    def write(self, row, text):
        path = os.path.join(self.work, row + ".lua")
        with open(path, "w") as file:
            file.write(text)
        return path

    def measure(self, row, seconds):
        prepared = self.prepare(row)
        if prepared is None:
            return None
        script, path, connections = prepared
        result = self.bench.press(self, row, script, path, seconds, connections)
        return {"p50": result["p50"] / 1000, "p99": result["p99"] / 1000, "rate": result["requests"] * 1_000_000 / result["micros"]}

    def scan(self):
        """Sixteen scans that no index helps, and a Bearer call beside them."""
        path = self.list(filters=json.dumps([["description", "like", "%no such words%"]]))
        api = [self.bench.Api(self.address) for _ in range(SCANS)]

        def one(api):
            started = time.monotonic()
            answer, text = api.call("GET", path, headers=self.agent, expect=(200, 503))
            return answer.status, json.loads(text).get("exc_type"), time.monotonic() - started

        with concurrent.futures.ThreadPoolExecutor(SCANS) as pool:
            scans = [pool.submit(one, each) for each in api]
            time.sleep(0.5)
            script, where, _ = self.script("beside", WHO, self.agent)
            beside = self.bench.press(self, "beside", script, where, 4, 1)
            ended = [scan.result() for scan in scans]
        return beside["p50"] / 1000, beside["p99"] / 1000, ended


def run(bench, options, binary, work, postgres):
    """Prints the tables of docs/performance.md for one database."""
    sizes = [int(size) for size in options.sizes.split(",")] if options.sizes else SIZES
    results, scans, memory = {}, {}, {}
    for count in sizes:
        site = Site(bench, options, binary, work, postgres, count, options.loaded if count == sizes[-1] else None)
        for row in ROWS:
            runs = [site.measure(row, options.seconds) for _ in range(options.rounds)]
            if None in runs:
                bench.note(f"{count:,} {row}: not measured, the server does not do it")
                continue
            results[count, row] = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
            bench.note(f"{count:>9,} {row:10} {results[count, row]['p50']:8.2f} ms {results[count, row]['p99']:8.2f} ms")
        scans[count] = site.scan()
        memory[count] = (site.started, site.indexed, site.idle, bench.resident_kib(site.process.pid), bench.resident_kib(site.process.pid, "VmHWM"))
        site.process.stop()
    print(f"{bench.machine()}. {'Postgres' if postgres else 'SQLite'}, {options.doctypes:,} doctypes imported, medians of {options.rounds} rounds of {options.seconds} s.\n")
    heads = [f"p50 ms of {count:,}" for count in sizes] + [f"p99 ms of {sizes[-1]:,}", "factor", "target"]
    print("| row | " + " | ".join(heads) + " |\n|" + " --- |" * (len(heads) + 1))
    for row, (what, most, factor) in ROWS.items():
        values = [results.get((count, row)) for count in sizes]
        if None in values:
            continue
        times = values[-1]["p50"] / values[0]["p50"] if values[0]["p50"] else 0
        goals = ([(values[-1]["p50"] < most, f"< {most} ms")] if most else []) + ([(times <= factor, f"<= {factor}x")] if factor and len(sizes) > 1 else [])
        verdict = ", ".join(text for _, text in goals) + ((": met" if all(met for met, _ in goals) else ": **missed**") if goals else "")
        cells = [what, *(f"{value['p50']:.2f}" for value in values), f"{values[-1]['p99']:.2f}", f"{times:.2f}", verdict]
        print("| " + " | ".join(cells) + " |")
    for count, (p50, p99, ended) in scans.items():
        late = sum(1 for status, _, _ in ended if status == 503)
        kinds = {exc_type for status, exc_type, _ in ended if status == 503}
        longest = max(seconds for _, _, seconds in ended)
        print(f"\n{SCANS} scans of {count:,} at once: a Bearer call beside them takes {p50:.2f} ms (p50), {p99:.2f} ms (p99; target 20). "
              f"{late} of the scans ended with 503 {', '.join(sorted(filter(None, kinds)))}, the last after {longest:.1f} s.")
    for count, (started, indexed, idle, after, most) in memory.items():
        print(f"\n{count:,}: ready {started * 1000:.0f} ms after the start, words of all tickets known {indexed:.0f} s later. Resident memory {idle / 1024:.1f} MiB at rest, {after / 1024:.1f} MiB after this, {most / 1024:.1f} MiB at most.")

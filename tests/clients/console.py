"""The console in Chromium, headless: python console.py <apigateway> <axe.min.js> [case...].

Each case has a gateway of its own and a new page. Names and roles are those of the accessibility tree, as somebody hears
them. It prints a line for each case and ends with "done"; the first failure of a case is told with what the page shows.
"""

import base64
import contextlib
import http.client
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

# Python takes a hundred fields, the gateway more.
http.client._MAXHEADERS = 1000

PROGRAM, AXE, *WANTED = sys.argv[1:]
# Longer than anything takes on a busy machine.
PATIENCE = 20.0
CASES = []


def case(function):
    """Registers a case."""
    CASES.append(function)
    return function


def until(what, condition):
    """Waits for a value of `condition` that is true."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(StaleElementReferenceException):
            found = condition()
            if found:
                return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with what the request's field X-Answer says, else with a small JSON."""

    protocol_version = "HTTP/1.1"
    body = b'{"id":12345678901234567890,"name":"Rex","age":4.50}'

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = base64.b64decode(self.headers["x-answer"]) if "x-answer" in self.headers else self.body
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Gateway:
    """The program, in a directory of its own."""

    def __init__(self, *options, files=None):
        self.root = Path(tempfile.mkdtemp(prefix="console"))
        for path, content in (files or {}).items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(content))
        self.options = options
        self.address = self.admin = "127.0.0.1:0"
        self.start()

    def start(self):
        arguments = ["serve", "--root", str(self.root), "--listen", self.address, "--admin", self.admin]
        command = [PROGRAM, *arguments, "--access-log", "off", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip().removeprefix("listening on http://")
        self.admin = self.process.stdout.readline().strip().removeprefix("admin on http://")
        assert self.admin, "the gateway starts"
        self.url = f"http://{self.admin}/"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def end(self):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def call(self, method, path, body=None):
        """A call of the control plane or the console; its JSON."""
        connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE)
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"content-type": "application/json", "x-apigateway-console": "1"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
        return json.loads(text) if text else None

    def send(self, api, target, method="GET", fields=(), body=b""):
        """A request to an API; status and body."""
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"{api}.execute-api.localhost")
        for name, value in fields:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def pets(self, *keys, name="pets"):
        """An API with routes to the upstream."""
        api = self.call("POST", "/v2/apis", {"name": name, "protocolType": "HTTP"})["apiId"]
        self.call("POST", f"/v2/apis/{api}/stages", {"stageName": "$default", "autoDeploy": True})
        integration = {"integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": UPSTREAM, "payloadFormatVersion": "1.0"}
        made = self.call("POST", f"/v2/apis/{api}/integrations", integration)["integrationId"]
        for key in keys:
            self.call("POST", f"/v2/apis/{api}/routes", {"routeKey": key, "target": f"integrations/{made}"})
        return api


class Page:
    """The page, by roles and names."""

    TAGS = {
        "button": "button", "link": "a[href]", "textbox": "input, textarea", "combobox": "select", "searchbox": "input",
        "checkbox": "input[type=checkbox]", "dialog": "dialog", "table": "table", "row": "tr", "region": "section", "form": "form",
        "tab": "[role=tab]", "navigation": "nav", "status": "[role=status]", "list": "ul", "heading": "h1, h2", "banner": "header",
        "main": "main",
    }

    def __init__(self, driver, gateway):
        self.driver, self.gateway = driver, gateway

    def open(self, address=""):
        self.driver.get("about:blank")
        self.driver.get(self.gateway.url + address)

    def all(self, role, name=None, within=None):
        found = (within or self.driver).find_elements("css selector", self.TAGS[role])
        return [one for one in found if one.is_displayed() and one.aria_role == role and name in (None, one.accessible_name)]

    def get(self, role, name=None, within=None):
        return until(f"a {role} {name!r}", lambda: self.all(role, name, within))[0]

    def gone(self, role, name=None):
        until(f"no {role} {name!r}", lambda: not self.all(role, name))

    def heading(self, text):
        until(f"the heading {text!r}", lambda: [one.text for one in self.driver.find_elements("css selector", "h1")] == [text])

    def text(self):
        return self.driver.find_element("css selector", "main").text

    def says(self, text):
        until(f"the words {text!r}", lambda: text in self.text())

    def status(self, text):
        until(f"the status {text!r}", lambda: any(text in one.get_attribute("textContent") for one in self.driver.find_elements("css selector", "#status")))

    def rows(self, table="Requests"):
        """The texts of a table's cells, row by row, in one step, since rows come and go."""
        script = """const table = [...document.querySelectorAll('table')].find(one => one.getAttribute('aria-label') === arguments[0]);
            return table ? [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent)) : []"""
        return self.driver.execute_script(script, table)

    def watches(self):
        """Opens the list, and waits until the gateway captures for it."""
        self.open("#/requests")
        self.says("No requests yet")
        until("that the gateway is watched", lambda: self.gateway.call("GET", "/console/api/overview")["capture"]["streams"] == 1)

    def row(self, text, table="Requests"):
        """The row that holds a text."""
        return until(f"a row with {text!r}", lambda: [row for row in self.get("table", table).find_elements("css selector", "tbody tr") if text in row.text])[0]

    def fill(self, name, text, within=None, role="textbox"):
        control = self.get(role, name, within)
        control.clear()
        control.send_keys(text)
        return control

    def keys(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def chord(self, key, *more):
        actions = ActionChains(self.driver).key_down(key)
        actions.send_keys(*more).key_up(key).perform()

    def focus(self):
        """Role and name of what has the focus."""
        active = self.driver.switch_to.active_element
        return active.aria_role, active.accessible_name

    def hash(self):
        return self.driver.execute_script("return location.hash")

    def fits(self):
        """That the page itself has no horizontal scroll bar."""
        wide, seen = self.driver.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= seen, f"{self.hash()} is {wide} wide, and {seen} are seen"

    def size(self, width, height=900):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def axe(self):
        """That axe-core finds nothing."""
        self.driver.execute_script(Path(AXE).read_text())
        script = """const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ['violations']}).then(said => done(said.violations.map(one => [one.id, one.help, one.nodes.map(node => node.html.slice(0, 200))])))"""
        violations = self.driver.execute_async_script(script)
        assert not violations, f"{self.hash()}: {json.dumps(violations, indent=1)}"


@case
def an_api_from_its_creation_to_its_first_answer(page, gateway):
    """N10, N11, N12."""
    page.open()
    page.heading("APIs")
    assert page.get("link", "APIs", page.get("navigation", "Sections")).get_attribute("aria-current") == "page"
    page.get("button", "Create API").click()
    dialog = page.get("dialog", "Create API")
    page.fill("Name", "pets", dialog)
    page.get("button", "Create", dialog).click()
    page.heading("Routes")
    page.status("API pets created")
    link = page.get("link", "Invoke URL")
    assert link.get_attribute("data-testid") == "invoke-url"
    api = re.fullmatch(r"http://(\w+)\.execute-api\.localhost:\d+/", link.get_attribute("href"))[1]
    assert page.hash() == f"#/apis/{api}/routes" and page.driver.title.startswith("Routes of pets")
    assert gateway.send(api, "/pets") == (404, b'{"message":"Not Found"}')
    page.says('404 {"message":"Not Found"}')

    page.get("button", "Add route").click()
    dialog = page.get("dialog", "Add route")
    Select(page.get("combobox", "Method", dialog)).select_by_value("GET")
    page.fill("Path", "pets", dialog)
    Select(page.get("combobox", "Integration", dialog)).select_by_visible_text("New HTTP integration")
    page.fill("URL", UPSTREAM, dialog)
    page.get("button", "Add", dialog).click()
    until("an error at the field", lambda: page.get("textbox", "Path", dialog).get_attribute("aria-invalid") == "true")
    page.fill("Path", "/pets", dialog)
    page.get("button", "Add", dialog).click()
    page.gone("dialog")
    page.status("Route GET /pets added")
    assert gateway.send(api, "/pets") == (200, Upstream.body)
    assert [cells[:3] for cells in page.rows("Routes")] == [["1", "GET", "/pets"]]
    heads = [head.text.rstrip(" ↑") for head in page.get("table", "Routes").find_elements("css selector", "th")]
    assert heads == ["Order", "Method", "Path", "Authorization", "Integration", "Throttle", "Last seen"], heads
    until("when it was last seen", lambda: re.match(r"\d\d:\d\d:\d\d", page.rows("Routes")[0][6]))

    # What the API refuses stands in the dialog, in its own words.
    page.get("button", "Add route").click()
    dialog = page.get("dialog", "Add route")
    page.fill("Path", "/pets", dialog)
    page.fill("URL", UPSTREAM, dialog)
    page.get("button", "Add", dialog).click()
    until("the refusal", lambda: "already exists" in dialog.text)
    assert len(gateway.call("GET", f"/v2/apis/{api}/integrations")["items"]) == 1
    page.get("button", "Cancel", dialog).click()

    page.get("button", "Edit GET /pets").click()
    dialog = page.get("dialog", "Edit GET /pets")
    page.fill("Path", "/pets/{id}", dialog)
    page.get("button", "Save", dialog).click()
    page.status("Route GET /pets/{id} changed")
    page.get("button", "Delete GET /pets/{id}").click()
    dialog = page.get("dialog", "Delete GET /pets/{id}?")
    page.get("button", "Cancel", dialog).click()
    assert page.focus() == ("button", "Delete GET /pets/{id}")
    page.get("button", "Delete GET /pets/{id}").click()
    page.get("button", "Delete", page.get("dialog", "Delete GET /pets/{id}?")).click()
    page.says("No routes yet")
    assert gateway.send(api, "/pets/1")[0] == 404


@case
def integrations_authorizers_stages_and_settings(page, gateway):
    """N13."""
    api = gateway.pets("GET /pets")
    page.open(f"#/apis/{api}/stages")
    page.get("button", "Add stage").click()
    dialog = page.get("dialog", "Add stage")
    page.fill("Name", "test", dialog)
    assert page.get("checkbox", "Deploy automatically", dialog).is_selected()
    page.fill("Log format", "$context.requestId: $context.httpMethod of $context.apiId", dialog)
    until("a sample line", lambda: ": GET of" in dialog.text)
    page.get("button", "Add", dialog).click()
    page.status("Stage test added")
    assert [cells[0] for cells in page.rows("Stages")] == ["$default", "test"]
    page.get("button", "Edit test").click()
    dialog = page.get("dialog", "Edit test")
    page.get("tab", "JSON", dialog).click()
    area = page.get("textbox", "JSON", dialog)
    # As the AWS CLI prints it; a number stays as it is written.
    assert '"AutoDeploy": true' in area.get_attribute("value"), area.get_attribute("value")
    page.fill("JSON", '{"AutoDeploy": true, "StageVariables": {"Backend": "a"}, "DefaultRouteSettings": {"ThrottlingRateLimit": 1.50, "ThrottlingBurstLimit": 3}}', dialog)
    page.get("button", "Save", dialog).click()
    page.status("Stage test changed")
    stage = gateway.call("GET", f"/v2/apis/{api}/stages/test")
    assert stage["stageVariables"] == {"Backend": "a"} and stage["defaultRouteSettings"]["throttlingRateLimit"] == 1.5, stage

    page.open(f"#/apis/{api}/authorizers")
    page.get("button", "Add authorizer").click()
    dialog = page.get("dialog", "Add authorizer")
    page.fill("Name", "tokens", dialog)
    page.fill("Issuer", "https://issuer.test", dialog)
    page.fill("Audience", "pets cats", dialog)
    page.get("button", "Add", dialog).click()
    page.status("Authorizer tokens added")
    assert gateway.call("GET", f"/v2/apis/{api}/authorizers")["items"][0]["jwtConfiguration"]["audience"] == ["pets", "cats"]

    page.open(f"#/apis/{api}/integrations")
    page.get("button", "Add integration").click()
    dialog = page.get("dialog", "Add integration")
    page.fill("URI", "ftp://nowhere", dialog)
    page.get("button", "Add", dialog).click()
    until("an error at the field", lambda: page.get("textbox", "URI", dialog).get_attribute("aria-invalid") == "true")
    page.fill("URI", UPSTREAM + "/other", dialog)
    page.get("button", "Add", dialog).click()
    until("two integrations", lambda: len(page.rows("Integrations")) == 2)

    page.open(f"#/apis/{api}/settings")
    form = page.get("form", "Settings")
    page.fill("Allowed origins", "https://a.test https://b.test", form)
    page.get("button", "Save", form).click()
    page.status("API pets changed")
    assert gateway.call("GET", f"/v2/apis/{api}")["corsConfiguration"]["allowOrigins"] == ["https://a.test", "https://b.test"]
    page.get("button", "Delete API").click()
    dialog = page.get("dialog", "Delete API")
    page.fill("Name", "pet", dialog)
    page.get("button", "Delete", dialog).click()
    until("that it is another name", lambda: "not its name" in dialog.text)
    page.fill("Name", "pets", dialog)
    page.get("button", "Delete", dialog).click()
    page.heading("APIs")
    page.says("No API yet")


@case
def requests_appear_as_they_come(page, gateway):
    """N15, N23."""
    api = gateway.pets("GET /pets", "ANY /pets/{id}")
    page.watches()
    assert gateway.send(api, "/pets?x=1")[0] == 200
    row = page.row("/pets?x=1")
    assert page.rows()[0][1:4] == ["GET", "/pets?x=1", "200"] and page.rows()[0][6] == "GET /pets", page.rows()
    assert re.fullmatch(r"[\d.]+ ms", page.rows()[0][4]), page.rows()
    heads = [head.text for head in page.get("table", "Requests").find_elements("css selector", "th")]
    assert heads == ["Time", "Method", "Path", "Status", "Latency", "Integration", "Route"], heads
    assert re.match(r"\d{4}-\d\d-\d\dT", row.find_element("css selector", "time").get_attribute("title"))

    # The row in hand stays where it is while others come.
    page.size(1280, 420)
    page.driver.execute_script("arguments[0].focus()", row)
    top = row.rect["y"] - page.driver.execute_script("return scrollY")
    for number in range(3):
        gateway.send(api, f"/pets/{number}", "POST", body=b"{}")
        gateway.send(api, "/nothing")
    until("seven rows", lambda: len(page.rows()) == 7)
    assert page.driver.switch_to.active_element == row
    moved = row.rect["y"] - page.driver.execute_script("return scrollY") - top
    assert abs(moved) < 2, f"the row has moved by {moved} px"
    page.size(1280)
    assert page.rows()[-1][2] == "/pets?x=1"

    search = page.get("searchbox", "Filter")
    for text, count in [("method:POST", 3), ("-method:POST", 4), ("status:4xx", 3), ("status:404", 3), ('route:"ANY /pets/{id}"', 3), ("path:/pets -path:/1", 3), (f"api:{api}", 7), ("replay:yes", 0), ("slow:>60000", 0), ("nothing", 3)]:
        page.fill("Filter", text, role="searchbox")
        until(f"{count} rows of {text}", lambda: len(page.rows()) == count)
        assert search.get_attribute("aria-invalid") is None, text
    page.fill("Filter", "status:banana", role="searchbox")
    until("a mark", lambda: search.get_attribute("aria-invalid") == "true" and "status:banana" in page.text())
    page.fill("Filter", "method:POST", role="searchbox")
    until("the filter in the address", lambda: "method" in page.hash())
    page.driver.refresh()
    until("three rows", lambda: len(page.rows()) == 3)
    page.fill("Filter", " ", role="searchbox")

    page.get("checkbox", "Pause").click()
    gateway.send(api, "/pets/paused")
    page.says("1 newer")
    assert len(page.rows()) == 7
    page.get("checkbox", "Pause").click()
    until("the row", lambda: len(page.rows()) == 8)

    page.row("/pets?x=1").click()
    region = page.get("region", "Request")
    page.heading("GET /pets?x=1")
    for tab, text in [("Request", "As sent to the integration"), ("Response", "12345678901234567890"), ("Timing", "Gateway"), ("Route", "GET /pets")]:
        page.get("tab", tab, region).click()
        page.says(text)
    page.get("tab", "Response", region).click()
    page.get("button", "Indent").click()
    page.says('  "id": 12345678901234567890,\n  "name": "Rex",\n  "age": 4.50')
    page.driver.back()
    page.heading("Requests")
    page.get("button", "Clear").click()
    page.status("Requests cleared")
    page.says("No requests yet")


@case
def a_replay_leaves_the_original(page, gateway):
    """N7, N9, N15."""
    api = gateway.pets("ANY /pets")
    page.watches()
    gateway.send(api, "/pets", "POST", [("Authorization", "Bearer abc"), ("X-Tag", "it's")], b'{"a": 1}')
    page.row("/pets").click()
    page.heading("POST /pets")
    original = page.hash().split("/")[-1]
    before = gateway.call("GET", f"/console/api/requests/{original}")
    page.says("«redacted")
    assert "abc" not in page.text()
    page.get("button", "Replay").click()
    dialog = page.get("dialog", "Replay")
    page.get("button", "Replay", dialog).click()
    page.status("Replayed: 200")
    page.says("Replays")
    assert gateway.call("GET", f"/console/api/requests/{original}") == before
    listed = gateway.call("GET", "/console/api/requests?limit=10")
    assert [one.get("replayOf") for one in listed] == [original, None]

    page.driver.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get("button", "Copy as curl").click()
    area = page.get("textbox", "curl command")
    command = area.get_attribute("value")
    assert "abc" not in command, "N9"
    assert "--request 'POST'" in command and "x-tag: it'\\''s'" in command.lower() and """--data-raw '{"a": 1}'""" in command, command
    assert page.driver.execute_script("return arguments[0].selectionEnd", area) == len(command)
    said = subprocess.run(["sh", "-c", "curl() { for each; do printf '%s\\n' \"$each\"; done; }\n" + command], capture_output=True, text=True, check=True)
    assert "x-tag: it's" in said.stdout.lower().splitlines() and '{"a": 1}' in said.stdout.splitlines(), said.stdout
    page.keys(Keys.ESCAPE)
    page.get("button", "Copy as case").click()
    written = json.loads(page.get("textbox", "Case").get_attribute("value"))
    assert written["routes"] == ["ANY /pets"] and written["cases"][0]["request"] == "POST /pets", written
    assert written["cases"][0]["expect"] == {"status": 200, "route": "ANY /pets", "body": Upstream.body.decode()}, written
    page.keys(Keys.ESCAPE)

    page.get("button", "Edit and replay").click()
    page.heading("Try it")
    form = page.get("form", "Request")
    assert page.get("textbox", "Body", form).get_attribute("value") == '{"a": 1}'
    assert "x-tag: it's" in page.get("textbox", "Headers", form).get_attribute("value").lower()
    page.fill("Path", "/pets/a b", form)
    until("why", lambda: "percent-encoded" in page.get("region", "Why this route").text)
    assert "400" in page.get("region", "Why this route").text
    page.fill("Path", "/Pets", form)
    until("what it nearly is", lambda: 'near ANY /pets: the path has "Pets" in place of "pets"' in page.get("region", "Why this route").text)
    page.fill("Path", "/nowhere", form)
    until("why", lambda: "404" in page.get("region", "Why this route").text and "ear ANY" not in page.get("region", "Why this route").text)
    page.chord(Keys.CONTROL, Keys.ENTER)
    until("the answer", lambda: "404 Not Found" in page.get("region", "Answer").text)
    page.get("link", "The whole way of this request").click()
    page.heading("POST /nowhere")
    page.says("Replay of")
    assert gateway.call("GET", f"/console/api/requests/{original}") == before


@case
def a_request_is_tried_and_explained(page, gateway):
    """N14."""
    api = gateway.pets("GET /pets/{id}", "ANY /{proxy+}")
    page.open(f"#/try?api={api}")
    form = page.get("form", "Request")
    Select(page.get("combobox", "Method", form)).select_by_value("GET")
    page.fill("Path", "/pets/7", form)
    region = page.get("region", "Why this route")
    until("why", lambda: "GET /pets/{id}" in region.text and "ANY /{proxy+}" in region.text and "id = 7" in region.text)
    page.fill("Headers", "X-Answer: " + base64.b64encode(b'{"b":1.0,"a":[1e400,2]}').decode(), form)
    page.get("button", "Send", form).click()
    answer = page.get("region", "Answer")
    until("the answer", lambda: "200 OK" in answer.text and '{"b":1.0,"a":[1e400,2]}' in answer.text)
    page.get("button", "Indent", answer).click()
    until("lines", lambda: '{\n  "b": 1.0,\n  "a": [\n    1e400,\n    2\n  ]\n}' in answer.text)
    page.fill("Headers", "nonsense", form)
    page.get("button", "Send", form).click()
    until("a mark", lambda: page.get("textbox", "Headers", form).get_attribute("aria-invalid") == "true")


@case
def hostile_text_stays_text(page, gateway):
    """N18, N19."""
    markup = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
    api = gateway.pets("ANY /{proxy+}", name=markup + "\u202e\u0007")
    page.open("#/apis")
    page.says("<img src=x onerror")
    page.says("\\u{202e}\u2407")
    page.watches()
    answer = markup.encode() + "\u202e\u2066\u200b\x07".encode() + b"\xff\xed\xa0\x80"
    fields = [("X-Answer", base64.b64encode(answer).decode()), ("X-Markup", markup), ("X-Bytes", b"a\xffb")]
    fields += [(f"X-{number}", "v") for number in range(240)]
    gateway.send(api, "/%3Cimg%3E<img/src=x>" + "/longer" * 900, "GET", fields)
    row = page.row("/%3Cimg%3E<img/src=x>")
    page.says("more")
    assert row.size["height"] < 200
    row.click()
    until("the fields", lambda: "x-markup" in page.text().lower())
    assert markup in page.text()
    page.get("tab", "Response").click()
    for shown in [markup, "\\u{202e}\\u{2066}\\u{200b}\u2407", "\\xff\\xed\\xa0\\x80"]:
        page.says(shown)
    page.fits()
    page.size(360)
    page.fits()
    for address in ["#/<img src=x onerror=alert(1)>", "#/apis/%3Cimg%3E/routes", "#/requests/%E0%A4", "#/requests?filter=<img>", "#/try?path=<img>"]:
        page.open(address)
        until("a heading", lambda: page.driver.find_elements("css selector", "h1"))
    broken, images, scripts = page.driver.execute_script("return [window.broken, document.querySelectorAll('main img, main script, main iframe').length, document.scripts.length]")
    assert (broken, images, scripts) == (None, 0, 1)
    # Trusted Types: a string becomes no markup, whoever tries.
    script = "try { document.body['inner' + 'HTML'] = '<p>'; return 'taken' } catch (error) { return error.name }"
    assert page.driver.execute_script(script) == "TypeError"
    # Of that the browser complains, and of nothing before.
    assert [line for line in complaints(page.driver) if "TrustedHTML" not in line] == []


@case
def everything_by_keyboard(page, gateway):
    """N21."""
    page.open()
    page.heading("APIs")
    page.keys("?")
    page.get("dialog", "Keys")
    for _ in range(6):
        page.keys(Keys.TAB)
        assert page.driver.execute_script("return document.querySelector('dialog').contains(document.activeElement)")
    page.keys(Keys.ESCAPE)
    page.gone("dialog")
    page.get("button", "Create API").send_keys(Keys.NULL)
    page.keys("n")
    page.get("dialog", "Create API")
    page.keys(Keys.ESCAPE)
    page.gone("dialog")
    page.keys("n")
    page.get("dialog", "Create API")
    page.keys("keys", Keys.ENTER)
    page.heading("Routes")
    page.keys("n")
    page.get("dialog", "Add route")
    assert page.focus() == ("combobox", "Method")
    page.keys(Keys.TAB, "/pets", Keys.TAB, Keys.TAB, UPSTREAM, Keys.ENTER)
    page.status("Route GET /pets added")
    page.gone("dialog")
    # What opened the dialog is drawn anew, and the focus with it.
    until("the focus on the button", lambda: page.focus() == ("button", "Add route"))
    api = page.hash().split("/")[2]
    page.keys("/")
    assert page.focus() == ("textbox", "Filter")
    page.keys(Keys.TAB)
    for _ in range(12):
        if page.focus()[0] == "row":
            break
        page.keys(Keys.TAB)
    assert page.focus()[0] == "row"
    page.keys(Keys.TAB)
    assert page.focus() == ("button", "Edit GET /pets")
    page.keys(Keys.ENTER)
    page.get("dialog", "Edit GET /pets")
    page.keys(Keys.ESCAPE)
    until("the focus back", lambda: page.focus() == ("button", "Edit GET /pets"))
    for number in range(3):
        gateway.send(api, f"/pets?{number}")
    page.keys("g", "r")
    page.heading("Requests")
    until("three rows", lambda: len(page.rows()) == 3)
    page.keys("/")
    assert page.focus() == ("searchbox", "Filter")
    for _ in range(6):
        page.keys(Keys.TAB)
        if page.focus()[0] == "row":
            break
    assert "/pets?2" in page.driver.switch_to.active_element.text
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert "/pets?1" in page.driver.switch_to.active_element.text
    page.keys("r")
    page.status("Replayed: 200")
    assert "replay" in until("a fourth row", lambda: len(page.rows()) == 4 and page.rows()[0])[2]
    assert "/pets?1" in page.driver.switch_to.active_element.text
    page.keys(Keys.ENTER)
    page.heading("GET /pets?1")
    until("the tabs", lambda: page.all("tab", "Request"))
    page.get("tab", "Request").send_keys(Keys.NULL)
    page.driver.execute_script("arguments[0].focus()", page.get("tab", "Request"))
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.focus() == ("tab", "Timing")
    page.keys("r")
    page.status("Replayed: 200")
    page.keys("g", "a")
    page.heading("APIs")


@case
def themes_and_axe(page, gateway):
    """N10, N22."""
    api = gateway.pets("GET /pets", "$default")
    gateway.call("POST", f"/v2/apis/{api}/authorizers", {"name": "tokens", "authorizerType": "JWT", "identitySource": ["$request.header.Authorization"], "jwtConfiguration": {"issuer": "https://issuer.test", "audience": ["a"]}})
    (gateway.root / "routes").mkdir()
    (gateway.root / "routes" / "odd.json").write_text('{"RouteKey": "GET /a", "Odd": 1}')
    page.watches()
    for target in ["/pets", "/pets/1", "/pets?token=secret"]:
        gateway.send(api, target)
    page.row("redacted").click()
    until("the tabs", lambda: page.all("tab"))
    request = page.hash()
    problems = len(gateway.call("GET", "/console/api/problems")["problems"])
    pages = ["#/apis", "#/requests", request, "#/try", "#/metrics", "#/problems", "#/nothing"]
    pages += [f"#/apis/{api}/{part}" for part in ["routes", "integrations", "authorizers", "stages", "settings"]]
    colours = set()
    for scheme in ["light", "dark"]:
        page.scheme(scheme)
        for address in pages:
            page.size(1280)
            page.open(address)
            until("a heading", lambda: page.driver.find_elements("css selector", "h1"))
            until("the page", lambda: page.driver.execute_script("return performance.getEntriesByType('resource').length > 3"))
            page.get("link", f"Problems, {problems}")
            page.axe()
            if page.all("button") and page.driver.execute_script("const add = document.querySelector('[data-key=n]'); add?.click(); return Boolean(add)"):
                page.get("dialog")
                page.axe()
                page.keys(Keys.ESCAPE)
            page.size(360)
            page.fits()
        colours.add(page.driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2, colours
    page.size(1280)
    page.scheme("light")
    theme = page.get("button", "Theme")
    seen = []
    for _ in range(3):
        theme.click()
        seen.append((page.driver.execute_script("return document.documentElement.dataset.theme"), page.driver.execute_script("return getComputedStyle(document.body).backgroundColor")))
    assert [name for name, _ in seen] == ["light", "dark", "system"] and seen[0][1] != seen[1][1] and seen[0][1] == seen[2][1], seen
    theme.click()
    page.driver.refresh()
    until("the theme", lambda: page.driver.execute_script("return document.documentElement.dataset.theme") == "light")
    assert page.driver.execute_script("return Object.keys(localStorage).join() + document.cookie") == "theme"


@case
def problems_of_the_files_are_live(page, gateway):
    """N13, N17."""
    api = gateway.pets("GET /pets")
    page.open("#/problems")
    page.heading("Problems")
    before = len(page.driver.find_elements("css selector", "main li"))
    route = next((gateway.root / "apis" / api / "routes").iterdir())
    twin = route.with_name("twin.json")
    twin.write_text(route.read_text())
    until("a problem", lambda: len(page.driver.find_elements("css selector", "main li")) > before)
    page.get("list", "Problems")
    page.says("routes/twin.json")
    page.says("Older files are being served")
    page.get("link", f"Problems, {len(page.driver.find_elements('css selector', 'main ul[aria-label=Problems] > li'))}")
    # Both sides of the conflict are shown, each with the sentence.
    page.open(f"#/apis/{api}/routes")
    until("two routes", lambda: [cells[2].startswith("/pets") for cells in page.rows("Routes")] == [True, True])
    until("the sentence", lambda: any("Error" in cells[2] for cells in page.rows("Routes")))
    page.says("Older files are being served")
    twin.unlink()
    until("no bar", lambda: "Older files" not in page.text())
    until("one route", lambda: len(page.rows("Routes")) == 1)


@case
def a_stream_that_breaks_is_opened_again(page, gateway):
    """N10."""
    api = gateway.pets("GET /pets")
    page.watches()
    gateway.send(api, "/pets?before")
    page.row("/pets?before")
    gateway.stop()
    page.says("Not live")
    page.status("broke")
    gateway.start()
    gateway.send(api, "/pets?between")
    page.row("/pets?between")
    page.status("open again")
    until("no bar", lambda: "Not live" not in page.text())
    gateway.send(api, "/pets?after")
    page.row("/pets?after")


@case
def pages_share_one_stream(page, gateway):
    """N7, section 7."""
    api = gateway.pets("GET /pets")
    page.watches()
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.watches()
    gateway.send(api, "/pets?shared")
    page.row("/pets?shared")
    assert gateway.call("GET", "/console/api/overview")["capture"]["streams"] == 1
    second = page.driver.current_window_handle
    page.driver.switch_to.window(first)
    page.row("/pets?shared")
    # The page that reads it goes, and the other goes on.
    page.driver.close()
    page.driver.switch_to.window(second)
    until("one stream again", lambda: gateway.call("GET", "/console/api/overview")["capture"]["streams"] == 1)
    gateway.send(api, "/pets?alone")
    page.row("/pets?alone")


@case
def many_routes_and_requests(page, gateway):
    """N1, N12, N22, N24."""
    gateway.end()
    files = {"apis/many/api.json": {"Name": "many", "ProtocolType": "HTTP"}, "apis/many/stages/$default.json": {"StageName": "$default"},
             "apis/many/integrations/up.json": {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "IntegrationUri": UPSTREAM}}
    for number in range(1000):
        files[f"apis/many/routes/r{number}.json"] = {"RouteKey": f"GET /area{number % 7}/thing{number}/{{id}}", "Target": "integrations/up"}
    gateway.__init__(files=files)
    for number in range(210):
        gateway.send("many", f"/area{number % 7}/thing{number}/1")
    page.open()
    page.heading("APIs")
    paint = until("the first paint", lambda: page.driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"))
    page.open("#/apis/many/routes")
    page.says("1,000 routes")
    assert len(page.rows("Routes")) == 300
    page.fill("Filter", "thing999")
    until("one row", lambda: len(page.rows("Routes")) == 1)
    page.fill("Filter", " ")
    heads = page.get("table", "Routes").find_element("css selector", "thead")
    page.get("button", "Path", heads).click()
    until("another order", lambda: page.rows("Routes")[0][2] == "/area0/thing0/{id}")
    page.get("button", "Order", heads).click()
    until("the order of precedence", lambda: page.rows("Routes")[0][0] == "1")
    page.size(360)
    page.fits()
    # 200 % zoom of 1280 px.
    page.size(640)
    page.fits()
    page.size(1280)
    page.open("#/requests")
    until("200 rows", lambda: len(page.rows()) == 200)
    page.fits()
    drawn = max(page.driver.execute_script("return performance.getEntriesByName('requests').map(one => one.duration)"))
    nodes = page.driver.execute_script("return document.querySelectorAll('*').length")
    for number in range(30):
        gateway.send("many", f"/more/{number}")
    page.row("/more/29")
    assert len(page.rows()) == 200
    again = max(page.driver.execute_script("return performance.getEntriesByName('requests').slice(1).map(one => one.duration)"))
    assert page.driver.execute_script("return document.querySelectorAll('*').length") < nodes + 100
    print(f"  first paint {paint:.0f} ms; 200 rows drawn in {drawn:.0f} ms, then in {again:.0f} ms at most; {nodes} nodes")
    # The bounds are 200 ms and 100 ms on a machine that does nothing else; here other tests run beside this one.
    assert paint < 2000 and drawn < 1000 and again < 1000


@case
def without_a_control_plane_nothing_is_changed(page, gateway):
    """N5."""
    api = gateway.pets("GET /pets")
    gateway.stop()
    gateway.options = ("--control-plane", "off")
    gateway.start()
    page.open()
    page.says("--control-plane off")
    assert not page.all("button", "Create API")
    page.open(f"#/apis/{api}/routes")
    until("the route", lambda: [cells[:3] for cells in page.rows("Routes")] == [["1", "GET", "/pets"]])
    assert not page.all("button", "Add route") and not page.all("button", "Delete GET /pets")
    for part, text in [("integrations", "integrations/"), ("authorizers", "None is served"), ("stages", "$default"), ("settings", "pets")]:
        page.open(f"#/apis/{api}/{part}")
        page.says(text)
        page.says("--control-plane off")
    page.open("#/requests")
    gateway.send(api, "/pets")
    page.row("/pets")


@case
def secrets_that_are_kept_are_marked(page, gateway):
    """N9, N7."""
    gateway.stop()
    gateway.options = ("--capture-secrets",)
    gateway.start()
    api = gateway.pets("ANY /pets")
    page.watches()
    page.says("Secrets are captured and shown: the gateway runs with --capture-secrets")
    gateway.send(api, "/pets", "POST", [("Authorization", "Bearer abc")], b"x" * 20_000)
    page.row("/pets").click()
    page.heading("POST /pets")
    page.says("Bearer abc")
    page.driver.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get("button", "Copy as curl").click()
    command = page.get("textbox", "curl command").get_attribute("value")
    assert "Bearer abc" in command and "xxxx" not in command and "20,000 B is left out" in command, command[:400]
    page.keys(Keys.ESCAPE)
    # What was cut cannot be sent as it was, and the button says so.
    gateway.send(api, "/pets?long", "POST", body=b"y" * 70_000)
    page.open("#/requests")
    page.row("/pets?long").click()
    page.heading("POST /pets?long")
    page.says("cannot be replayed unchanged")
    replay = page.get("button", "Replay")
    assert not replay.is_enabled() and "cut" in replay.get_attribute("title"), replay.get_attribute("title")
    assert page.get("button", "Edit and replay").is_enabled()


@case
def an_idle_page_is_at_rest(page, gateway):
    """N10, N22, N24."""
    api = gateway.pets("GET /pets")
    page.watches()
    page.open(f"#/apis/{api}/routes")
    until("a route", lambda: page.rows("Routes"))
    page.get("link", "Requests").click()
    page.heading("Requests")
    page.says("No requests yet")
    calls = "return performance.getEntriesByType('resource').length"
    time.sleep(0.5)
    before = page.driver.execute_script(calls)
    time.sleep(4)
    assert page.driver.execute_script(calls) == before, "an idle page asks for nothing"
    # Back and forward, and a reload, lead to the page and to its address.
    page.driver.back()
    page.heading("Routes")
    page.driver.forward()
    page.heading("Requests")
    page.driver.refresh()
    page.heading("Requests")
    assert page.hash() == "#/requests" and page.driver.title.startswith("Requests")
    durations = """return [...document.querySelectorAll('*')].map(one => getComputedStyle(one)).filter(style =>
        [style.transitionDuration, style.animationDuration].some(text => text.split(',').some(part => parseFloat(part) > 0.01))).length"""
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    assert page.driver.execute_script(durations) == 0, "something moves"
    features[0]["value"] = "no-preference"
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    assert page.driver.execute_script(durations) > 0, "the script finds what moves"


@case
def calls_are_signed_where_they_have_to_be(page, gateway):
    """N5."""
    gateway.end()
    key = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI", "UserArn": "arn:aws:iam::123456789012:user/admin", "UserId": "AIDAEXAMPLE", "Administrator": True}
    gateway.__init__("--control-plane", "signed", "--console", "on", files={"credentials.json": {"Credentials": [key]}})
    page.open()
    dialog = page.get("dialog", "Sign in")
    page.fill("Access key id", "AKIDEXAMPLE", dialog)
    secret = page.get("textbox", "Secret access key", dialog) if page.all("textbox", "Secret access key", dialog) else dialog.find_element("css selector", "input[type=password]")
    secret.send_keys("wrong")
    page.get("button", "Sign in", dialog).click()
    until("another question", lambda: page.all("dialog", "Sign in") and page.all("dialog", "Sign in")[0] != dialog)
    dialog = page.get("dialog", "Sign in")
    page.fill("Access key id", "AKIDEXAMPLE", dialog)
    dialog.find_element("css selector", "input[type=password]").send_keys("wJalrXUtnFEMI")
    page.get("button", "Sign in", dialog).click()
    page.gone("dialog")
    page.get("button", "Create API").click()
    dialog = page.get("dialog", "Create API")
    page.fill("Name", "signed", dialog)
    page.get("button", "Create", dialog).click()
    page.heading("Routes")
    api = page.hash().split("/")[2]
    page.get("link", "Requests").click()
    page.heading("Requests")
    gateway.send(api, "/signed")
    page.row("/signed")
    assert page.driver.execute_script("return JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie") == "{}"
    # Without WebCrypto nothing can be signed, and the page says what helps.
    page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "Object.defineProperty(crypto, 'subtle', {value: undefined})"})
    page.open()
    port = gateway.admin.split(":")[1]
    until("the way out", lambda: f"ssh -L {port}:127.0.0.1:{port}" in page.driver.find_element("css selector", "body").text)


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # As root there is no sandbox, and containers have little shared memory.
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--window-size=1280,900"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE * 2)
    return driver


def complaints(driver):
    """What the browser's console says: errors of the page, of the policy, of Trusted Types."""
    # A refusal of a call is shown by the page; the browser logs it too.
    return [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE" and "Failed to load resource" not in line["message"]]


def main():
    global UPSTREAM
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    UPSTREAM = f"http://127.0.0.1:{server.server_address[1]}"
    failed = []
    for run in [one for one in CASES if not WANTED or one.__name__ in WANTED]:
        gateway, driver = Gateway(), browser()
        began = time.monotonic()
        try:
            run(Page(driver, gateway), gateway)
            said = complaints(driver)
            assert not said, said
            print(f"{run.__name__}: held, {time.monotonic() - began:.1f} s", flush=True)
        except Exception:
            failed.append(run.__name__)
            print(f"{run.__name__}: FAILED\n{traceback.format_exc()}", flush=True)
            with contextlib.suppress(Exception):
                print(driver.current_url, driver.find_element("css selector", "body").text[:3000], complaints(driver), sep="\n", flush=True)
        finally:
            driver.quit()
            gateway.end()
    print(f"failed: {', '.join(failed)}" if failed else "done")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

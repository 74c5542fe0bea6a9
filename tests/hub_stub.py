"""A model hub on loopback, as far as an upload needs one: it takes repositories and commits, and keeps their files."""

import base64
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """What the hub has, and how it behaves."""

    def __init__(self):
        self.repositories = {}  # name -> whether it is private
        self.files = {}  # name -> path -> bytes
        self.messages = []  # of commits
        self.tokens = set()  # that were shown
        self.seen = []  # method and path of each request
        self.refuses = None  # (status, message) for whatever is asked
        self.address = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        hub = self.server.hub
        body = self._body()
        hub.seen.append(self.path.partition("?")[0])
        hub.tokens.add(self.headers.get("Authorization", ""))
        if hub.refuses is not None:
            status, message = hub.refuses
            return self._answer({"error": message}, status)
        if self.path == "/api/repos/create":
            return self._create(json.loads(body))
        if self.path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main(?:\?.*)?", self.path)
        if found and found[2] == "preupload":
            files = json.loads(body)["files"]
            return self._answer({
                "files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files],
                "commitOid": "0" * 40,
            })  # fmt: skip
        if found:
            return self._commit(found[1], body)
        return self._answer({"error": "no such address"}, 404)

    def do_GET(self):
        self.server.hub.seen.append(self.path)
        self._answer({"error": "no such address"}, 404)

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _create(self, wanted):
        name = "/".join(filter(None, (wanted.get("organization"), wanted["name"])))
        self.server.hub.repositories.setdefault(name, wanted.get("private") or wanted.get("visibility") == "private")
        self._answer({"url": f"{self.server.hub.address}/{name}", "name": name, "id": name})

    def _commit(self, name, body):
        hub = self.server.hub
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                hub.messages.append(value["summary"])
            elif line["key"] == "file":
                hub.files.setdefault(name, {})[value["path"]] = base64.b64decode(value["content"])
        self._answer({"commitUrl": f"{hub.address}/{name}/commit/{'1' * 40}", "commitOid": "1" * 40, "success": True})

    def _answer(self, content, status=200):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if "error" in content:
            self.send_header("X-Error-Message", content["error"])
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = Hub()
        self.hub.address = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serve():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.hub
        finally:
            server.shutdown()

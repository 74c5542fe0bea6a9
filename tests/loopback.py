"""A file server on loopback that misbehaves on request."""

import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """What the server has and how it behaves. Every request is kept in `seen` as (path, headers)."""

    def __init__(self):
        self.files = {}  # by path: bytes
        self.failures = {}  # by path: statuses to answer first
        self.cut_after = {}  # by path: bytes of the body after which the connection breaks
        self.redirects = {}  # by path: another URL
        self.kinds = {}  # by path: content type
        self.headers = {}  # by path: more headers
        self.ranges = True
        self.etags = True
        self.length = True
        self.seconds_a_block = 0.0
        self.seen = []
        self.address = ""

    def url(self, path):
        return f"{self.address}{path}"

    def asked(self, path):
        return [headers for seen, headers in self.seen if seen == path]

    def hub(self, name, files, page=1000, prefix="/hub"):
        """Files of a data set as the Hugging Face hub serves them."""
        import hashlib

        entries = [
            {"type": "file", "path": path, "size": len(content), "lfs": {"oid": hashlib.sha256(content).hexdigest()}}
            for path, content in files.items()
        ]
        tree = f"{prefix}/api/datasets/{name}/tree/main?recursive=true"
        for start in range(0, max(len(entries), 1), page):
            address = tree if start == 0 else f"{tree}&cursor={start}"
            self.files[address] = json.dumps(entries[start : start + page]).encode()
            self.kinds[address] = "application/json"
            if start + page < len(entries):
                self.headers[address] = {"Link": f'<{self.url(tree)}&cursor={start + page}>; rel="next"'}
        for path, content in files.items():
            self.files[f"{prefix}/datasets/{name}/resolve/main/{path}"] = content


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        site = self.server.site
        path = re.sub(r"^http://[^/]+", "", self.path)  # a proxy is asked for the whole URL
        site.seen.append((path, dict(self.headers)))
        if site.failures.get(path):
            return self.send_error(site.failures[path].pop(0))
        if path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if path not in site.files:
            return self.send_error(404)
        content = site.files[path]
        tag = f'"{hash(content)}"'
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and site.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(wanted[1])
            if start >= len(content):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if site.etags:
            self.send_header("ETag", tag)
        if site.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", site.kinds.get(path, "application/octet-stream"))
        for name, value in site.headers.get(path, {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = not site.length
        end = min(len(content), start + site.cut_after.get(path, len(content)))
        for i in range(start, end, 1 << 14):
            self.wfile.write(content[i : min(i + (1 << 14), end)])
            if site.seconds_a_block:
                time.sleep(site.seconds_a_block)
        if end < len(content):
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = Site()
        self.site.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # clients are killed here


@contextmanager
def serve():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.site
        finally:
            server.shutdown()

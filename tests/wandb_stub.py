"""A W&B server on loopback: what a run with pictures and `wandb sync` need of it. It misbehaves on request."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0" * 40  # W&B takes any 40 characters for a key


class Wandb:
    """What the server was told. `mode`: ok, silent (takes requests, never answers), or an HTTP status to answer."""

    def __init__(self):
        self.mode: str | int = "ok"
        self.address = ""
        self.rows = {}  # by run id: history rows by their offset
        self.files = {}  # by (run id, name): bytes
        self.alerts = []  # variables of the mutation
        self.runs = []  # variables of each upsert
        self.exit_codes = {}  # by run id
        self.summaries = {}  # by run id
        self.requests = 0  # whatever the mode
        self.sweep = ""  # the YAML of a sweep
        self.heartbeat = lambda running: [{"type": "exit"}]  # ids of the runs that an agent has running -> commands

    def steps(self, run_id):
        """The steps of the history rows, in their order."""
        return [row["_step"] for _, row in sorted(self.rows.get(run_id, {}).items())]

    @property
    def environment(self):
        """What a process needs to talk to it."""
        return {"WANDB_BASE_URL": self.address, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}

    def graphql(self, query, variables):
        """The answer's data, whatever is not known being null."""
        if "upsertBucket" in query:
            self.runs.append({name: value for name, value in variables.items() if value is not None})
            bucket = self.bucket(variables["name"], variables.get("project") or "p")
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if "createRunFiles" in query:
            run = variables["run"]
            files = [{"name": name, "uploadUrl": f"{self.address}/put/{run}/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}
        if "notifyScriptableRunAlert" in query:
            self.alerts.append(variables)
            return {"notifyScriptableRunAlert": {"success": True}}
        if "SweepWithRuns" in query:
            return {"project": {"sweep": {"name": variables["sweep"], "config": self.sweep, "runs": {"edges": []}}}}
        if "CreateAgent" in query:
            return {"createAgent": {"agent": {"id": "an-agent"}}}
        if "agentHeartbeat" in query:
            commands = json.dumps(self.heartbeat(list(json.loads(variables["runState"]))))
            return {"agentHeartbeat": {"agent": {"id": "an-agent"}, "commands": commands}}
        if "RunResumeStatus" in query:
            project = {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": "me"}}
            return {"model": {**project, "bucket": self.resumed(variables["name"])}}
        if "viewer" in query:
            return {"viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        return {"serverInfo": {"features": []}}

    def bucket(self, run_id, project="p"):
        project = {"id": "p", "name": project, "entity": {"id": "e", "name": "me"}}
        return {"id": f"id-{run_id}", "name": run_id, "displayName": run_id, "project": project, "historyLineCount": 0}

    def resumed(self, run_id):
        """What a run that the server knows goes on from."""
        rows = [row for _, row in sorted(self.rows.get(run_id, {}).items())]
        if not any(run["name"] == run_id for run in self.runs):
            return None
        return {
            **self.bucket(run_id),
            "summaryMetrics": "{}",
            "logLineCount": 0,
            "historyLineCount": len(rows),
            "eventsLineCount": 0,
            "historyTail": json.dumps([json.dumps(row) for row in rows[-1:]]),
            "eventsTail": "[]",
            "config": "{}",
            "tags": [],
            "notes": None,
            "wandbConfig": '{"t": 1}',
        }

    def stream(self, run_id, body):
        history = body.get("files", {}).get("wandb-history.jsonl", {"content": [], "offset": 0})
        for i, line in enumerate(history["content"]):
            self.rows.setdefault(run_id, {})[history["offset"] + i] = json.loads(line)
        for line in body.get("files", {}).get("wandb-summary.json", {"content": []})["content"]:
            self.summaries[run_id] = json.loads(line)
        if body.get("complete"):
            self.exit_codes[run_id] = body.get("exitcode")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    server: "Server"

    def log_message(self, *arguments):
        pass

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        wandb = self.server.wandb
        wandb.requests += 1
        if wandb.mode == "silent":
            self.server.closing.wait()
            self.close_connection = True
            return None
        if wandb.mode != "ok":
            return self.send_error(int(wandb.mode))
        answer = {}
        with self.server.lock:
            if self.path.startswith("/put/"):
                _, _, run, name = self.path.split("/", 3)
                wandb.files[run, name] = body
            elif self.path.endswith("/file_stream"):
                wandb.stream(self.path.split("/")[-2], json.loads(body))
            elif self.path.endswith("/graphql"):
                request = json.loads(body)
                answer = {"data": wandb.graphql(request["query"], request.get("variables", {}))}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = handle_request


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wandb, self.lock, self.closing = Wandb(), threading.Lock(), threading.Event()
        self.wandb.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # clients give up here


@contextmanager
def serve_wandb():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.wandb
        finally:
            server.closing.set()
            server.shutdown()

#!/usr/bin/env python3
"""A dashboard of a run, from podctl's events alone (docs/events.md). It needs nothing but Python.

    podctl up pod.yaml --json | python3 dashboard.py       # on port 8080, or the one that is named
"""
import http.server
import json
import sys
import threading

PAGE = """<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><title>podctl</title>
<style>body{font:16px system-ui;margin:2em auto;max-width:50em;padding:0 1em;color-scheme:light dark}
progress{width:100%}li{margin:.5em 0}</style><h1 id=run>…</h1><ul id=steps></ul><pre id=log></pre><script>
const line = (step, it) => {
  const item = document.createElement("li");
  item.textContent = `${step}: ${it.state}${it.text ? ", " + it.text : ""}`;
  if (it.state === "running" && it.total) {
    const bar = document.createElement("progress");
    bar.value = it.done; bar.max = it.total; item.append(bar);
  }
  return item;
};
setInterval(async () => {
  const seen = await (await fetch("events")).json();
  run.textContent = seen.run;
  steps.replaceChildren(...Object.entries(seen.steps).map(([step, it]) => line(step, it)));
  log.textContent = seen.log.join("\\n");
}, 1000)</script>"""
STATES = {"step.started": "running", "step.progress": "running", "step.retrying": "waiting", "step.skipped": "kept",
          "step.not_run": "not run", "step.finished": "done", "step.failed": "failed", "service.started": "starting",
          "service.ready": "ready", "service.exited": "ended", "service.restarting": "restarting",
          "node.failed": "failed"}
seen = {"run": "waiting for podctl", "steps": {}, "log": []}


def text_of(event):
    if event["event"] == "step.progress":
        left = "" if event["eta"] is None else f", {event['eta']} s left"
        return f"{event['done']} of {event['total'] or '?'} {event['unit']}{left} {event['detail']}"
    if event["event"] == "step.failed":
        return f"{event['error']['message']} {event['error']['hint']}"
    return event.get("reason") or event.get("url") or ""


def take(event):
    name = event["event"]
    if name == "run.started":
        seen["run"] = f"{event['template']} in {event['root']}"
    elif name == "run.finished":
        seen["run"] = f"{'done' if event['ok'] else 'failed'} after {event['seconds']:.0f} s"
    elif name == "error":
        seen["run"] = event["error"]["message"]
    elif name in STATES:
        seen["steps"][event["step"]] = {"state": STATES[name], "text": text_of(event),
                                        "done": event.get("done"), "total": event.get("total")}
    elif name in ("log", "notice"):
        seen["log"] = [*seen["log"], event.get("line") or event.get("message")][-200:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_page = self.path == "/"
        body = (PAGE if is_page else json.dumps(seen)).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def follow():
    for line in sys.stdin:
        take(json.loads(line))


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8080), Handler)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
threading.Thread(target=follow, daemon=True).start()
server.serve_forever()

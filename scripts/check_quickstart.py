"""Brings the quickstart's pod up as a user does, tries it, and takes it down. scripts/quickstart --check calls it.

usage: check_quickstart.py PODCTL [OPTION...]      with QUICKSTART_ROOT in the environment
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

TEMPLATE = "templates/quickstart.yaml"
NODE = "QuickstartTint"
DEADLINE = 600  # seconds for the whole of it: the first run downloads packages
STOP_DEADLINE = 60


def get(url, data=None):
    with urllib.request.urlopen(url, data=data, timeout=30) as answer:
        return answer.read(), answer.headers


def get_json(url, data=None):
    return json.loads(get(url, data)[0])


def expect(condition, what):
    if not condition:
        raise SystemExit(f"quickstart: FAILED: {what}")
    print(f"quickstart: ok: {what}", flush=True)


def url_when_ready(process):
    """Reads podctl's events until ComfyUI answers; its URL."""
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] in ("step.failed", "node.failed"):
            print(line, end="", file=sys.stderr)
        if event["event"] == "service.ready":
            return event["url"].rstrip("/")
    raise SystemExit(f"quickstart: FAILED: podctl ended with {process.wait()} before it was ready")


def run_workflow(url, root):
    with open(os.path.join(root, "quickstart", "smoke.json"), encoding="utf-8") as file:
        prompt = json.load(file)
    prompt_id = get_json(f"{url}/prompt", json.dumps({"prompt": prompt}).encode())["prompt_id"]
    end = time.monotonic() + 30
    while not (history := get_json(f"{url}/history/{prompt_id}")) and time.monotonic() < end:
        time.sleep(0.1)
    entry = history[prompt_id]
    expect(entry["status"]["status_str"] == "success", "a workflow runs")
    image = entry["outputs"]["3"]["images"][0]
    body, _ = get(f"{url}/view?filename={image['filename']}&subfolder={image['subfolder']}&type={image['type']}")
    expect(body.startswith(b"\x89PNG"), "and makes an image")


def processes_of(root):
    """Processes that were started from the root: their command lines, by pid."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if int(pid) != os.getpid() and (root in line or where.startswith(root)):
            found[int(pid)] = line.strip()
    return found


def try_pod(url, root):
    expect(get_json(f"{url}/system_stats")["system"]["comfyui_version"], f"{url}/system_stats answers")
    expect(get(f"{url}/")[1]["Access-Control-Allow-Origin"] == "*", "with the CORS header")
    expect(NODE in get_json(f"{url}/object_info"), f"/object_info has the custom node {NODE}")
    run_workflow(url, root)


def smoke(podctl, url, root):
    command = [podctl, "smoke", TEMPLATE, "--url", url, "--root", root]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode


def stop(process):
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def plan(podctl, root, options):
    command = [podctl, "plan", TEMPLATE, "--root", root, *options]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode


def end_all(root):
    """A podctl that had to be killed leaves its services."""
    for pid in processes_of(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main():
    podctl, options = sys.argv[1], sys.argv[2:]
    root = os.environ["QUICKSTART_ROOT"]
    try:
        try_root(podctl, root, options)
    finally:
        end_all(root)


def try_root(podctl, root, options):
    expect(plan(podctl, root, options) == 10, "plan says that there is something to do")
    process = subprocess.Popen([podctl, "up", TEMPLATE, "--root", root, "--output", "json", *options],
                               stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(DEADLINE, stop, [process])
    watchdog.start()
    try:
        url = url_when_ready(process)
        # What comes later is read too: a full pipe would stop podctl.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try_pod(url, root)
        expect(smoke(podctl, url, root) == 0, "podctl smoke runs the template's workflow")
        process.send_signal(signal.SIGTERM)
        # Ended by exit code 128 + 15, or by the signal itself: a shell shows 143 for both.
        expect(process.wait(timeout=STOP_DEADLINE) in (143, -signal.SIGTERM), "SIGTERM ends it with 143")
    finally:
        watchdog.cancel()
        stop(process)
    host, port = url.split("//")[1].split("/")[0].rsplit(":", 1)
    with socket.socket() as probe:
        expect(probe.connect_ex((host, int(port))) != 0, "nothing listens any more")
    expect(not processes_of(root), "no process is left")
    expect(plan(podctl, root, options) == 0, "plan says that there is nothing to do")


main()

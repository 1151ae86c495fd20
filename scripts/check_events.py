"""Checks what podctl prints with --json against the JSON Schema, with a validator that is not podctl's own.

usage: check_events.py SCHEMA PODCTL
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from jsonschema import Draft202012Validator

TEMPLATE = """apiVersion: podctl/v1
name: pod
services:
  - {name: web, command: [sh, -c, "echo hello"], restart: never}
"""
COMMANDS = [
    ["validate", "good.yaml"], ["validate", "bad.yaml"], ["config", "good.yaml"], ["templates"],
    ["init", "comfyui", "-o", "new.yaml"], ["models"], ["models", "--yaml", "sd15"], ["no-such-command"],
    ["plan", "good.yaml", "--root", "root"], ["doctor", "good.yaml", "--root", "root"],
    ["up", "good.yaml", "--root", "root"], ["logs", "--root", "root"], ["status", "--root", "root"],
    ["down", "--root", "root"], ["restart", "--root", "root"],
    ["store", "list", "--store", "root"], ["get", "file:///no-such-file", "."],
]


def dashboard_fault(lines):
    """What the example of a dashboard makes of a run's events; None: what it should."""
    script = pathlib.Path(__file__).parent.parent / "docs/examples/dashboard.py"
    with subprocess.Popen([sys.executable, script, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as shown:
        try:
            url = shown.stdout.readline().strip()
            shown.stdin.write("".join(line + "\n" for line in lines))
            shown.stdin.flush()
            told, deadline = {}, time.monotonic() + 30
            while not told.get("run", "").startswith("done after") and time.monotonic() < deadline:
                with urllib.request.urlopen(url + "events", timeout=10) as answer:
                    told = json.load(answer)
            fits = told["run"].startswith("done after") and told["steps"]["service:web"]["state"] == "ended"
            return None if fits and "hello" in told["log"] else f"the dashboard shows {told}"
        finally:
            shown.kill()


def main():
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    podctl = pathlib.Path(sys.argv[2]).resolve()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    seen, failed = set(), False
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "good.yaml").write_text(TEMPLATE, encoding="utf-8")
        pathlib.Path(folder, "bad.yaml").write_text("apiVersion: podctl/v1\nname: POD\n", encoding="utf-8")
        for command in COMMANDS:
            printed = subprocess.run([podctl, *command, "--json"], cwd=folder, stdout=subprocess.PIPE,
                                     env={"PATH": "/usr/bin:/bin", "HOME": folder, "PODCTL_LOCAL": folder + "/local"},
                                     stderr=subprocess.DEVNULL, text=True, timeout=120, check=False).stdout
            if not printed:
                print(f"{' '.join(command)}: prints nothing", file=sys.stderr)
                failed = True
            if command[0] == "up" and (fault := dashboard_fault(printed.splitlines())):
                print(fault, file=sys.stderr)
                failed = True
            for line in printed.splitlines():
                event = json.loads(line)
                seen.add(event.get("event"))
                for error in validator.iter_errors(event):
                    print(f"{' '.join(command)}: {line}\n  {error.message}", file=sys.stderr)
                    failed = True
    print(f"{len(seen)} kinds of events of {len(schema['$defs'])} were seen: {', '.join(sorted(seen))}")
    sys.exit(1 if failed else 0)


main()

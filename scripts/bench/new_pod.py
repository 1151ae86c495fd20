#!/usr/bin/env python3
"""Measures how soon a pod answers: on a volume, beside the same on a local disk, in one run.

  scripts/bench/new_pod.py TEMPLATE --disk DIR --volume DIR [--remount COMMAND] [options] [-- OPTIONS OF up...]

For each place a folder of its own is made in DIR, and the pod is brought up until ComfyUI answers:
  first          nothing is there: no checkout, no environment, no cache of the installer
  second         once more in the same container
  new pod        the pod's own folder is gone and every cache of the kernel empty, as in a new container on the old
                 volume; on the local disk, which is the container's own, that is a restart with empty caches
COMMAND has to mount the volume anew (or empty its client's caches) and is run before each row `new pod` of it.

Prints Markdown. The aim: the first `up` on the volume takes at most 1.4 times the disk's, a new pod at most 1.3 times the
disk's restart. Exit: 0 measured, however long it took; 1 a pod did not answer; 2 usage. Root, for
the caches.
"""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
ROWS = ("first", "second", "new pod")


class Pod:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.root, self.local = folder / "root", None

    def up(self, wait_for_snapshot):
        """Seconds until everything is ready, and those of each step that took one or more."""
        command = [self.options.podctl, "up", self.options.template, "--root", self.root, "--local", self.local,
                   "--output", "json", *self.options.up]  # fmt: skip
        began, steps, ready = time.monotonic(), {}, None
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        said = []
        for line in process.stdout:
            said.append(line)
            event = json.loads(line)
            if event["event"] != "step.finished":
                continue
            if event["seconds"] >= 1:
                steps[event["step"]] = event["seconds"]
            if event["step"] == "launch":
                ready = time.monotonic() - began
                break
        if ready is None:
            process.wait()
            raise SystemExit("new_pod.py: the pod did not answer:\n" + "".join(said[-15:]))
        if wait_for_snapshot:
            self.wait_for_snapshot(process)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        return ready, steps

    def wait_for_snapshot(self, process):
        while process.poll() is None and not list((self.root / ".podctl/environments").glob("*.json")):
            time.sleep(0.1)


def resolved(path):
    return pathlib.Path(path).resolve()


def empty_caches(remount):
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    if remount:
        subprocess.run(shlex.split(remount), check=True, stdout=subprocess.DEVNULL)


def measure(options, place, where, results):
    on_volume = place == "volume"
    with tempfile.TemporaryDirectory(dir=options.disk, prefix="podctl-bench.") as own:
        folder = pathlib.Path(tempfile.mkdtemp(dir=where, prefix="podctl-bench."))
        try:
            pod = Pod(options, folder)
            for row in ROWS:
                pod.local = pathlib.Path(own, "local")
                if row == "new pod":
                    if on_volume:
                        shutil.rmtree(pod.local)
                    empty_caches(options.remount if on_volume else "")
                took, steps = pod.up(wait_for_snapshot=on_volume and row == "first")
                results.setdefault((row, place), []).append(took)
                listed = ", ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
                print(f"{place}, {row}: {took:.1f} s ({listed})", file=sys.stderr, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template", type=resolved)
    parser.add_argument("--disk", type=resolved, required=True)
    parser.add_argument("--volume", type=resolved, required=True)
    parser.add_argument("--remount", default="")
    parser.add_argument("--podctl", type=resolved, default=REPOSITORY / "build/release/podctl")
    parser.add_argument("--runs", type=int, default=1)
    arguments = sys.argv[1:]
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:at])
    options.up = arguments[at + 1 :]
    if os.geteuid():
        parser.error("only root can empty the kernel's caches")
    results = {}
    for _ in range(options.runs):
        for place, where in (("disk", options.disk), ("volume", options.volume)):
            measure(options, place, where, results)
    print("| ready after | local disk | volume | times |\n|---|---|---|---|")
    for row in ROWS:
        disk, volume = (statistics.median(results[row, place]) for place in ("disk", "volume"))
        print(f"| {row} | {disk:.1f} s | {volume:.1f} s | {volume / disk:.2f} |")


main()

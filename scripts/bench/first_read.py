#!/usr/bin/env python3
"""Measures how soon a model that is downloaded now has been read once, as ComfyUI reads it at its first use.

  scripts/bench/first_read.py [--disk DIR] [--volume DIR] [--before BINARY] [options]

A file comes from nginx on loopback to a new folder in DIR, and is then read from its begin to its end. What counts is
the sum: a download that goes past the page cache may be the quicker one, and its first read comes from the disk. podctl
verifies and syncs what it brings; curl does neither, and the same with sha256sum is beside it. All ways go in turn, in
one run. BINARY is another podctl to compare with.

Prints Markdown. Exit: 0 measured; 1 a downloader failed; 2 usage, or a tool lacks.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import download
from download import MIB, say

TOOLS = {"nginx": "nginx-light", "curl": "curl", "sha256sum": "coreutils"}  # program: apt package


def timed(commands, folder):
    began = time.monotonic()
    for command in commands:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=folder, check=False
        )
        if done.returncode:
            raise download.Failed(f"{' '.join(command)}\nexit {done.returncode}: {done.stdout}{done.stderr}")
    return time.monotonic() - began


def first_read(path):
    """As read(2) with large blocks, which is what loaders do that do not map."""
    buffer = bytearray(4 * MIB)
    began = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.monotonic() - began


def measure(options, place, where, url, digest, results):
    name = url.rsplit("/", 1)[1]
    curl = ["curl", "-sSf", "-o", name, url]
    ways = {
        "podctl get --sha256": [download.podctl_get(options.podctl, "--allow-pickle", "--sha256", digest, url, ".")]
    }
    if options.before:
        ways["podctl before"] = [download.podctl_get(options.before, "--allow-pickle", "--sha256", digest, url, ".")]
    ways |= {
        "curl": [curl],
        "curl, then sha256sum": [curl, ["sh", "-c", f"echo '{digest}  {name}' | sha256sum -c --quiet"]],
    }
    for turn in range(options.runs + 1):
        for way, commands in ways.items():
            folder = pathlib.Path(tempfile.mkdtemp(dir=where, prefix="podctl-bench."))
            try:
                os.sync()  # nothing of before is still being written
                took = timed(commands, folder)
                read = first_read(folder / name)
            finally:
                shutil.rmtree(folder)
            say(f"{place}, {way}, {'warm-up' if turn == 0 else turn}: {took:.2f} + {read:.2f} s")
            if turn > 0:
                results[place, way].append((took, read))


def show(results, size):
    print(f"\n{size / MIB:.0f} MiB, {len(next(iter(results.values())))} runs in turn after a warm-up, medians:\n")
    print("| to | way | download | first read | both | least-most |\n|---|---|---|---|---|---|")
    for (place, way), runs in results.items():
        both = [took + read for took, read in runs]
        took, read = (statistics.median(column) for column in zip(*runs))
        middle = statistics.median(both)
        row = (place, way, f"{took:.2f} s", f"{read:.2f} s", f"{middle:.2f} s", f"{min(both):.2f}-{max(both):.2f}")
        print(f"| {' | '.join(row)} |")


def machine(options):
    memory = re.search(r"MemAvailable: *(\d+)", pathlib.Path("/proc/meminfo").read_text())
    kinds = subprocess.run(
        ["stat", "-f", "-c", "%T", *map(str, options.places.values())], capture_output=True, text=True, check=True
    )
    told = ", ".join(f"{kind} as {place}" for place, kind in zip(options.places, kinds.stdout.split()))
    print(f"{os.cpu_count()} cores, {int(memory[1]) / 1024 / 1024:.0f} GiB of memory available, {told}, "
          f"load {os.getloadavg()[0]:.1f} at the start.")  # fmt: skip


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--volume", type=pathlib.Path, metavar="DIR")
    parser.add_argument(
        "--podctl", type=pathlib.Path, default=download.REPOSITORY / "build/release/podctl", metavar="BINARY"
    )
    parser.add_argument("--before", type=pathlib.Path, metavar="BINARY")
    parser.add_argument("--size", type=download.size, default=2 << 30, help="of the file (2GiB)")
    parser.add_argument("--runs", type=int, default=3, help="of every row, after a warm-up (3)")
    parser.add_argument("--work", type=pathlib.Path, help="where the served file is (a new folder in $TMPDIR)")
    options = parser.parse_args()
    options.places = {name: getattr(options, name) for name in ("disk", "volume") if getattr(options, name)}
    if not options.places:
        parser.error("--disk DIR, --volume DIR, or both")
    if lacking := [package for program, package in TOOLS.items() if not shutil.which(program)]:
        parser.error(f"apt-get install {' '.join(lacking)}")
    for binary in filter(None, (options.podctl, options.before)):
        if not shutil.which(binary):
            parser.error(f"no {binary}: scripts/quickstart builds one; or --podctl BINARY")
    options.podctl = options.podctl.resolve()
    options.before = options.before and options.before.resolve()
    return options


def main():
    options, results = arguments(), collections.defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="podctl-bench.", dir=options.work) as folder:
        work = pathlib.Path(folder).resolve()
        files = work / "files"
        files.mkdir()
        digest = download.make_file(files / "model.bin", options.size)
        machine(options)
        with download.nginx(work, files) as origin:
            for place, where in options.places.items():
                measure(options, place, where, f"{origin}/model.bin", digest, results)
    show(results, options.size)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except download.Failed as failure:
        say(f"first_read.py: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

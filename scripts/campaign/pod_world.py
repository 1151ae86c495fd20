"""What the pods of pod_faults.py are made of: git repositories, wheels, models, a registry, and one server of them all.

Everything is small, made by this file and served from loopback, so that a pod with every kind of step is up in
seconds. There are two editions of what a template can ask for, "v1" and "v2": going from one to the other changes a
checkout, the packages, a model, a pack of the registry and a copied pack.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import random
import re
import subprocess
import threading
import time
import zipfile

MIB = 1 << 20
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost", "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}  # fmt: skip

# The stand-in for ComfyUI imports every package, so that a hole in the environment ends it.
COMFYUI = '''"""A stand-in for ComfyUI, edition {edition}."""
import argparse, http.server, importlib, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
args, _ = parser.parse_known_args()
for line in pathlib.Path("requirements.txt").read_text().split():
    importlib.import_module(line.split("=")[0]).check()
time.sleep(0.3)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{{"system": {{"comfyui_version": "0.3.64"}}, "devices": []}}')
    def log_message(self, *words):
        print(*words, flush=True)
print("To see the GUI go to: http://127.0.0.1:%d" % args.port, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Answer).serve_forever()
'''
APP = """import http.server, sys
import ownpack
ownpack.check()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
# Not atomic, and slow enough to be killed in the middle.
INSTALL = """import importlib, pathlib, time
importlib.import_module("nodepack").check()
with open("installed.txt", "w") as file:
    file.write("first half\\n")
    file.flush()
    time.sleep(0.3)
    file.write("second half\\n")
print("installed")
"""
MODULE = """import hashlib, importlib.resources
def check():
    data = importlib.resources.files(__package__).joinpath("data.bin").read_bytes()
    assert hashlib.sha256(data).hexdigest() == {digest!r}, __package__
"""


def luck_of(name):
    return random.Random(name)


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=os.environ | GIT, stdout=subprocess.DEVNULL)


def write_files(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_repository(folder, *editions):
    """One commit and tag for each edition: v1, v2, …"""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for number, files in enumerate(editions, 1):
        write_files(folder, files)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", f"v{number}")
        git(folder, "tag", f"v{number}")


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def wheel(name, version, size):
    data = luck_of(f"{name}{version}").randbytes(size)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": MODULE.format(digest=hashlib.sha256(data).hexdigest()),
        f"{name}/data.bin": data,
        **{f"{name}/part{i}.py": f"number = {i}\n" * 40 for i in range(25)},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: campaign\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-check = {name}:check\n",
    }
    rows = []
    for path, content in files.items():
        content = content if isinstance(content, bytes) else content.encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}\n")
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    return f"{name}-{version}-py3-none-any.whl", zipped(files)


def safetensors(seed, size):
    header = json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + luck_of(seed).randbytes(size)


class World:
    """The server, and where its things are. `rate`: bytes a second for each download."""

    def __init__(self, folder, rate=8 * MIB):
        self.folder, self.rate = pathlib.Path(folder), rate
        self.requests = 0
        self.make_repositories()
        self.files = {f"{name}.safetensors": safetensors(name, size) for name, size in
                      (("one", 3 * MIB), ("two", 2 * MIB), ("two-v2", 2 * MIB), ("three", 5 * MIB))}  # fmt: skip
        self.files["extra.zip"] = zipped(
            {f"inner/{i}.safetensors": safetensors(f"zip{i}", 20_000) for i in range(40)}
        )
        for version in ("1.0.0", "1.1.0"):
            self.files[f"pack-r-{version}.zip"] = zipped(
                {"__init__.py": f"VERSION = {version!r}\n", **{f"nodes/n{i}.py": f"N = {i}\n" for i in range(30)}}
            )
        self.wheels = dict(
            wheel(name, version, size)
            for name, version, size in (
                ("alpha", "1.0", MIB), ("beta", "1.0", MIB), ("beta", "2.0", MIB), ("gamma", "2.0", MIB // 2),
                ("nodepack", "1.0", MIB // 2), ("plain", "1.0", 1000), ("ownpack", "1.0", MIB // 2),
            )  # fmt: skip
        )
        world = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                world.answer(self)

            do_POST = do_HEAD = do_GET

        # A client that is killed hangs up in the middle: nothing to tell of.
        quiet = type("Server", (http.server.ThreadingHTTPServer,), {"handle_error": lambda *_: None})
        self.server = quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def make_repositories(self):
        repositories = self.folder / "git"
        more = {f"nodes/n{i}.py": f"N = {i}\n" * 50 for i in range(60)}
        make_repository(
            repositories / "ComfyUI.git",
            {"main.py": COMFYUI.format(edition=1), "requirements.txt": "alpha==1.0\nbeta==1.0\n",
             "models/checkpoints/put_checkpoints_here": "", "custom_nodes/example_node.py.example": "", **more},
            {"main.py": COMFYUI.format(edition=2), "requirements.txt": "alpha==1.0\nbeta==2.0\ngamma==2.0\n"},
        )  # fmt: skip
        make_repository(
            repositories / "pack-a.git",
            {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n", "requirements.txt": "nodepack==1.0\n", "install.py": INSTALL},
            {"__init__.py": "NODE_CLASS_MAPPINGS = {}  # v2\n"},
        )
        make_repository(
            repositories / "extras.git",
            {"README.md": "extras\n", "app.py": APP, "requirements.txt": "ownpack==1.0\n"},
        )

    def answer(self, request):
        self.requests += 1
        path, _, query = request.path.partition("?")
        if path.startswith("/git/"):
            return self.answer_git(request, path[len("/git") :], query)
        if path.startswith("/files/") and (content := self.files.get(path[len("/files/") :])):
            return self.send_slowly(request, content)
        if path.startswith("/simple/"):
            return self.answer_index(request, path[len("/simple/") :].strip("/"))
        if match := re.fullmatch(r"/registry/nodes/pack-r/versions/([\d.]+)", path):
            version = {"version": match[1], "downloadUrl": f"{self.url}/files/pack-r-{match[1]}.zip",
                       "status": "NodeVersionStatusActive"}  # fmt: skip
            return self.send(request, json.dumps(version).encode(), "application/json")
        return self.send(request, b"no such thing", status=404)

    def answer_git(self, request, path, query):
        if request.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(request.rfile.readline(), 16):
                body += request.rfile.read(size)
                request.rfile.readline()
            request.rfile.readline()
        else:
            body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        done = subprocess.run(
            ["git", "http-backend"], input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **GIT, "GIT_PROJECT_ROOT": str(self.folder / "git"), "GIT_HTTP_EXPORT_ALL": "1",
                 "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""), "PATH_INFO": path, "QUERY_STRING": query,
                 "REQUEST_METHOD": request.command, "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                 "CONTENT_LENGTH": str(len(body)),
                 "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", "")},
        ).stdout  # fmt: skip
        head, _, content = done.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(fields.get("Status", "200").split()[0])
        self.send(request, content, fields.get("Content-Type", "text/plain"), status)

    def answer_index(self, request, path):
        if path in self.wheels:
            return self.send(request, self.wheels[path], "application/octet-stream")
        links = [
            f'<a href="../{name}#sha256={hashlib.sha256(content).hexdigest()}">{name}</a>\n'
            for name, content in self.wheels.items()
            if name.startswith(path + "-")
        ]
        return self.send(request, "".join(links).encode(), "text/html", 200 if links else 404)

    def send(self, request, content, kind="text/plain", status=200):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)

    def send_slowly(self, request, content):
        begin, end, wanted = 0, len(content), request.headers.get("Range")
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or ""):
            begin, end = int(match[1]), min(int(match[2]) + 1, end) if match[2] else end
        request.send_response(206 if match else 200)
        if match:
            request.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        request.send_header("Content-Length", str(end - begin))
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()[:16]}"')
        request.end_headers()
        if request.command == "HEAD":
            return
        started, step = time.monotonic(), 64 << 10
        try:
            for at in range(begin, end, step):
                request.wfile.write(content[at : min(at + step, end)])
                time.sleep(max(0, started + (at - begin) / self.rate - time.monotonic()))
        except OSError:
            request.close_connection = True

    def sha256(self, name):
        return hashlib.sha256(self.files[name]).hexdigest()

    def template(self, root, ports, installer, python):
        comfyui, app = ports
        return f"""\
apiVersion: podctl/v1
name: campaign
pod:
  volume: {{name: campaign, mount: "{root}"}}
repositories:
  - {{git: https://github.com/campaign/extras.git, path: extras}}
python:
  interpreter: {python}
  inherit: false
  torch: keep
  installer: {installer}
  index_url: {self.url}/simple/
  requirements: ["plain==1.0"]
comfyui:
  source: https://github.com/campaign/ComfyUI.git
  ref: v1
  path: ComfyUI
  port: {comfyui}
  listen: 127.0.0.1
  vram: cpu
  ready_timeout: 60s
models:
  - {{source: "{self.url}/files/one.safetensors", to: checkpoints, sha256: {self.sha256("one.safetensors")}}}
  - {{source: "{self.url}/files/two.safetensors", to: loras, name: two.safetensors}}
  - {{source: "{self.url}/files/extra.zip", to: embeddings, unpack: true}}
custom_nodes:
  - {{git: https://github.com/campaign/pack-a.git, ref: v1, install_script: true}}
  - {{registry: pack-r, version: 1.0.0}}
  - {{path: mine/copied}}
services:
  - name: app
    command: [python, app.py, "{app}"]
    cwd: extras
    requirements: [extras/requirements.txt]
    port: {app}
mirrors:
  https://github.com/campaign/: {self.url}/git/
  https://api.comfy.org: {self.url}/registry
"""

    def second_edition(self):
        return f"""\
comfyui: {{ref: v2}}
models:
  - {{source: "{self.url}/files/one.safetensors", to: checkpoints, sha256: {self.sha256("one.safetensors")}}}
  - {{source: "{self.url}/files/two-v2.safetensors", to: loras, name: two.safetensors, sha256: {self.sha256("two-v2.safetensors")}}}
  - {{source: "{self.url}/files/three.safetensors", to: checkpoints}}
  - {{source: "{self.url}/files/extra.zip", to: embeddings, unpack: true}}
custom_nodes:
  - {{git: https://github.com/campaign/pack-a.git, ref: v2, install_script: true}}
  - {{registry: pack-r, version: 1.1.0}}
  - {{path: mine/copied}}
"""

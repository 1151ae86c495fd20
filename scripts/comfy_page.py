"""ComfyUI's own page in headless Chromium, before a real server or before one that only has a stored /object_info: what
scripts/oracle compares podctl with."""
import collections
import contextlib
import http.server
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request

# What a page would show before the workflow, or in its place.
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Workflow.ShowMissingNodesWarning": False,
}
# Once started, the page has loaded its default workflow: only then it can take another one.
READY = """() => window.app?.extensionManager?.workflow?.activeWorkflow && !window.app.extensionManager.spinner
              && (window.app.rootGraph ?? window.app.graph)._nodes.length > 0"""
# Loads as the page does for an opened file and makes the prompt twice, with both ends of chance, so that what the page
# chooses by lot is told from what it computes. The page shows a dialog for a graph that cannot be configured, and goes
# on; here it is a fault.
PROMPT = """async ({text, name, limit}) => {
  const app = window.app, graph = app.rootGraph ?? app.graph, configure = graph.configure, random = Math.random
  let fault = null
  graph.configure = function (...given) {
    try { return configure.apply(this, given) } catch (error) { fault = error; throw error }
  }
  const make = async () => {
    await app.loadGraphData(JSON.parse(text), true, true, name)
    if (fault) throw fault
    const made = []
    for (const chance of [0, 0.999999]) {
      Math.random = () => chance
      made.push(JSON.stringify((await app.graphToPrompt()).output))
      Math.random = random
    }
    return {made}
  }
  const late = new Promise((_, refuse) => setTimeout(() => refuse(new Error(`no prompt within ${limit} ms`)), limit))
  try { return await Promise.race([make(), late]) }
  catch (error) { return {fault: String(error?.message ?? error)} }
  finally { Math.random = random; delete graph.configure }
}"""
PROMPT_LIMIT_MS = 60_000
# A page keeps something of every workflow, definitions of subgraphs for instance, and becomes slow.
WORKFLOWS_A_PAGE = 40


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetched(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


@contextlib.contextmanager
def real_server(checkout, python, page_files, folder, flags):
    """The URL of the ComfyUI of `checkout`, which writes below `folder` alone; it is ended with what it started."""
    port = free_port()
    for name in ("user", "input", "output", "temp"):
        (folder / name).mkdir()
    command = [python, "main.py", "--listen", "127.0.0.1", "--port", str(port), "--disable-auto-launch",
               "--front-end-root", page_files, "--database-url", f"sqlite:///{folder}/comfyui.db",
               "--user-directory", folder / "user", "--input-directory", folder / "input",
               "--output-directory", folder / "output", "--temp-directory", folder / "temp", *flags]  # fmt: skip
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, cwd=checkout, env=environment, start_new_session=True, text=True,
                               errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    listens, last = queue.Queue(), collections.deque(maxlen=30)

    def follow():
        for line in process.stdout:
            last.append(line)
            # What ComfyUI says once it listens.
            if "To see the GUI go to:" in line:
                listens.put(True)
        listens.put(False)

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        url = f"http://127.0.0.1:{port}"
        if not listens.get(timeout=600):
            raise SystemExit("oracle: ComfyUI did not start:\n" + "".join(last))
        fetched(url + "/system_stats")
        body = json.dumps(SETTINGS).encode()
        request = urllib.request.Request(url + "/settings", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=60).close()
        yield url
    finally:
        # The group is the server's own, and its number nobody else's while the server has not been waited for.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        follower.join()


def answers(object_info, version):
    """What a server without packs, users and models answers to a page, by path."""
    objects = ("/history", "/features", "/i18n", "/workflow_templates", "/global_subgraphs", "/node_replacements",
               "/internal/folder_paths")  # fmt: skip
    lists = ("/embeddings", "/models", "/experiment/models", "/userdata")
    return dict.fromkeys(objects, {}) | dict.fromkeys(lists, []) | {
        "/object_info": object_info,
        "/settings": SETTINGS,
        "/users": {"storage": "server", "migrated": True},
        "/system_stats": {
            "system": {"os": "posix", "ram_total": 0, "ram_free": 0, "comfyui_version": version, "python_version": "3",
                       "pytorch_version": "2", "embedded_python": False, "argv": ["main.py"]},
            "devices": [{"name": "cpu", "type": "cpu", "index": None, "vram_total": 0, "vram_free": 0,
                         "torch_vram_total": 0, "torch_vram_free": 0}],
        },
        "/prompt": {"exec_info": {"queue_remaining": 0}},
        "/queue": {"queue_running": [], "queue_pending": []},
        "/jobs": {"jobs": [], "pagination": {"offset": 0, "limit": 0, "total": 0, "has_more": False}},
        "/upload/image": {"name": "page.png", "subfolder": "", "type": "temp"},
    }


def pack_scripts(checkout):
    """The folders of JavaScript of the packs in a checkout, by the name under which ComfyUI serves each."""
    found = {}
    for start in sorted(checkout.glob("custom_nodes/*/__init__.py")) if checkout else ():
        for line in start.read_text(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "WEB_DIRECTORY":
                found[start.parent.name] = (start.parent / value.strip().strip("\"'")).resolve()
    return found


@contextlib.contextmanager
def stored_server(object_info, version, page_files, checkout=None):
    """The URL of a server that has no more than the page and what `object_info` (text) says of the classes."""
    known = {path: json.dumps(value).encode() for path, value in answers({}, version).items()}
    known["/object_info"] = object_info.encode()
    packs = pack_scripts(checkout)
    scripts = ["/" + str(file.relative_to(page_files)) for file in sorted(page_files.glob("extensions/**/*.js"))]
    for name, folder in packs.items():
        scripts += [f"/extensions/{name}/{file.relative_to(folder)}" for file in sorted(folder.glob("**/*.js"))]
    known["/extensions"] = json.dumps(scripts).encode()

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, file):
            """What is known of the path; else, for GET, the page's file."""
            body = known.get(self.path.partition("?")[0].removeprefix("/api"))
            if body is None and file:
                return super().do_GET()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")
            return None

        def do_GET(self):
            self.answer(file=True)

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer(file=False)

        def translate_path(self, path):
            parts = pathlib.PurePosixPath(path.partition("?")[0].removeprefix("/api")).parts
            if parts[1:2] == ("extensions",) and parts[2:3] and parts[2] in packs:
                return str(packs[parts[2]].joinpath(*(part for part in parts[3:] if part != "..")))
            return super().translate_path(path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: Handler(*given, directory=page_files))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Page:
    """The page of the server at `url`. With `is_stored` its WebSocket is answered here, as the server has none."""

    def __init__(self, browser, url, is_stored):
        self.browser, self.url, self.is_stored = browser, url, is_stored
        self.context, self.loaded = None, 0

    def start(self):
        if self.context:
            self.context.close()
        self.context, self.loaded = self.browser.new_context(), 0
        if self.is_stored:
            status = {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "oracle"}
            self.context.route_web_socket(
                "**/ws*", lambda socket: socket.send(json.dumps({"type": "status", "data": status})))
        self.page = self.context.new_page()
        self.page.goto(self.url)
        self.page.wait_for_function(READY, timeout=120_000)

    def prompts(self, text, name, is_fresh=False):
        """The two prompts that the page makes with either end of chance, and None; or None, and what it throws."""
        if is_fresh or not self.context or self.loaded == WORKFLOWS_A_PAGE:
            self.start()
        self.loaded += 1
        answer = self.page.evaluate(PROMPT, {"text": text, "name": name, "limit": PROMPT_LIMIT_MS})
        if "fault" in answer:
            return None, answer["fault"]
        made = [json.loads(text) for text in answer["made"]]
        for node in (node for prompt in made for node in prompt.values()):
            # It is undefined where the server lacks the class, and so not in the JSON; podctl says null.
            node.setdefault("class_type", None)
        return made, None


@contextlib.contextmanager
def browser():
    # From the environment that scripts/oracle makes.
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("oracle: no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        # Nothing but the server is asked; root has no sandbox.
        launched = playwright.chromium.launch(
            executable_path=chromium, chromium_sandbox=os.geteuid() != 0,
            args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])  # fmt: skip
        try:
            yield launched
        finally:
            launched.close()

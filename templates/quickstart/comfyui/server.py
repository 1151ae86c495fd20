"""ComfyUI's HTTP API, as far as a client needs it to run a graph. Every route also answers under /api."""
import email.parser
import email.policy
import html
import json
import logging
import mimetypes
import os
import platform
import shutil
import socket
import sys
import traceback
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import humanize

import folder_paths
import nodes
from comfy.cli_args import args
from execution import PromptQueue, validate

COMFYUI_VERSION = "0.3.64"
LOG = []  # the last lines, for /internal/logs/raw


class PromptServer:
    """What custom nodes expect to find here."""
    instance = None

    def __init__(self):
        PromptServer.instance = self
        self.client_id = None
        self.prompt_queue = PromptQueue()

    def send_sync(self, event, data, sid=None):
        logging.debug("no websocket here: %s dropped", event)


def memory():
    """(total, free) in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page


def system_stats():
    total, free = memory()
    device = {"name": "cpu", "type": "cpu", "index": None, "vram_total": total, "vram_free": free,
              "torch_vram_total": total, "torch_vram_free": free}
    return {"system": {"os": os.name, "ram_total": total, "ram_free": free, "comfyui_version": COMFYUI_VERSION,
                       "python_version": sys.version, "pytorch_version": "none (stand-in)",
                       "embedded_python": False, "argv": sys.argv},
            "devices": [device]}


def node_info(name):
    node = nodes.NODE_CLASS_MAPPINGS[name]
    inputs = node.INPUT_TYPES()
    returns = list(node.RETURN_TYPES)
    return {"input": inputs, "input_order": {group: list(names) for group, names in inputs.items()},
            "output": returns, "output_is_list": list(getattr(node, "OUTPUT_IS_LIST", [False] * len(returns))),
            "output_name": list(getattr(node, "RETURN_NAMES", returns)), "name": name,
            "display_name": nodes.NODE_DISPLAY_NAME_MAPPINGS.get(name, name),
            "description": getattr(node, "DESCRIPTION", ""),
            "python_module": getattr(node, "RELATIVE_PYTHON_MODULE", "nodes"),
            "category": getattr(node, "CATEGORY", "sd"), "output_node": bool(getattr(node, "OUTPUT_NODE", False))}


def object_info(names):
    out = {}
    for name in names:
        try:
            out[name] = node_info(name)
        except Exception:
            logging.error("[ERROR] An error occurred while retrieving information for the '%s' node.", name)
            logging.error(traceback.format_exc())
    return out


def page():
    disk = shutil.disk_usage(folder_paths.base_path)
    rows = "".join(f"<li>{html.escape(n)} <small>{html.escape(getattr(c, 'RELATIVE_PYTHON_MODULE', 'nodes'))}</small></li>"
                   for n, c in sorted(nodes.NODE_CLASS_MAPPINGS.items()))
    return (f"<!doctype html><title>podctl quickstart</title><h1>It runs.</h1>"
            f"<p>A stand-in that speaks ComfyUI's API. Python {platform.python_version()}, "
            f"{humanize.naturalsize(memory()[1], binary=True)} of memory free, "
            f"{humanize.naturalsize(disk.free, binary=True)} of disk free.</p>"
            f"<p>Look at <a href=/system_stats>/system_stats</a> and <a href=/object_info>/object_info</a>.</p>"
            f"<h2>Nodes</h2><ul>{rows}</ul>")


class Refused(Exception):
    def __init__(self, status, message=""):
        super().__init__(message or f"{status}")
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ComfyUI-stand-in"

    # --- plumbing

    def log_message(self, *_):
        pass  # ComfyUI logs no requests

    def _answer(self, status, body=b"", content_type="text/plain; charset=utf-8", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if args.enable_cors_header:
            self.send_header("Access-Control-Allow-Origin", args.enable_cors_header)
            self.send_header("Access-Control-Allow-Methods", "POST, GET, DELETE, PUT, OPTIONS, PATCH")
            self.send_header("Access-Control-Allow-Headers", "Content-Type, Authorization")
            self.send_header("Access-Control-Allow-Credentials", "true")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value, status=200):
        self._answer(status, json.dumps(value, default=str).encode(), "application/json; charset=utf-8")

    def _body(self):
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if length < 0:
            raise Refused(400)
        if length > args.max_upload_size * 1024 * 1024:
            self.close_connection = True
            raise Refused(413)
        return self.rfile.read(length)

    def _cross_site(self):
        # Without CORS, a page of another site must not start work on a server on loopback.
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        if args.enable_cors_header or not host or not origin:
            return False
        name = urllib.parse.urlsplit("//" + host).hostname or ""
        loopback = name == "localhost" or name == "::1" or name.startswith("127.")
        return loopback and urllib.parse.urlsplit(origin).netloc.lower() != host.lower()

    def _dispatch(self, routes):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        if path.startswith("/api/"):
            path = path[4:]
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        body = None
        try:
            # Read before any answer: what stays unread would be taken for the next request.
            body = self._body() if self.command == "POST" else b""
            if self._cross_site():
                raise Refused(403)
            first, _, rest = path[1:].partition("/")
            handler = routes.get(path) or (routes.get(f"/{first}/*") if rest else None)
            if handler is None:
                raise Refused(404, "404: Not Found")
            handler(self, rest, query, body)
        except Refused as refused:
            self._answer(refused.status, str(refused).encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception:
            logging.error("Error handling request\n%s", traceback.format_exc())
            self._answer(500, b"500 Internal Server Error\n\nServer got itself in trouble")

    def do_GET(self):
        self._dispatch(GET)

    do_HEAD = do_GET

    def do_POST(self):
        self._dispatch(POST)

    def do_OPTIONS(self):
        self._answer(403 if self._cross_site() else 200)

    # --- routes: (rest of the path, query, body)

    def index(self, *_):
        self._answer(200, page().encode(), "text/html; charset=utf-8")

    def system_stats(self, *_):
        self._json(system_stats())

    def object_info(self, name, *_):
        self._json(object_info([n for n in nodes.NODE_CLASS_MAPPINGS if name in ("", n)]))

    def queue(self, *_):
        queue = PromptServer.instance.prompt_queue
        self._json({"queue_running": queue.running(), "queue_pending": queue.pending()})

    def queue_length(self, *_):
        queue = PromptServer.instance.prompt_queue
        self._json({"exec_info": {"queue_remaining": len(queue.running()) + len(queue.pending())}})

    def history(self, prompt_id, *_):
        self._json(PromptServer.instance.prompt_queue.history(prompt_id or None))

    def models(self, folder, *_):
        if folder and folder not in folder_paths.folder_names_and_paths:
            raise Refused(404)
        self._json(folder_paths.get_filename_list(folder) if folder else
                   [name for name in folder_paths.folder_names_and_paths if name != "custom_nodes"])

    def logs(self, *_):
        self._json({"entries": list(LOG), "size": {"cols": 80, "rows": 24}})

    def view(self, _, query, __):
        folder = folder_paths.get_directory_by_type(query.get("type", "output"))
        name = query.get("filename", "")
        if folder is None or not name or name.startswith("/") or ".." in name:
            raise Refused(400)
        path = folder_paths.inside(folder, query.get("subfolder", ""), os.path.basename(name))
        if path is None:
            raise Refused(403)
        if not os.path.isfile(path):
            raise Refused(404)
        with open(path, "rb") as file:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            # A quote or a line break in the name would end the header.
            safe = os.path.basename(path).encode("ascii", "replace").decode().translate({34: "_", 10: "_", 13: "_"})
            self._answer(200, file.read(), kind, [("Content-Disposition", f'filename="{safe}"')])

    def prompt(self, _, __, body):
        logging.info("got prompt")
        data = json.loads(body)  # what is no JSON ends in a 500, as in ComfyUI
        queue = PromptServer.instance.prompt_queue
        if "prompt" not in data:
            error = {"type": "no_prompt", "message": "No prompt provided", "details": "No prompt provided",
                     "extra_info": {}}
            self._json({"error": error, "node_errors": {}}, 400)
            return
        error, outputs, node_errors = validate(data["prompt"])
        if error:
            logging.warning("invalid prompt: %s", error)
            self._json({"error": error, "node_errors": node_errors}, 400)
            return
        number = float(data["number"]) if "number" in data else queue.next_number()
        prompt_id = str(data.get("prompt_id") or uuid.uuid4())
        extra = dict(data.get("extra_data") or {}, client_id=data.get("client_id"))
        queue.put(number, prompt_id, data["prompt"], extra, outputs)
        self._json({"prompt_id": prompt_id, "number": number, "node_errors": node_errors})

    def interrupt(self, *_):
        PromptServer.instance.prompt_queue.interrupt()
        self._answer(200)

    def free(self, *_):
        self._answer(200)

    def upload(self, _, __, body):
        head = b"Content-Type: " + self.headers.get("Content-Type", "").encode("latin-1") + b"\r\n\r\n"
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = {p.get_param("name", header="content-disposition"): p for p in message.iter_parts()}
        field = {n: p.get_payload(decode=True).decode("utf-8", "replace") for n, p in parts.items() if n != "image"}
        image = parts.get("image")
        name = os.path.basename((image.get_filename() if image else None) or "")
        kind, subfolder = field.get("type", "input"), field.get("subfolder", "")
        folder = folder_paths.get_directory_by_type(kind)
        path = folder_paths.inside(folder, subfolder, name) if folder and name else None
        if path is None:
            raise Refused(400)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if field.get("overwrite") not in ("1", "true"):
            stem, suffix = os.path.splitext(name)
            count = 1
            while os.path.exists(path):
                name = f"{stem} ({count}){suffix}"
                path = os.path.join(os.path.dirname(path), name)
                count += 1
        with open(path, "wb") as out:
            out.write(image.get_payload(decode=True))
        self._json({"name": name, "subfolder": subfolder, "type": kind})


GET = {"/": Handler.index, "/system_stats": Handler.system_stats, "/object_info": Handler.object_info,
       "/object_info/*": Handler.object_info, "/prompt": Handler.queue_length, "/queue": Handler.queue,
       "/history": Handler.history, "/history/*": Handler.history, "/models": Handler.models,
       "/models/*": Handler.models, "/view": Handler.view, "/internal/logs/raw": Handler.logs}
POST = {"/prompt": Handler.prompt, "/interrupt": Handler.interrupt, "/free": Handler.free,
        "/upload/image": Handler.upload}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, port):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Handler)

    def server_bind(self):
        # HTTPServer looks its own name up, which can take seconds without DNS.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address[:2]

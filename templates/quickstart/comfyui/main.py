import comfy.options

comfy.options.enable_args_parsing()

import datetime
import logging
import os
import shutil
import signal
import sys
import threading

import folder_paths
import nodes
import server
from comfy.cli_args import args


class KeepLines(logging.Handler):
    """Keeps the last 300 lines for /internal/logs/raw."""

    def emit(self, record):
        server.LOG.append({"t": datetime.datetime.now().isoformat(), "m": record.getMessage() + "\n"})
        del server.LOG[:-300]


def set_up_log():
    stream = logging.StreamHandler(sys.stdout if args.log_stdout else sys.stderr)
    logging.basicConfig(level=args.verbose, format="%(message)s", handlers=[stream, KeepLines()])


def say_hello():
    megabytes = server.memory()[0] // (1024 * 1024)
    logging.info("Total VRAM %d MB, total RAM %d MB", megabytes, megabytes)
    logging.info("Set vram state to: DISABLED")
    logging.info("Device: cpu")
    logging.info("Python version: %s", sys.version)
    logging.info("ComfyUI version: %s (stand-in)", server.COMFYUI_VERSION)


def main():
    set_up_log()
    for folder in (folder_paths.input_directory, folder_paths.output_directory):
        os.makedirs(folder, exist_ok=True)
    nodes.run_prestartup_scripts()
    say_hello()
    prompt_server = server.PromptServer()
    nodes.load_custom_nodes()
    if args.quick_test_for_ci:
        return
    shutil.rmtree(folder_paths.temp_directory, ignore_errors=True)
    os.makedirs(folder_paths.temp_directory)
    threading.Thread(target=prompt_server.prompt_queue.work, daemon=True).start()

    # The sockets are bound after all imports: an answer means ready.
    logging.info("Starting server\n")
    servers = [server.Server(address, args.port) for address in args.listen.split(",")]
    for address in args.listen.split(","):
        logging.info("To see the GUI go to: http://%s:%d", f"[{address}]" if ":" in address else address, args.port)
    for each in servers[1:]:
        threading.Thread(target=each.serve_forever, daemon=True).start()
    try:
        servers[0].serve_forever()
    except KeyboardInterrupt:
        logging.info("\nStopped server")
    shutil.rmtree(folder_paths.temp_directory, ignore_errors=True)


if __name__ == "__main__":
    # As in ComfyUI, TERM keeps its default action: the process ends at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main()

import argparse

import comfy.options

parser = argparse.ArgumentParser(description="A stand-in for ComfyUI")
parser.add_argument("--listen", default="127.0.0.1", nargs="?", const="0.0.0.0", metavar="IP")
parser.add_argument("--port", type=int, default=8188)
parser.add_argument("--enable-cors-header", default=None, nargs="?", const="*", metavar="ORIGIN")
parser.add_argument("--max-upload-size", type=float, default=100, metavar="MB")
parser.add_argument("--base-directory")
parser.add_argument("--output-directory")
parser.add_argument("--input-directory")
parser.add_argument("--temp-directory")
parser.add_argument("--disable-auto-launch", action="store_true")
parser.add_argument("--cuda-device", type=int)
vram = parser.add_mutually_exclusive_group()
vram.add_argument("--gpu-only", action="store_true")
vram.add_argument("--highvram", action="store_true")
vram.add_argument("--normalvram", action="store_true")
vram.add_argument("--lowvram", action="store_true")
vram.add_argument("--novram", action="store_true")
vram.add_argument("--cpu", action="store_true")
parser.add_argument("--reserve-vram", type=float, metavar="GB")
parser.add_argument("--preview-method", choices=["none", "auto", "latent2rgb", "taesd"], default="none")
parser.add_argument("--disable-metadata", action="store_true")
parser.add_argument("--disable-all-custom-nodes", action="store_true")
parser.add_argument("--whitelist-custom-nodes", nargs="+", default=[])
parser.add_argument("--disable-api-nodes", action="store_true")
parser.add_argument("--quick-test-for-ci", action="store_true")
parser.add_argument("--verbose", default="INFO", const="DEBUG", nargs="?",
                    choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
parser.add_argument("--log-stdout", action="store_true")

args = parser.parse_args(None if comfy.options.args_parsing else [])

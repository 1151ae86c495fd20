"""The built-in nodes, and how custom nodes are found and imported."""
import importlib.util
import json
import logging
import os
import sys
import time
import traceback
from dataclasses import dataclass

import png

import folder_paths
from comfy.cli_args import args

MAX_RESOLUTION = 4096


@dataclass
class Image:
    """Eight bits a channel, three channels, row by row. An IMAGE is a list of these."""
    width: int
    height: int
    pixels: bytes

    @property
    def rows(self):
        stride = self.width * 3
        return [self.pixels[y * stride:(y + 1) * stride] for y in range(self.height)]


class EmptyImage:
    @classmethod
    def INPUT_TYPES(cls):
        size = ("INT", {"default": 512, "min": 1, "max": MAX_RESOLUTION})
        return {"required": {"width": size, "height": size,
                             "batch_size": ("INT", {"default": 1, "min": 1, "max": 64}),
                             "color": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFF})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "generate"
    CATEGORY = "image"

    def generate(self, width, height, batch_size=1, color=0):
        return ([Image(width, height, color.to_bytes(3, "big") * (width * height))] * batch_size,)


class ImageInvert:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "invert"
    CATEGORY = "image"

    def invert(self, image):
        flip = bytes(255 - i for i in range(256))
        return ([Image(i.width, i.height, i.pixels.translate(flip)) for i in image],)


class LoadImage:
    @classmethod
    def INPUT_TYPES(cls):
        folder = folder_paths.get_input_directory()
        return {"required": {"image": (sorted(f for f in os.listdir(folder) if f.lower().endswith(".png")),)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "load_image"
    CATEGORY = "image"

    def load_image(self, image):
        path = folder_paths.inside(folder_paths.get_input_directory(), image)
        width, height, rows, _ = png.Reader(filename=path).asRGB8()
        return ([Image(width, height, b"".join(bytes(row) for row in rows))],)


class SaveImage:
    type = "output"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "ComfyUI"})},
                "hidden": {"prompt": "PROMPT"}}

    RETURN_TYPES = ()
    FUNCTION = "save_images"
    OUTPUT_NODE = True
    CATEGORY = "image"

    def save_images(self, images, filename_prefix="ComfyUI", prompt=None):
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_directory_by_type(self.type))
        results = []
        for image in images:
            file = f"{name}_{counter:05}_.png"
            self._write(os.path.join(folder, file), image, prompt)
            results.append({"filename": file, "subfolder": subfolder, "type": self.type})
            counter += 1
        return {"ui": {"images": results}}

    @staticmethod
    def _write(path, image, prompt):
        writer = png.Writer(image.width, image.height, greyscale=False)
        with open(path, "wb") as out:
            writer.write(out, image.rows)
        if prompt is None or args.disable_metadata:
            return
        # The graph travels in the file's "prompt" text chunk, as ComfyUI writes it.
        chunks = list(png.Reader(filename=path).chunks())
        chunks.insert(1, (b"tEXt", b"prompt\0" + json.dumps(prompt).encode("ascii")))
        with open(path, "wb") as out:
            png.write_chunks(out, chunks)


class PreviewImage(SaveImage):
    type = "temp"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"images": ("IMAGE",)}, "hidden": {"prompt": "PROMPT"}}


NODE_CLASS_MAPPINGS = {c.__name__: c for c in (EmptyImage, ImageInvert, LoadImage, SaveImage, PreviewImage)}
NODE_DISPLAY_NAME_MAPPINGS = {"SaveImage": "Save Image", "LoadImage": "Load Image", "PreviewImage": "Preview Image",
                              "ImageInvert": "Invert Image"}


def _execute_file(module_name, path):
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def load_custom_node(path, ignore):
    """Imports one pack or file. False, with the reason in the log, when it cannot be used."""
    is_file = os.path.isfile(path)
    name = os.path.splitext(os.path.basename(path))[0] if is_file else os.path.basename(path)
    try:
        module = _execute_file(path.replace(".", "_x_"), path if is_file else os.path.join(path, "__init__.py"))
    except Exception as error:
        logging.warning(traceback.format_exc())
        logging.warning("Cannot import %s module for custom nodes: %s", path, error)
        return False
    mappings = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if mappings is None:
        logging.warning("Skip %s module for custom nodes due to the lack of NODE_CLASS_MAPPINGS.", path)
        return False
    for key, node in mappings.items():
        if key not in ignore:
            NODE_CLASS_MAPPINGS[key] = node
            node.RELATIVE_PYTHON_MODULE = f"custom_nodes.{name}"
    NODE_DISPLAY_NAME_MAPPINGS.update(getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None) or {})
    return True


def custom_node_modules():
    """Paths of packs and single files, without what is switched off."""
    for root in folder_paths.get_folder_paths("custom_nodes"):
        for entry in os.listdir(os.path.realpath(root)):
            path = os.path.join(root, entry)
            if entry == "__pycache__" or entry.endswith(".disabled"):
                continue
            if os.path.isfile(path) and not entry.endswith(".py"):
                continue
            if args.disable_all_custom_nodes and entry not in args.whitelist_custom_nodes:
                logging.info("Skipping %s due to disable_all_custom_nodes and whitelist_custom_nodes", entry)
                continue
            yield path


def _report(title, word, times):
    if times:
        logging.info("\n%s times for custom nodes:", title)
        for seconds, path, success in sorted(times):
            logging.info("{:6.1f} seconds{}: {}".format(seconds, "" if success else f" ({word} FAILED)", path))
        logging.info("")


def run_prestartup_scripts():
    times = []
    for path in custom_node_modules():
        script = os.path.join(path, "prestartup_script.py")
        if not os.path.exists(script):
            continue
        start, success = time.perf_counter(), True
        try:
            _execute_file(os.path.splitext(script)[0], script)
        except Exception as error:
            logging.error("Failed to execute startup-script: %s / %s", script, error)
            success = False
        times.append((time.perf_counter() - start, path, success))
    _report("Prestartup", "PRESTARTUP", times)


def load_custom_nodes():
    built_in = set(NODE_CLASS_MAPPINGS)
    times = []
    for path in custom_node_modules():
        start = time.perf_counter()
        success = load_custom_node(path, built_in)
        times.append((time.perf_counter() - start, path, success))
    _report("Import", "IMPORT", times)

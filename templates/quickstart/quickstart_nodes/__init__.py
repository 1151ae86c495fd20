"""A custom node pack for the quickstart: one node that needs a package, one that needs a model."""
import os

import webcolors

import folder_paths
from nodes import Image

from .tint import read_gain

folder_paths.add_model_folder_path("tints", os.path.join(folder_paths.models_dir, "tints"))


class QuickstartColorImage:
    @classmethod
    def INPUT_TYPES(cls):
        size = ("INT", {"default": 64, "min": 1, "max": 1024})
        return {"required": {"color": ("STRING", {"default": "teal"}), "width": size, "height": size}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "make"
    CATEGORY = "quickstart"

    def make(self, color, width, height):
        pixel = bytes(webcolors.name_to_rgb(color))
        return ([Image(width, height, pixel * (width * height))],)


class QuickstartTint:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "model_name": (folder_paths.get_filename_list("tints"),)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "apply"
    CATEGORY = "quickstart"

    def apply(self, image, model_name):
        gain = read_gain(folder_paths.get_full_path_or_raise("tints", model_name))
        tables = [bytes(min(255, round(value * factor)) for value in range(256)) for factor in gain]
        return ([self._tinted(each, tables) for each in image],)

    @staticmethod
    def _tinted(image, tables):
        pixels = bytearray(image.pixels)
        for channel, table in enumerate(tables):
            pixels[channel::3] = pixels[channel::3].translate(table)
        return Image(image.width, image.height, bytes(pixels))


NODE_CLASS_MAPPINGS = {"QuickstartColorImage": QuickstartColorImage, "QuickstartTint": QuickstartTint}
NODE_DISPLAY_NAME_MAPPINGS = {"QuickstartColorImage": "Color Image (by name)", "QuickstartTint": "Tint"}

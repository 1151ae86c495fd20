import json
import struct


def read_gain(path):
    """The three factors (red, green, blue) of a tint: the F32[3] tensor "gain" of a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        gain = header.get("gain", {})
        if gain.get("dtype") != "F32" or gain.get("shape") != [3]:
            raise ValueError(f"{path}: no tensor gain[3] of F32")
        file.seek(8 + length + gain["data_offsets"][0])
        return struct.unpack("<3f", file.read(12))

"""Where models, inputs and outputs are. Custom nodes import it under this name."""
import os

from comfy.cli_args import args

supported_pt_extensions = {".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"}

base_path = os.path.abspath(args.base_directory or os.path.dirname(os.path.realpath(__file__)))
models_dir = os.path.join(base_path, "models")
output_directory = os.path.abspath(args.output_directory or os.path.join(base_path, "output"))
input_directory = os.path.abspath(args.input_directory or os.path.join(base_path, "input"))
temp_directory = os.path.join(os.path.abspath(args.temp_directory or base_path), "temp")

# folder name -> ([paths], {extensions}); no extension: every file
folder_names_and_paths = {"custom_nodes": ([os.path.join(base_path, "custom_nodes")], set())}
for _name in ("checkpoints", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "style_models",
              "embeddings", "controlnet", "upscale_models"):
    folder_names_and_paths[_name] = ([os.path.join(models_dir, _name)], supported_pt_extensions)


def get_output_directory():
    return output_directory


def get_input_directory():
    return input_directory


def get_temp_directory():
    return temp_directory


def get_directory_by_type(type_name):
    return {"output": output_directory, "input": input_directory, "temp": temp_directory}.get(type_name)


def add_model_folder_path(folder_name, full_folder_path, is_default=False):
    paths, _ = folder_names_and_paths.setdefault(folder_name, ([], supported_pt_extensions))
    if full_folder_path not in paths:
        paths.insert(0 if is_default else len(paths), full_folder_path)


def get_folder_paths(folder_name):
    return folder_names_and_paths[folder_name][0][:]


def get_filename_list(folder_name):
    """Names relative to the folder, subfolders too, sorted."""
    paths, extensions = folder_names_and_paths[folder_name]
    found = set()
    for root in paths:
        for folder, _, files in os.walk(root, followlinks=True):
            for file in files:
                if not extensions or os.path.splitext(file)[1].lower() in extensions:
                    found.add(os.path.relpath(os.path.join(folder, file), root))
    return sorted(found)


def get_full_path(folder_name, filename):
    for root in folder_names_and_paths.get(folder_name, ([],))[0]:
        path = os.path.join(root, os.path.relpath(os.path.join("/", filename), "/"))
        if os.path.isfile(path):
            return path
    return None


def get_full_path_or_raise(folder_name, filename):
    path = get_full_path(folder_name, filename)
    if path is None:
        raise FileNotFoundError(f"Model in folder '{folder_name}' with filename '{filename}' not found.")
    return path


def inside(root, *parts):
    """The path under root; None when it would lie outside."""
    path = os.path.realpath(os.path.join(root, *parts))
    return path if path == root or path.startswith(os.path.realpath(root) + os.sep) else None


def get_save_image_path(filename_prefix, output_dir, image_width=0, image_height=0):
    subfolder, filename = os.path.split(os.path.normpath(filename_prefix))
    folder = inside(output_dir, subfolder)
    if folder is None:
        raise ValueError(f"Saving image outside the output folder is not allowed: {filename_prefix}")
    os.makedirs(folder, exist_ok=True)
    counters = [0]
    for file in os.listdir(folder):
        rest = file[len(filename) + 1:].split("_")[0]
        if file.startswith(filename + "_") and rest.isdigit():
            counters.append(int(rest))
    return folder, filename, max(counters) + 1, subfolder, filename_prefix

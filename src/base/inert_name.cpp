#include "podctl/base/inert_name.hpp"

#include "podctl/base/names.hpp"

#include <algorithm>
#include <array>

namespace podctl {
namespace {

// What torch.load, pickle.load, joblib.load and their kin are given. The first seven are ComfyUI's
// own (supported_pt_extensions of https://github.com/comfyanonymous/ComfyUI, folder_paths.py).
constexpr std::array<std::string_view, 30> pickles{
    ".ckpt",    ".pt",       ".pt2",   ".bin",     ".pth",         ".pkl",
    ".pickle",  ".pk",       ".p",     ".pck",     ".pcl",         ".joblib",
    ".dill",    ".nemo",     ".mar",   ".torch",   ".torchscript", ".ptl",
    ".ptc",     ".pte",      ".t7",    ".pth.tar", ".pt.tar",      ".ckpt.tar",
    ".bin.tar", ".pdparams", ".pdopt", ".pdmodel", ".cloudpickle", ".jit"};

// Loading one can run what its maker wrote: Lambda layers and custom objects of Keras, graphs of
// TensorFlow, plug-ins in a serialised TensorRT engine.
constexpr std::array<std::string_view, 9> carriers{
    ".h5", ".hdf5", ".keras", ".pb", ".pbtxt", ".engine", ".plan", ".trt", ".mlmodel"};

constexpr std::array<std::string_view, 31> programs{
    ".py",  ".pyw", ".pyi",  ".pyx", ".pyc",  ".pyo",     ".pyd",   ".whl",
    ".egg", ".sh",  ".bash", ".zsh", ".fish", ".command", ".bat",   ".cmd",
    ".ps1", ".vbs", ".js",   ".mjs", ".cjs",  ".jar",     ".class", ".pl",
    ".rb",  ".lua", ".php",  ".so",  ".dll",  ".dylib",   ".exe"};

// As Python's str.lower() and what shows nothing make it: ComfyUI compares that. The Kelvin sign is
// the one letter outside of ASCII that it turns into one of these extensions' (k).
std::string plain(std::string_view name) {
    constexpr std::string_view kelvin = "\u212A";
    std::string lower = to_lower(name);
    for (auto at = lower.find(kelvin); at != lower.npos; at = lower.find(kelvin))
        lower.replace(at, kelvin.size(), "k");
    lower = to_lower(safe_file_name("x" + lower));
    lower.erase(lower.find_last_not_of(" .~") + 1);
    return lower;
}

bool ends_with_one_of(std::string_view name, const auto& endings) {
    return std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); });
}

// libfoo.so.1.2
bool is_versioned_library(std::string_view name) {
    const auto at = name.rfind(".so.");
    return at != name.npos && name.find_first_not_of("0123456789.", at + 4) == name.npos;
}

}  // namespace

bool is_pickle_name(std::string_view name) {
    return ends_with_one_of(plain(name), pickles);
}

std::string why_name_is_not_inert(std::string_view name) {
    const auto lower = plain(name);
    if (ends_with_one_of(lower, pickles)) return "a pickle";
    if (ends_with_one_of(lower, carriers)) return "a format that can carry code";
    if (ends_with_one_of(lower, programs) || is_versioned_library(lower)) return "a program";
    return {};
}

}  // namespace podctl

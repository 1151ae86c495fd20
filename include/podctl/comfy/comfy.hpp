#pragma once

#include "podctl/base/url.hpp"
#include "podctl/http/http.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/template/template.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// What is known of ComfyUI (https://github.com/comfyanonymous/ComfyUI) and its Manager.
namespace podctl::comfy {

// The flags that a checkout's comfy/cli_args.py declares ("--listen", …); empty when it cannot be
// read.
std::set<std::string> read_flags(const std::filesystem::path& checkout);

enum class Accelerator { none, present };

// The arguments behind the interpreter: main.py and its flags. A flag of podctl's own choice that
// the checkout does not know (newer ComfyUI dropped --normalvram) is left out; the template's
// `args` are handed on as they are. Without an accelerator `vram: auto` means --cpu.
std::vector<std::string> launch_arguments(const tmpl::ComfyUi& settings,
                                          const std::set<std::string>& flags,
                                          Accelerator accelerator);

// What a ComfyUI has for itself where others run from the same checkout, or what it runs from
// itself is a copy. Empty: nothing.
struct OwnFolders {
    // Of its temporary files, which each empties at its start and its end (main.py, cleanup_temp),
    // and of its database, which SQLite does not share over a network (comfy/cli_args.py).
    std::filesystem::path scratch = {};
    // Where its folders of data are (folder_paths.py, base_path): the checkout of a copy, or a
    // folder with custom_nodes/ and links to the checkout's others.
    std::filesystem::path base = {};
    std::filesystem::path output = {};
    // main.py looks for it beside itself, which is not where the copy has it.
    std::filesystem::path extra_model_paths = {};
};

// Whether a ComfyUI with these flags can have its data elsewhere than beside its code.
bool can_run_from_copy(const std::set<std::string>& flags);

// The arguments for that, as far as the template does not give them itself. What the checkout does
// not know is left out, but the base: throws Error{launch} then, since other packs would be loaded.
std::vector<std::string> arguments_of_its_own(const tmpl::ComfyUi& settings,
                                              const std::set<std::string>& flags,
                                              const OwnFolders& own);

// An address that a client on this machine can use for a listener: 0.0.0.0 and :: become loopback.
// The first one of a comma list.
std::string local_address(const std::string& listen);

struct FailedNode {
    std::string node;  // its folder under custom_nodes/
    // "ModuleNotFoundError: No module named 'cv2' (nodes.py:3)"; "" when the log does not say.
    std::string reason;
    bool loads = false;  // without the part that the reason speaks of
};

// Reads ComfyUI's log line by line and tells which custom nodes could not be imported, by the
// report that nodes.py (init_external_custom_nodes) prints: "   0.0 seconds (IMPORT FAILED):
// /…/custom_nodes/bad", and before it "Cannot import /…/bad module for custom nodes: reason". A
// traceback through a pack that loads nevertheless is a part of it that does not.
class ImportReport {
public:
    // The node that this line reports as failed, if it does.
    std::optional<FailedNode> read(std::string_view line);

private:
    void read_traceback(std::string_view line);
    void keep_reason(std::string_view path, std::string_view reason);

    // Python's, while its lines come.
    struct Traceback {
        std::string node;   // the pack whose file it went through last
        std::string place;  // that file in the pack, and the line: nodes.py:3
    };
    std::optional<Traceback> traceback_;
    std::map<std::string, std::string> reasons_;  // by folder
    std::map<std::string, std::string>
        tracebacks_;  // the last one's exception and place, by folder
};

// The folder under models/ for a Civitai model or file type ("Checkpoint", "LORA", …); nullopt:
// none is known (folder_paths.py has the folders).
std::optional<std::string> folder_of_type(std::string_view civitai_type);

// A version of a pack in the Comfy registry (https://api.comfy.org, GET /nodes/{id}/versions).
struct RegistryVersion {
    std::string version;
    std::string download_url;
    std::vector<std::string> dependencies;
    std::string note;      // deprecated, not scanned yet
    std::string day = {};  // on which it was published, "2024-10-02"; empty where it is not told
    // What the registry has against it ("pack 1.0 is flagged by the registry's security scan");
    // empty: nothing. Only a user who trusts it takes it all the same.
    std::string verdict = {};
    // The registry is on the internet: so must be what it names (http::Request::Reach).
    bool from_internet = false;
};
// An empty version means the latest. Throws Error{not_found | network | interrupted}; a version
// that does not exist is named with those that do. The address of its download is of the web,
// never a file here.
RegistryVersion find_in_registry(const std::string& id, const std::string& version,
                                 http::Client& http, const Mirrors& mirrors,
                                 const http::RetryPolicy& retry, std::stop_token stop);

// Error{integrity} for a version with a verdict, unless `trust` lists registry:ID or
// registry:ID@VERSION.
void refuse_by_verdict(const std::string& id, const RegistryVersion& found,
                       const std::vector<std::string>& trust);

// All versions of a pack, newest first, without those that the registry banned or deleted. Throws
// Error{not_found | network | interrupted}.
std::vector<RegistryVersion> list_registry_versions(const std::string& id, http::Client& http,
                                                    const Mirrors& mirrors,
                                                    const http::RetryPolicy& retry,
                                                    std::stop_token stop);

// A second repository without which a pack cannot be imported.
struct Companion {
    std::string url;
    std::filesystem::path
        folder;  // absolute, inside the pack; a checkout that does not fit may stand there
};
// ComfyUI-Impact-Pack before V8 imports ComfyUI-Impact-Subpack from its folder impact_subpack/; its
// install.py takes that repository's newest commit, whose layout no longer fits, and replaces a
// detached checkout by it: so this is for after install.py. nullopt for any other pack, and for one
// that has what it needs.
std::optional<Companion> missing_companion(const std::string& pack_url,
                                           const std::filesystem::path& pack);

// Requirement files of a pack: its own, and those one folder deeper (vendored packs such as
// impact_subpack/requirements.txt).
std::vector<std::filesystem::path> requirement_files(const std::filesystem::path& pack);

// What a pack without a requirements.txt of its own lists in its pyproject.toml
// (project.dependencies, PEP 621). Nothing where that cannot be read, since ComfyUI does not read
// it either.
std::vector<std::string> project_dependencies(const std::filesystem::path& pack);

// What a checkout of ComfyUI imports at its start and does not list in its requirements.txt:
// requests (app/frontend_management.py), which others brought along until huggingface-hub 1.0.
std::vector<std::string> unlisted_requirements(const std::filesystem::path& comfyui);

}  // namespace podctl::comfy

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/comfy/comfy.hpp"

#include <algorithm>
#include <array>

namespace podctl::comfy {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view skip_spaces(std::string_view text) {
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    return text;
}

// True when the line of `text` that holds `position` is a comment.
bool in_comment(std::string_view text, std::size_t position) {
    const auto line_end = text.rfind('\n', position);
    const auto start = line_end == text.npos ? 0 : line_end + 1;
    return skip_spaces(text.substr(start, position - start)).starts_with('#');
}

// The names that open the argument list of an add_argument call: "-x", "--long", …
void collect_flags(std::string_view arguments, std::set<std::string>& flags) {
    while (true) {
        arguments = skip_spaces(arguments);
        if (arguments.empty()) return;
        const char quote = arguments.front();
        if (quote != '"' && quote != '\'') return;
        const auto end = arguments.find(quote, 1);
        if (end == arguments.npos || !arguments.substr(1).starts_with('-')) return;
        flags.emplace(arguments.substr(1, end - 1));
        arguments = skip_spaces(arguments.substr(end + 1));
        if (!arguments.starts_with(',')) return;
        arguments.remove_prefix(1);
    }
}

// One mutually exclusive group of cli_args.py.
constexpr std::array<std::string_view, 6> memory_flags = {
    "--gpu-only", "--highvram", "--normalvram", "--lowvram", "--novram", "--cpu"};

constexpr const char* base_flag = "--base-directory";

std::string_view memory_flag(tmpl::Vram vram, Accelerator accelerator) {
    switch (vram) {
        case tmpl::Vram::automatic:
            return accelerator == Accelerator::none ? "--cpu" : "";
        case tmpl::Vram::gpu_only:
            return "--gpu-only";
        case tmpl::Vram::high:
            return "--highvram";
        case tmpl::Vram::normal:
            return "--normalvram";
        case tmpl::Vram::low:
            return "--lowvram";
        case tmpl::Vram::none:
            return "--novram";
        case tmpl::Vram::cpu:
            return "--cpu";
    }
    return "";
}

}  // namespace

std::set<std::string> read_flags(const std::filesystem::path& checkout) {
    const auto text = read_file_if_exists(checkout / "comfy" / "cli_args.py");
    std::set<std::string> flags;
    if (!text) return flags;
    constexpr std::string_view call = "add_argument(";
    for (auto at = text->find(call); at != text->npos; at = text->find(call, at + call.size())) {
        if (in_comment(*text, at)) continue;
        collect_flags(std::string_view(*text).substr(at + call.size()), flags);
    }
    return flags;
}

std::vector<std::string> launch_arguments(const tmpl::ComfyUi& settings,
                                          const std::set<std::string>& flags,
                                          Accelerator accelerator) {
    // --listen without a value means every address of both families, so the value is always given.
    std::vector<std::string> arguments{"main.py", "--listen", settings.listen, "--port",
                                       std::to_string(settings.port)};
    if (!settings.cors.empty()) {
        arguments.emplace_back("--enable-cors-header");
        arguments.push_back(settings.cors);
    }
    const std::string flag{memory_flag(settings.vram, accelerator)};
    const bool known = flags.empty() || flags.contains(flag);
    // argparse refuses two flags of the group, so the template's own argument replaces podctl's.
    const bool chosen = std::ranges::any_of(settings.args, [](const std::string& argument) {
        return std::ranges::find(memory_flags, argument) != memory_flags.end();
    });
    if (!flag.empty() && known && !chosen) arguments.push_back(flag);
    arguments.insert(arguments.end(), settings.args.begin(), settings.args.end());
    return arguments;
}

bool can_run_from_copy(const std::set<std::string>& flags) {
    return flags.contains(base_flag);
}

std::vector<std::string> arguments_of_its_own(const tmpl::ComfyUi& settings,
                                              const std::set<std::string>& flags,
                                              const OwnFolders& own) {
    std::vector<std::string> arguments;
    const auto is_given = [&](const std::string& flag) {
        return std::ranges::any_of(settings.args, [&](const std::string& argument) {
            return argument == flag || argument.starts_with(flag + "=");
        });
    };
    const auto add = [&](const std::string& flag, const std::string& value) {
        if (!is_given(flag)) arguments.insert(arguments.end(), {flag, value});
    };
    const auto add_if_known = [&](const std::string& flag, const std::string& value) {
        if (flags.contains(flag)) add(flag, value);
    };
    if (!own.scratch.empty()) {
        add_if_known("--temp-directory", own.scratch.string());
        add_if_known("--database-url", "sqlite:///" + (own.scratch / "comfyui.db").string());
    }
    if (!own.base.empty()) {
        if (!flags.contains(base_flag) && !is_given(base_flag))
            throw Error{ErrorKind::launch,
                        "this ComfyUI has no --base-directory, without which its packs are those "
                        "of its checkout",
                        "take a newer one (comfyui.ref), or share the packs "
                        "(pod.shared.custom_nodes: true)"};
        add(base_flag, own.base.string());
    }
    // That may be given more than once (action="append").
    if (!own.extra_model_paths.empty())
        arguments.insert(arguments.end(),
                         {"--extra-model-paths-config", own.extra_model_paths.string()});
    if (!own.output.empty()) add("--output-directory", own.output.string());
    return arguments;
}

std::string local_address(const std::string& listen) {
    auto address = trim(std::string_view(listen).substr(0, listen.find(',')));
    if (address.starts_with('[') && address.ends_with(']'))
        address = address.substr(1, address.size() - 2);
    if (address.empty() || address == "0.0.0.0") return "127.0.0.1";
    if (address == "::") return "::1";
    return std::string(address);
}

}  // namespace podctl::comfy

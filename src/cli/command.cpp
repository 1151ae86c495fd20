#include "command.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/units.hpp"
#include "podctl/hub/source.hpp"
#include "podctl/run/own_disk.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/template/load.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <utility>

namespace podctl::cli {

void when_chosen(CLI::App& command, Chosen& chosen, Chosen run) {
    command.callback([&chosen, run = std::move(run)] { chosen = run; });
}

CLI::Option* add_repeatable(CLI::App& command, const std::string& name,
                            std::vector<std::string>& values, const std::string& help) {
    // Without the last one it would take the arguments that follow, too.
    return command.add_option(name, values, help)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
}

std::string template_here() {
    for (const char* name : {"podctl.yaml", "pod.yaml"}) {
        std::error_code none;
        if (std::filesystem::exists(name, none)) return name;
    }
    return {};
}

void choose_template(TemplateArguments& arguments) {
    if (arguments.path.empty()) arguments.path = template_here();
    if (!arguments.path.empty()) return;
    throw Error{ErrorKind::usage,
                "no TEMPLATE is named, and neither podctl.yaml nor pod.yaml is here",
                "`podctl init` writes one"};
}

void add_template_arguments(CLI::App& command, TemplateArguments& arguments) {
    command
        .add_option("TEMPLATE", arguments.path,
                    "the pod template, a YAML file, or - for stdin; without it podctl.yaml or "
                    "pod.yaml of the current folder")
        ->type_name("");
    add_repeatable(command, "-f,--file", arguments.overlays,
                   "a YAML file laid over the template; may be repeated, later wins")
        ->type_name("OVERLAY");
    add_repeatable(command, "--set", arguments.set,
                   "set one key: comfyui.port=9001; may be repeated")
        ->type_name("KEY=VALUE");
    add_mirror_flag(command, arguments.mirrors);
}

void add_duration_flag(CLI::App& command, const std::string& name,
                       std::optional<std::chrono::milliseconds>& duration,
                       const std::string& help) {
    command
        .add_option_function<std::string>(
            name,
            [&duration, name](const std::string& given) {
                // Longer ones leave what a clock can count.
                constexpr std::chrono::hours longest{24 * 3650};
                duration = parse_duration(given);
                if (!duration || *duration > longest)
                    throw Error{ErrorKind::usage, fmt::format("{} {}: not a duration", name, given),
                                "for instance 90s or 2m"};
            },
            help)
        ->type_name("DURATION");
}

void add_mirror_flag(CLI::App& command, std::vector<std::string>& mirrors) {
    add_repeatable(command, "--mirror", mirrors,
                   "fetch what begins with FROM from TO instead; may be repeated (also "
                   "PODCTL_MIRROR)")
        ->type_name("FROM=TO");
}

void add_store_flag(CLI::App& command, std::string& store) {
    command
        .add_option("--store", store,
                    "keep models there by their sha256, for all roots, and link them from there "
                    "(also PODCTL_STORE)")
        ->type_name("DIR");
}

void add_common_flags(CLI::App& command, Common& common) {
    command.add_option("--root", common.root, "stands in for pod.volume.mount")->type_name("DIR");
    command
        .add_option("--local", common.local,
                    "where pods have their own folders, on the container's disk (also "
                    "PODCTL_LOCAL)")
        ->type_name("DIR");
    add_output_flags(command, common);
}

void add_output_flags(CLI::App& command, Common& common) {
    command
        .add_option_function<std::string>(
            "--output",
            [&](const std::string& name) {
                common.output.format = name == "json" ? Format::json : Format::text;
            },
            "text, or JSON Lines on stdout")
        ->check(CLI::IsMember({"text", "json"}))
        ->type_name("");
    command.add_flag_callback(
        "--json", [&] { common.output.format = Format::json; }, "the same as --output json");
    command.add_flag_callback(
        "-q,--quiet", [&] { common.output.verbosity = Verbosity::quiet; },
        "only failures and URLs");
    command.add_flag_callback(
        "-v,--verbose", [&] { common.output.verbosity = Verbosity::verbose; },
        "also what needed nothing");
    command
        .add_option_function<std::string>(
            "--log-level",
            [&](const std::string& name) {
                if (name != "debug") return;
                common.output.shows_debug_lines = true;
                show_debug_lines(run::environment_redactor());
            },
            "info (the default), or debug: on stderr what podctl does and why; `up` writes that "
            "into .podctl/logs/podctl.log anyway")
        ->check(CLI::IsMember({"info", "debug"}))
        ->type_name("");
    command.add_flag_callback(
        "--no-color", [&] { common.output.color = Color::never; }, "no colours (also NO_COLOR)");
    // main() has seen it before anything else.
    command.add_flag_callback(
        "--debug", [] {}, "let a crash leave a core dump, which may hold tokens");
    command.add_flag_callback(
        "--color", [&] { common.output.color = Color::always; }, "colours even without a terminal");
}

void add_connection_flags(CLI::App& command, unsigned& connections, std::uint64_t& limit_rate) {
    command.add_option("--connections", connections, "of all downloads together")
        ->check(CLI::Range(1u, 64u).description("1-64"))
        ->capture_default_str()
        ->type_name("N");
    command
        .add_option_function<std::string>(
            "--limit-rate",
            [&limit_rate](const std::string& given) {
                const auto rate = parse_bytes(given);
                if (!rate || rate->count == 0)
                    throw Error{ErrorKind::usage, fmt::format("--limit-rate {}: not a size", given),
                                "bytes a second of all downloads together: 10MB, 512KiB"};
                limit_rate = rate->count;
            },
            "bytes a second of all downloads together: 10MB, 512KiB")
        ->type_name("SIZE");
}

void add_provision_flags(CLI::App& command, ProvisionArguments& arguments) {
    auto& options = arguments.options;
    command.add_option("--jobs", options.jobs, "steps at once, beside the downloads")
        ->check(CLI::Range(1u, 64u).description("1-64"))
        ->capture_default_str()
        ->type_name("N");
    add_connection_flags(command, options.connections, options.limit_rate);
    add_store_flag(command, arguments.store);
    add_repeatable(command, "--only", arguments.only,
                   "only this step and what it needs; may be repeated")
        ->type_name("STEP");
    command.add_flag("--offline", options.offline, "make no request");
    command.add_flag("--force", options.force, "move what stands in the way to .podctl/replaced");
    command.add_flag("--verify", options.verify, "hash every file again");
    command
        .add_flag(
            "--prune", options.prune,
            "move what podctl brought for an earlier template, and this one does not name, to "
            ".podctl/replaced")
        ->excludes("--only");
    command.add_flag("--update", options.update,
                     "let branches, newest versions and requirements move");
    command.add_flag_callback(
        "--insecure-http",
        [&options] { options.insecure_http = http::Options::InsecureHttp::allow; },
        "send tokens over plain http too");
}

namespace {

std::pair<std::string, std::string> parse_mirror(const std::string& name,
                                                 const std::string& argument) {
    // The target may hold a query, the prefix hardly.
    const auto equals = argument.find('=');
    if (equals == std::string::npos || equals == 0)
        throw Error{ErrorKind::usage, name + " " + argument + ": not FROM=TO",
                    "for instance --mirror https://github.com/=https://git.example/github/"};
    return {argument.substr(0, equals), argument.substr(equals + 1)};
}

// A template that cannot be read is a wrong argument, not a broken disk.
tmpl::Template read_template(const std::string& path, const tmpl::LoadOptions& options) {
    try {
        return tmpl::load_template(path, options);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::io) throw;
        throw Error{ErrorKind::usage, error.message(), "name a template; `podctl init` writes one"};
    }
}

}  // namespace

tmpl::Template load(const TemplateArguments& arguments) {
    tmpl::LoadOptions options;
    options.overlays.assign(arguments.overlays.begin(), arguments.overlays.end());
    options.set = arguments.set;
    auto pod = read_template(arguments.path, options);
    std::vector<tmpl::Diagnostic> wrong;
    for (const auto& model : pod.models) {
        try {
            plan::check_keys(model, hub::parse_source(model.source));
        } catch (const Error& error) {
            wrong.push_back(
                {.file = model.file,
                 .line = model.line,
                 .column = model.column,
                 .key = model.key + ".source",
                 .message = error.message() + (error.hint().empty() ? "" : "; " + error.hint())});
        }
    }
    if (!wrong.empty()) throw tmpl::TemplateError{std::move(wrong)};
    // Of two for one prefix the user's wins.
    pod.users_mirrors = users_mirrors(arguments.mirrors);
    pod.mirrors.insert(pod.mirrors.begin(), pod.users_mirrors.begin(), pod.users_mirrors.end());
    return pod;
}

std::vector<std::pair<std::string, std::string>> users_mirrors(
    const std::vector<std::string>& arguments) {
    std::vector<std::pair<std::string, std::string>> mirrors;
    for (const auto& argument : arguments)
        mirrors.insert(mirrors.begin(), parse_mirror("--mirror", argument));
    const char* variable = std::getenv("PODCTL_MIRROR");
    std::istringstream words{variable == nullptr ? "" : variable};
    for (std::string word; words >> word;)
        mirrors.push_back(parse_mirror("PODCTL_MIRROR", word));
    std::ranges::copy(hub::endpoint_mirrors(), std::back_inserter(mirrors));
    return mirrors;
}

std::filesystem::path users_store(const std::string& argument) {
    const char* variable = std::getenv("PODCTL_STORE");
    std::filesystem::path store{argument};
    if (store.empty() && variable != nullptr) store = variable;
    if (store.empty()) return store;
    store = normal_path(store);
    anchor(store);
    return store;
}

std::filesystem::path store_of(const tmpl::Template& pod, const std::filesystem::path& root,
                               const std::string& argument) {
    auto store = users_store(argument);
    if (store.empty() && pod.store) store = plan::under_root(pod, root, pod.store->path);
    return store;
}

std::filesystem::path root_of(const tmpl::Template& pod, const Common& common) {
    const std::filesystem::path root{common.root.empty() ? pod.pod.volume.mount : common.root};
    auto whole = std::filesystem::absolute(root).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();
    anchor(whole);
    return whole;
}

plan::Places places_of(const tmpl::Template& pod, const Common& common) {
    const auto root = root_of(pod, common);
    return plan::places_of(pod, root, run::find_own_disk(pod, root, common.local));
}

}  // namespace podctl::cli

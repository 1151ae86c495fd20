#pragma once

#include "podctl/run/provision.hpp"
#include "podctl/template/template.hpp"

#include "output.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace podctl::cli {

// What every command is told.
struct Common {
    std::string root;   // --root; empty: pod.volume.mount
    std::string local;  // --local; empty: by default (run/own_disk)
    OutputOptions output;
};

// Which template, and how it is changed on the way in.
struct TemplateArguments {
    std::string path;
    std::vector<std::string> overlays, set, mirrors;
};

// What a command line asks for: set by the command that was chosen.
using Chosen = std::function<int()>;
// Makes `run` what is asked for, when `command` is the one.
void when_chosen(CLI::App& command, Chosen& chosen, Chosen run);

// podctl.yaml, else pod.yaml of the current folder; empty: neither is there.
std::string template_here();

// Makes that the template where none is named. Throws Error{usage} where neither is there.
void choose_template(TemplateArguments& arguments);

void add_template_arguments(CLI::App& command, TemplateArguments& arguments);
// An option with one value each time that it is given.
CLI::Option* add_repeatable(CLI::App& command, const std::string& name,
                            std::vector<std::string>& values, const std::string& help);
// An option with a duration: 90s, 2m.
void add_duration_flag(CLI::App& command, const std::string& name,
                       std::optional<std::chrono::milliseconds>& duration, const std::string& help);
void add_mirror_flag(CLI::App& command, std::vector<std::string>& mirrors);
// --store: empty as long as it is not given.
void add_store_flag(CLI::App& command, std::string& store);
// --connections and --limit-rate: what all downloads of the command share.
void add_connection_flags(CLI::App& command, unsigned& connections, std::uint64_t& limit_rate);
// --output, -q, -v, --color, --no-color.
void add_output_flags(CLI::App& command, Common& common);
// Those and --root.
void add_common_flags(CLI::App& command, Common& common);

// The mirrors that the user names beside any template, those that win first: --mirror, then
// $PODCTL_MIRROR (FROM=TO, several with white space between), then $HF_ENDPOINT. Throws
// Error{usage}.
std::vector<std::pair<std::string, std::string>> users_mirrors(
    const std::vector<std::string>& arguments);

// The store that the user names, --store before $PODCTL_STORE, opened once and for all. Empty:
// none.
std::filesystem::path users_store(const std::string& argument);
// The same, or the template's.
std::filesystem::path store_of(const tmpl::Template& pod, const std::filesystem::path& root,
                               const std::string& argument);

// The template, checked whole: what the parser checks, and the sources of its models.
tmpl::Template load(const TemplateArguments& arguments);
// Where the pod lies: --root, else what the template says. It is opened there once and for all.
std::filesystem::path root_of(const tmpl::Template& pod, const Common& common);
// Where all of it lies, on both disks.
plan::Places places_of(const tmpl::Template& pod, const Common& common);

// One function per command: declares it and, when it is the one, sets `chosen`.
void add_up(CLI::App& app, Common& common, Chosen& chosen);
void add_plan(CLI::App& app, Common& common, Chosen& chosen);
void add_validate(CLI::App& app, Common& common, Chosen& chosen);
void add_config(CLI::App& app, Common& common, Chosen& chosen);
void add_schema(CLI::App& app, Chosen& chosen);
void add_templates(CLI::App& app, Common& common, Chosen& chosen);
void add_init(CLI::App& app, Common& common, Chosen& chosen);
void add_get(CLI::App& app, Common& common, Chosen& chosen);
void add_doctor(CLI::App& app, Common& common, Chosen& chosen);
void add_status(CLI::App& app, Common& common, Chosen& chosen);
void add_logs(CLI::App& app, Common& common, Chosen& chosen);
void add_restart(CLI::App& app, Common& common, Chosen& chosen);
void add_down(CLI::App& app, Common& common, Chosen& chosen);
void add_smoke(CLI::App& app, Common& common, Chosen& chosen);
void add_store(CLI::App& app, Common& common, Chosen& chosen);
void add_run(CLI::App& app, Common& common, Chosen& chosen);
void add_models(CLI::App& app, Common& common, Chosen& chosen);
void add_completion(CLI::App& app, Chosen& chosen);
void add_man(CLI::App& app, Chosen& chosen);

// What `up` and `plan` share.
struct ProvisionArguments {
    run::Options options;  // `store` is to be asked of store_of()
    std::string store;
    std::vector<std::string> only;
};
void add_provision_flags(CLI::App& command, ProvisionArguments& arguments);

// Prints what would be done. Returns 0 when that is nothing, 10 otherwise.
int show_plan(const TemplateArguments& arguments, const ProvisionArguments& provision,
              const Common& common);

}  // namespace podctl::cli

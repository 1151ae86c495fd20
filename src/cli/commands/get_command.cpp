#include "podctl/base/beneath.hpp"
#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/hub/batch.hpp"
#include "podctl/run/get.hpp"
#include "podctl/run/secrets.hpp"

#include "../command.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace podctl::cli {
namespace {

struct GetArguments {
    std::vector<std::string> sources;  // the last one is the folder
    std::vector<std::string> batches, mirrors;
    std::optional<std::chrono::milliseconds> pause;
    int retries = 5;
    download::GetRequest request;
    hub::Globs globs;  // of folders
    std::string store;
    http::Options http;
};

std::string checked_sha256(const std::string& given) {
    std::string hex = to_lower(trim(given));
    if (hex.starts_with("sha256:")) hex.erase(0, 7);
    if (!is_sha256(hex))
        throw Error{ErrorKind::usage, fmt::format("--sha256 {}: not a SHA-256", given),
                    "64 hexadecimal digits, as sha256sum prints them"};
    return hex;
}

// Opened once and for all.
std::filesystem::path folder_of(const GetArguments& arguments) {
    const std::size_t least = arguments.batches.empty() ? 2 : 1;
    if (arguments.sources.size() < least)
        throw Error{ErrorKind::usage, "podctl get SOURCE... DIR: a source or the folder lacks",
                    "`podctl get SOURCE .` puts it into the current folder"};
    anchor(arguments.sources.back());
    return arguments.sources.back();
}

// Where an input list says nothing else, the folder itself.
std::filesystem::path folder_within(const std::filesystem::path& all,
                                    const hub::BatchEntry& entry) {
    const auto wanted = entry.folder / entry.file.parent_path();
    const auto inside = (std::filesystem::absolute(all) / wanted).lexically_normal();
    const auto way = inside.lexically_relative(std::filesystem::absolute(all).lexically_normal());
    if (way.empty() || *way.begin() == "..")
        throw Error{
            ErrorKind::usage,
            fmt::format("{}: dir={} is not in {}", entry.origin, wanted.string(), all.string()),
            "name a folder as DIR that holds all of them"};
    return way == "." ? all : all / way;
}

// An input list may say of a folder what only a file can have.
void require_options_of_folders(const std::vector<hub::BatchEntry>& entries) {
    for (const auto& entry : entries)
        if (hub::is_folder(entry.source) && !(entry.file.empty() && entry.sha256.empty()))
            throw Error{ErrorKind::usage,
                        fmt::format("{}: out and checksum are of one file", entry.origin),
                        "name the file: hf:ORG/REPO/PATH"};
}

std::vector<hub::BatchEntry> entries_of(const GetArguments& arguments) {
    const std::vector<std::string> sources(arguments.sources.begin(), arguments.sources.end() - 1);
    auto entries =
        hub::expand_sources(sources, {arguments.batches.begin(), arguments.batches.end()});
    if (entries.empty())
        throw Error{ErrorKind::usage, "the batch names no source", "a line for each source"};
    const auto& request = arguments.request;
    const bool is_one = entries.size() == 1 && !hub::is_folder(entries.front().source);
    if (!is_one && !(request.name.empty() && request.sha256.empty()))
        throw Error{ErrorKind::usage, "--name and --sha256 are of one file",
                    "fetch that one by itself"};
    require_options_of_folders(entries);
    for (auto& entry : entries)
        entry.folder = folder_within(arguments.sources.back(), entry);
    return entries;
}

run::Secrets secrets_of(const std::vector<hub::BatchEntry>& entries) {
    auto secrets = run::read_hub_secrets();
    std::vector<hub::Source> sources;
    for (const auto& entry : entries)
        sources.push_back(entry.source);
    secrets.in_sources = run::credentials_in(sources);
    return secrets;
}

run::GetRequest run_of(const GetArguments& arguments) {
    auto entries = entries_of(arguments);
    auto secrets = secrets_of(entries);
    return {.entries = std::move(entries),
            .globs = arguments.globs,
            .common = arguments.request,
            .secrets = std::move(secrets),
            .mirrors = Mirrors{users_mirrors(arguments.mirrors)},
            .http = arguments.http,
            .attempts = arguments.retries,
            .pause = arguments.pause.value_or(std::chrono::milliseconds{0}),
            .store = users_store(arguments.store)};
}

int run_get(const GetArguments& arguments, const Common& common) {
    const auto started = std::chrono::steady_clock::now();
    // Before every other thread: they inherit the blocked signals.
    const StopSignals signals;
    const auto folder = folder_of(arguments);
    const auto request = run_of(arguments);
    const auto redact = run::redactor_of(request.secrets);
    const auto terminal = make_sink(common.output);
    RedactingSink events{*terminal, redact};
    if (common.output.shows_debug_lines) show_debug_lines(redact);

    events.emit(event::RunStarted{"get", folder.string(), PODCTL_VERSION});
    const auto result = run::get(request, events, signals.token());
    int code = result.failure ? exit_code(*result.failure) : 0;
    if (signals.signal() != 0) code = 128 + signals.signal();
    const auto took = std::chrono::steady_clock::now() - started;
    events.emit(event::RunFinished{code == 0, code,
                                   std::chrono::duration_cast<std::chrono::milliseconds>(took),
                                   result.downloaded_bytes});
    return code;
}

void add_naming_flags(CLI::App& command, GetArguments& arguments) {
    auto& request = arguments.request;
    command.add_option("--name", request.name, "the file's name, of a single source")
        ->type_name("NAME");
    command
        .add_option_function<std::string>(
            "--sha256",
            [&request](const std::string& given) { request.sha256 = checked_sha256(given); },
            "what a single source's file must be")
        ->type_name("HEX");
    command.add_flag_callback(
        "--allow-pickle", [&request] { request.pickle = download::GetRequest::Pickle::allow; },
        "take what is not known to be inert: .ckpt, .pt, .bin, … can run code when loaded");
    add_repeatable(command, "--include", arguments.globs.include,
                   "of a folder's files only these; may be repeated")
        ->type_name("GLOB");
    add_repeatable(command, "--exclude", arguments.globs.exclude,
                   "leave these of a folder's files out; may be repeated")
        ->type_name("GLOB");
    add_repeatable(command, "--trust", request.trust,
                   "take this source although its hub's scan warns of it; may be repeated")
        ->type_name("SOURCE");
    command.add_flag_callback(
        "--force", [&request] { request.existing = download::GetRequest::Existing::replace; },
        "replace another file that stands at the place");
}

constexpr const char* civitdl_group = "As civitdl (models of Civitai)";

void add_civitdl_flags(CLI::App& command, GetArguments& arguments) {
    auto& request = arguments.request;
    static const std::map<std::string, download::NameLayout> layouts{
        {"flat", download::NameLayout::flat}, {"civitdl", download::NameLayout::civitdl}};
    static const std::map<std::string, download::NameLayout> sorters{
        {"basic", download::NameLayout::civitdl}, {"tags", download::NameLayout::civitdl_tags}};
    static const std::map<std::string, hub::NsfwImages> modes{{"0", hub::NsfwImages::safe},
                                                              {"1", hub::NsfwImages::as_model},
                                                              {"2", hub::NsfwImages::all}};
    command
        .add_option_function<std::string>(
            "--layout", [&request](const std::string& name) { request.layout = layouts.at(name); },
            "flat (the default), or the folders and names that civitdl gives")
        ->check(CLI::IsMember(layouts))
        ->type_name("")
        ->group(civitdl_group);
    command
        .add_option_function<std::string>(
            "--sorter", [&request](const std::string& name) { request.layout = sorters.at(name); },
            "civitdl's basic (the default) or tags; includes --layout civitdl")
        ->check(CLI::IsMember(sorters))
        ->type_name("")
        ->group(civitdl_group);
    const auto metadata = [&request]() -> hub::CivitdlMetadataOptions& {
        if (!request.metadata) request.metadata.emplace();
        return *request.metadata;
    };
    command
        .add_flag_callback(
            "--metadata", [metadata] { metadata(); },
            "the model's record, hashes and sample images beside the file")
        ->group(civitdl_group);
    command
        .add_flag_callback(
            "--metadata-only",
            [&request, metadata] {
                metadata();
                request.content = download::GetRequest::Content::metadata_only;
            },
            "those without the file")
        ->group(civitdl_group);
    command
        .add_option_function<int>(
            "--max-images", [metadata](int count) { metadata().max_images = count; },
            "sample images, 3 unless told; includes --metadata")
        ->check(CLI::Range(0, 1000).description("0-1000"))
        ->type_name("N")
        ->group(civitdl_group);
    command
        .add_option_function<std::string>(
            "--nsfw-mode",
            [metadata](const std::string& mode) { metadata().nsfw = modes.at(mode); },
            "sample images: 0 only safe ones, 1 up to the model's own level, 2 all (the default); "
            "includes --metadata")
        ->check(CLI::IsMember(modes))
        ->type_name("")
        ->group(civitdl_group);
    command
        .add_flag_callback(
            "--no-prompts", [metadata] { metadata().prompts = hub::ImagePrompts::leave_out; },
            "sample images without what Civitai says of each; includes --metadata")
        ->group(civitdl_group);
}

void add_transfer_flags(CLI::App& command, GetArguments& arguments) {
    add_connection_flags(command, arguments.http.connections, arguments.http.limit_rate);
    command.add_option("--retries", arguments.retries, "attempts while nothing comes")
        ->check(CLI::Range(1, 100).description("1-100"))
        ->capture_default_str()
        ->type_name("N");
    add_duration_flag(command, "--pause", arguments.pause,
                      "between the beginnings of two files: 3s");
    command.add_flag_callback(
        "--insecure-http",
        [&arguments] { arguments.http.insecure_http = http::Options::InsecureHttp::allow; },
        "send tokens over plain http too");
}

}  // namespace

void add_get(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("get", "fetch files: models, or anything with a URL");
    command->footer(
        "A source is hf:ORG/REPO[@REV][/PATH], civitai:MODEL[@VERSION], an AIR, a page or "
        "download\n"
        "URL of Civitai or Hugging Face, a SHA-256, a Civitai model id, or any http(s) or file "
        "URL;\n"
        "or several of them with commas between. hf:ORG/REPO and hf:ORG/REPO/FOLDER/ are all files "
        "there.\n\n"
        "Examples:\n"
        "  podctl get civitai:299933@610541 /workspace/ComfyUI/models/checkpoints\n"
        "  podctl get hf:stabilityai/sdxl-vae/sdxl_vae.safetensors models/vae --limit-rate 50MB\n"
        "  podctl get hf:openai/clip-vit-large-patch14 clip --include '*.json' --include "
        "model.safetensors\n"
        "  podctl get -i models.txt models/loras --layout civitdl\n"
        "  podctl get -i aria2-list.txt /workspace      # with dir=, out= and checksum=");
    auto arguments = std::make_shared<GetArguments>();
    command->add_option("SOURCE...DIR", arguments->sources, "what to fetch, and into which folder")
        ->type_name("");
    add_repeatable(*command, "-i,--input", arguments->batches,
                   "a file with a source a line; # begins a comment; - is stdin; may be repeated")
        ->type_name("FILE");
    add_naming_flags(*command, *arguments);
    add_transfer_flags(*command, *arguments);
    add_store_flag(*command, arguments->store);
    add_civitdl_flags(*command, *arguments);
    add_mirror_flag(*command, arguments->mirrors);
    add_output_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return run_get(*arguments, common); });
}

}  // namespace podctl::cli

#include "podctl/base/beneath.hpp"
#include "podctl/base/digest.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/download/get.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/hub/batch.hpp"
#include "podctl/run/secrets.hpp"

#include "../command.hpp"
#include "../get_folders.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace podctl::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Files that are looked after at once; how many connections they have together is another matter.
constexpr std::size_t most_at_once = 64;

struct GetArguments {
    std::vector<std::string> sources;  // the last one is the folder
    std::vector<std::string> batches, mirrors;
    std::optional<std::chrono::milliseconds> pause;
    int retries = 5;
    download::GetRequest request;
    hub::Globs globs;  // of folders
    http::Options http;
};

// Each source as a step of the run. Its query may be long, and hold what nobody should see; two
// that differ only there get numbers.
std::vector<std::string> steps_of(const std::vector<hub::BatchEntry>& entries) {
    std::map<std::string, int> taken;
    std::vector<std::string> steps;
    for (const auto& entry : entries) {
        const auto& text = entry.source.text;
        std::string step = text.substr(0, text.find_first_of("?#"));
        const int number = ++taken[step];
        if (number > 1) step += fmt::format(" ({})", number);
        steps.push_back(std::move(step));
    }
    return steps;
}

std::string checked_sha256(const std::string& given) {
    std::string hex = to_lower(trim(given));
    if (hex.starts_with("sha256:")) hex.erase(0, 7);
    if (!is_sha256(hex))
        throw Error{ErrorKind::usage, fmt::format("--sha256 {}: not a SHA-256", given),
                    "64 hexadecimal digits, as sha256sum prints them"};
    return hex;
}

class Get {
public:
    Get(const GetArguments& arguments, const Common& common)
        : arguments_(arguments),
          folder_(folder_of(arguments)),
          entries_(entries_of(arguments)),
          steps_(steps_of(entries_)),
          secrets_(secrets_of(entries_)),
          redact_(run::redactor_of(secrets_)),
          terminal_(make_sink(common.output)),
          events_(*terminal_, redact_) {
        if (common.output.shows_debug_lines) show_debug_lines(redact_);
    }

    int run() {
        events_.emit(event::RunStarted{"get", folder_.string(), PODCTL_VERSION});
        int code = 0;
        {
            http::Client http{options()};
            const Mirrors all_mirrors = mirrors();
            expand_folders(http, all_mirrors);
            download::Downloader downloader{http, all_mirrors};
            download::Getter getter{downloader};
            std::vector<std::jthread> workers;
            for (std::size_t i = 0; i < std::min(entries_.size(), most_at_once); ++i)
                workers.push_back(start_thread(
                    [&](const std::stop_token&) { work(getter); },
                    [&](const std::exception_ptr&) { note_failure(ErrorKind::internal); }));
            workers.clear();
        }
        if (failure_) code = exit_code(*failure_);
        if (signals_.signal() != 0) code = 128 + signals_.signal();
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
        events_.emit(event::RunFinished{code == 0, code, took, received_});
        return code;
    }

private:
    static std::filesystem::path folder_of(const GetArguments& arguments) {
        const std::size_t least = arguments.batches.empty() ? 2 : 1;
        if (arguments.sources.size() < least)
            throw Error{ErrorKind::usage, "podctl get SOURCE... DIR: a source or the folder lacks",
                        "`podctl get SOURCE .` puts it into the current folder"};
        // Opened once and for all.
        anchor(arguments.sources.back());
        return arguments.sources.back();
    }

    static std::vector<hub::BatchEntry> entries_of(const GetArguments& arguments) {
        const std::vector<std::string> sources(arguments.sources.begin(),
                                               arguments.sources.end() - 1);
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

    // Where an input list says nothing else, the folder itself.
    static std::filesystem::path folder_within(const std::filesystem::path& all,
                                               const hub::BatchEntry& entry) {
        const auto wanted = entry.folder / entry.file.parent_path();
        const auto inside = (std::filesystem::absolute(all) / wanted).lexically_normal();
        const auto way =
            inside.lexically_relative(std::filesystem::absolute(all).lexically_normal());
        if (way.empty() || *way.begin() == "..")
            throw Error{
                ErrorKind::usage,
                fmt::format("{}: dir={} is not in {}", entry.origin, wanted.string(), all.string()),
                "name a folder as DIR that holds all of them"};
        return way == "." ? all : all / way;
    }

    static run::Secrets secrets_of(const std::vector<hub::BatchEntry>& entries) {
        auto secrets = run::read_hub_secrets();
        std::vector<hub::Source> sources;
        for (const auto& entry : entries)
            sources.push_back(entry.source);
        secrets.in_sources = run::credentials_in(sources);
        return secrets;
    }

    Mirrors mirrors() const { return Mirrors{users_mirrors(arguments_.mirrors)}; }

    http::Options options() const {
        auto options = arguments_.http;
        const Mirrors all = mirrors();
        options.credentials = run::credentials_of(secrets_, all);
        for (const auto& [from, to] : all.prefixes())
            options.own_places.push_back(to);
        return options;
    }

    void expand_folders(http::Client& http, const Mirrors& all_mirrors) {
        entries_ = with_files_of_folders(
            entries_, {arguments_.globs,
                       http,
                       all_mirrors,
                       {.attempts = arguments_.retries},
                       signals_.token(),
                       [this](const hub::BatchEntry& entry, const std::exception_ptr& failure) {
                           tell_failure(entry.source.text, as_error(failure));
                       }});
        steps_ = steps_of(entries_);
    }

    void tell_failure(const std::string& step, const Error& error) {
        note_failure(error.kind());
        events_.emit(event::StepFailed{step, error.kind(), error.message(), error.hint(), false});
    }

    void work(download::Getter& getter) {
        while (true) {
            const std::size_t index = next_++;
            if (index >= entries_.size() || !wait_for_turn(index)) return;
            get_one(getter, entries_[index], steps_[index]);
        }
    }

    // --pause: a hub that counts questions is not asked all of them at once.
    bool wait_for_turn(std::size_t index) {
        const auto turn = started_ + arguments_.pause.value_or(std::chrono::milliseconds{0}) *
                                         static_cast<long>(index);
        return wait_for(turn - Clock::now(), signals_.token());
    }

    void get_one(download::Getter& getter, const hub::BatchEntry& entry, const std::string& step) {
        const auto started = Clock::now();
        events_.emit(event::StepStarted{step});
        try {
            const auto request = request_of(entry, arguments_.request);
            const auto got = getter.get(request, monitor_of(step), signals_.token());
            received_ += got.received;
            const auto took =
                std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
            events_.emit(event::StepFinished{step, took, got.changed});
            if (request.content == download::GetRequest::Content::file_and_metadata)
                events_.emit(event::FileReady{step, got.path.string(), got.sha256, got.size});
        } catch (const std::exception& caught) {
            tell_failure(step, as_error(caught));
        }
    }

    void note_failure(ErrorKind kind) {
        const std::scoped_lock lock{mutex_};
        if (!failure_) failure_ = kind;
    }

    download::GetMonitor monitor_of(const std::string& step) {
        return {.on_progress =
                    [this, step](const download::Progress& it) {
                        events_.emit(event::StepProgress{step, it.done, it.total});
                    },
                .on_notice =
                    [this, step](const std::string& text) {
                        events_.emit(event::Notice{step, text});
                    },
                .retry = {.attempts = arguments_.retries,
                          .on_retry = [this, step](int attempt, std::chrono::milliseconds wait,
                                                   const std::string& reason) {
                              events_.emit(event::StepRetrying{step, attempt, wait, reason});
                          }}};
    }

    const GetArguments& arguments_;
    const Clock::time_point started_ = Clock::now();
    // Before every other thread: they inherit the blocked signals.
    StopSignals signals_;
    const std::filesystem::path folder_;
    std::vector<hub::BatchEntry> entries_;  // those of files once the folders were listed
    std::vector<std::string> steps_;
    const run::Secrets secrets_;
    Redactor redact_;
    std::unique_ptr<EventSink> terminal_;
    RedactingSink events_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<std::uint64_t> received_ = 0;
    std::mutex mutex_;
    std::optional<ErrorKind> failure_;  // under mutex_ while workers run
};

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
    add_civitdl_flags(*command, *arguments);
    add_mirror_flag(*command, arguments->mirrors);
    add_output_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return Get{*arguments, common}.run(); });
}

}  // namespace podctl::cli

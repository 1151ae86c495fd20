#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/comfy/classes.hpp"
#include "podctl/event/redacting_sink.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/workflow/workflow.hpp"

#include "../comfyui_place.hpp"
#include "../command.hpp"
#include "../put.hpp"
#include "../signals.hpp"
#include "../workflow_runs.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>

namespace podctl::cli {
namespace {

constexpr std::uint64_t most_of_object_info = 256u << 20;
constexpr JsonLimits printed_limits{
    .bytes = 256u << 20, .depth = 110, .values = 4'000'000, .members = 100'000};
constexpr std::chrono::milliseconds classes_timeout{60'000};
// A film may take hours, and whoever waits for it has Ctrl-C.
constexpr std::chrono::hours no_timeout{24 * 365};

struct RunArguments {
    std::vector<std::string> workflows, values, files;
    ComfyUiArguments comfyui;
    std::string object_info;
    std::optional<std::string> folder;
    std::optional<std::chrono::milliseconds> timeout;
    std::optional<std::uint64_t> seed;
    unsigned count = 1;
    bool fresh = false, api_nodes = false, print_prompt = false;
};

// NODE.INPUT=VALUE: a value may hold anything, a title hardly a =.
workflow::InputValue input_value(const std::string& argument) {
    const auto equals = argument.find('=');
    if (equals == argument.npos || equals == 0)
        throw Error{ErrorKind::usage, fmt::format("--set {}: not NODE.INPUT=VALUE", argument),
                    "for instance --set 3.seed=42, or --set 'KSampler.steps=8'"};
    return {argument.substr(0, equals), argument.substr(equals + 1)};
}

// FILE, or FILE=NODE.INPUT. A file whose name has a = in it is itself.
comfy::InputFile input_file(const std::string& argument) {
    std::error_code none;
    const auto equals = argument.rfind('=');
    if (equals == argument.npos || std::filesystem::exists(argument, none))
        return {.path = argument};
    return {.path = argument.substr(0, equals), .target = argument.substr(equals + 1)};
}

std::vector<workflow::InputValue> values_of(const RunArguments& arguments) {
    std::vector<workflow::InputValue> values;
    for (const auto& value : arguments.values)
        values.push_back(input_value(value));
    return values;
}

workflow::Classes classes_for(const RunArguments& arguments, const std::string& url,
                              const StopSignals& signals) {
    if (!arguments.object_info.empty()) {
        const auto stamp = file_stamp(arguments.object_info);
        if (stamp && stamp->size > most_of_object_info)
            throw Error{ErrorKind::usage, arguments.object_info + ": too large to be one"};
        workflow::Classes classes;
        classes.add(read_file(arguments.object_info));
        return classes;
    }
    http::Client http{options_for(url, arguments.comfyui)};
    return comfy::server_classes(url, http, arguments.comfyui.wait.value_or(classes_timeout),
                                 signals.token());
}

// A class once, with the first node that has it.
std::string named(const std::vector<workflow::PlannedNode>& nodes) {
    constexpr std::size_t most = 10;
    std::map<std::string, std::pair<std::string, std::size_t>> classes;
    for (const auto& node : nodes)
        ++classes.try_emplace(node.class_type, node.id, 0).first->second.second;
    std::string text;
    std::size_t count = 0;
    for (const auto& [name, found] : classes) {
        if (count++ == most) return text + fmt::format(" and {} more", classes.size() - most);
        text += fmt::format("{}{} (node {}{})", count > 1 ? ", " : "", name, found.first,
                            found.second > 1 ? fmt::format(" and {} more", found.second - 1) : "");
    }
    return text;
}

std::string url_of(const RunArguments& arguments, const Common& common,
                   const StopSignals& signals) {
    return arguments.comfyui.url.empty() ? url_of_running_pod(common, signals.token())
                                         : checked_comfyui_url(arguments.comfyui.url);
}

int print_prompts(const RunArguments& arguments, const Common& common, const StopSignals& signals) {
    std::vector<workflow::Workflow> workflows;
    for (const auto& file : arguments.workflows)
        workflows.push_back(read_workflow(file));
    const auto url = arguments.object_info.empty() ? url_of(arguments, common, signals) : "";
    const auto classes = classes_for(arguments, url, signals);
    std::vector<workflow::PlannedNode> unknown;
    for (std::size_t i = 0; i < workflows.size(); ++i) {
        const auto prompt = workflow::to_prompt(
            workflows[i], classes,
            {.seed = arguments.seed.value_or(0), .files = {}, .values = values_of(arguments)});
        const auto parsed = parse_ordered_json(prompt.text, printed_limits);
        if (!parsed)
            throw Error{ErrorKind::smoke,
                        fmt::format("the prompt of {} is {}", arguments.workflows[i],
                                    json_fault(prompt.text, printed_limits))};
        put_json(*parsed);
        for (const auto& value : prompt.page_values)
            put(To::err, fmt::format("note: node {} ({}): {} is left empty: {}\n", value.node,
                                     value.class_type, value.input, value.reason));
        unknown.insert(unknown.end(), prompt.unknown.begin(), prompt.unknown.end());
    }
    if (!unknown.empty())
        throw Error{ErrorKind::smoke, fmt::format("ComfyUI does not have {}", named(unknown)),
                    "their class_type is null, as in ComfyUI's own page: no server takes it"};
    return 0;
}

class RunWorkflows {
public:
    RunWorkflows(const RunArguments& arguments, const Common& common)
        : arguments_(arguments),
          url_(url_of(arguments, common, signals_)),
          options_(options_for(url_, arguments.comfyui)),
          key_(comfy_api_key()),
          redact_(run::redactor_of(secrets_with(run::read_hub_secrets(), url_, options_, key_))),
          terminal_(make_sink(common.output)),
          events_(*terminal_, redact_) {
        if (common.output.shows_debug_lines) show_debug_lines(redact_);
        for (const auto& file : arguments.workflows)
            workflows_.push_back(read_workflow(file));
        for (const auto& file : arguments.files)
            files_.push_back(input_file(file));
        require_files();
        values_ = values_of(arguments);
        make_folder();
    }

    int run() {
        const auto what = workflows_.size() == 1 ? arguments_.workflows.front()
                                                 : fmt::format("{} workflows", workflows_.size());
        http::Client http{options_};
        WorkflowSteps steps{{.url = url_,
                             .wait = arguments_.comfyui.wait.value_or(std::chrono::milliseconds{0}),
                             .api_key = key_},
                            http,
                            events_,
                            signals_.token()};
        return steps.told(what, "run", signals_, [&] { return run_all(steps); });
    }

private:
    int run_all(WorkflowSteps& steps) const {
        // What is wrong with the command line is told before anything is queued.
        for (std::size_t i = 0; i < workflows_.size(); ++i)
            if (!values_.empty() || !files_.empty()) steps.check(request(i, 0));
        int code = 0;
        // One that fails keeps no other one away.
        for (std::size_t i = 0; i < workflows_.size(); ++i)
            for (unsigned turn = 0; turn < arguments_.count; ++turn)
                if (!steps.run(step_of(i, turn), request(i, turn)).faults.empty())
                    code = exit_code(ErrorKind::smoke);
        return code;
    }

    // Before anything is asked or run: each is there, and none takes the name of another one.
    void require_files() const {
        std::map<std::string, std::filesystem::path> names;
        for (const auto& file : files_) {
            std::error_code none;
            if (!std::filesystem::is_regular_file(file.path, none))
                throw Error{ErrorKind::usage,
                            fmt::format("--upload: there is no file {}", file.path.string())};
            const auto [other, is_new] =
                names.try_emplace(file.path.filename().string(), file.path);
            if (!is_new && other->second != file.path)
                throw Error{ErrorKind::usage,
                            fmt::format("--upload: {} and {} would have one name in input/",
                                        other->second.string(), file.path.string()),
                            "rename one of them"};
        }
    }

    // A folder that cannot be written is told of before hours of work, not after them.
    void make_folder() const {
        if (!arguments_.folder) return;
        if (arguments_.folder->empty())
            throw Error{ErrorKind::usage, "-o: the folder's name is empty",
                        "-o . is the current one"};
        create_folders(*arguments_.folder);
        if (::access(arguments_.folder->c_str(), W_OK | X_OK) != 0)
            throw system_error("cannot write to " + *arguments_.folder, errno);
    }

    WorkflowStep step_of(std::size_t index, unsigned turn) const {
        const auto& file = arguments_.workflows[index];
        return {.step = arguments_.count == 1 ? "run:" + file
                                              : fmt::format("run:{} #{}", file, turn + 1),
                .workflow = file};
    }

    comfy::RunRequest request(std::size_t index, unsigned turn) const {
        using Request = comfy::RunRequest;
        return {.workflow = workflows_[index],
                .timeout = arguments_.timeout.value_or(no_timeout),
                .files = files_,
                .values = values_,
                .seed = seed_,
                .repeat = turn,
                .cache =
                    arguments_.fresh ? Request::Cache::must_not_answer : Request::Cache::may_answer,
                .api_nodes =
                    arguments_.api_nodes ? Request::ApiNodes::allowed : Request::ApiNodes::refused,
                .save_to = arguments_.folder.value_or("")};
    }

    const RunArguments& arguments_;
    // Before every other thread: they inherit the blocked signals.
    StopSignals signals_;
    const std::string url_;
    const http::Options options_;
    const Secret key_;
    Redactor redact_;
    std::unique_ptr<EventSink> terminal_;
    RedactingSink events_;
    const std::uint64_t seed_ = arguments_.seed.value_or(std::random_device{}());
    std::vector<workflow::Workflow> workflows_;
    std::vector<comfy::InputFile> files_;
    std::vector<workflow::InputValue> values_;
};

int run_workflows(const RunArguments& arguments, const Common& common) {
    if (!arguments.print_prompt) return RunWorkflows{arguments, common}.run();
    const StopSignals signals;
    return exit_code_of([&] { return print_prompts(arguments, common, signals); }, signals);
}

void add_run_options(CLI::App& command, RunArguments& arguments) {
    command
        .add_option("WORKFLOW", arguments.workflows,
                    "files that ComfyUI saved, or pictures, films and sounds that carry one")
        ->type_name("")
        ->required();
    auto* folder =
        command
            .add_option("-o,--output-dir", arguments.folder, "fetch what was made into this folder")
            ->type_name("DIR");
    add_repeatable(command, "--set", arguments.values,
                   "give an input of a node (its id, title or class) a value; may be repeated")
        ->type_name("NODE.INPUT=VALUE");
    auto* files =
        add_repeatable(
            command, "--upload", arguments.files,
            "bring a file into ComfyUI's folder input/, and name it in an input, or where "
            "the workflow names it; may be repeated")
            ->type_name("FILE[=NODE.INPUT]");
    auto* count =
        command
            .add_option("--count", arguments.count,
                        "run it so often, seeds changed in between as ComfyUI's page does")
            ->check(CLI::Range(1u, 10000u).description("1-10000"))
            ->type_name("N");
    command
        .add_option("--seed", arguments.seed,
                    "chooses among {a|b} and random seeds: the same number, the same choices")
        ->type_name("N");
    command.add_flag("--fresh", arguments.fresh,
                     "let ComfyUI forget earlier results, and run every node");
    command.add_flag("--allow-api-nodes", arguments.api_nodes,
                     "run nodes that call services which cost money, with $COMFY_API_KEY");
    add_duration_flag(command, "--timeout", arguments.timeout,
                      "for each workflow: 30m; without it as long as it takes");
    command
        .add_flag("--print-prompt", arguments.print_prompt,
                  "print what would be queued as JSON, and run nothing")
        ->excludes(folder)
        ->excludes(files)
        ->excludes(count);
    command
        .add_option("--object-info", arguments.object_info,
                    "for --print-prompt: what GET /object_info answered, in the place of a server")
        ->type_name("FILE");
}

}  // namespace

void add_run(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("run", "run workflows on a running ComfyUI");
    command->footer(
        "A workflow is queued as ComfyUI's own page does, and watched until it has ended; Ctrl-C\n"
        "takes it back. It runs on this machine's pod, or at --url. Without -o what was made is\n"
        "fetched, looked at and told, and stays at ComfyUI. Exits 6 when a node fails, something\n"
        "is missing or nothing was made; the other workflows run all the same.\n\n"
        "Examples:\n"
        "  podctl run portrait.json -o pictures\n"
        "  podctl run portrait.json --set 3.seed=42 --set 'KSampler.steps=8' --count 4\n"
        "  podctl run restyle.json --upload me.png=LoadImage.image -o out\n"
        "  podctl run old.png --url https://pod.example --header 'Authorization=Bearer $TOKEN'\n"
        "  podctl run portrait.json --print-prompt --object-info classes.json");
    auto arguments = std::make_shared<RunArguments>();
    add_common_flags(*command, common);
    add_run_options(*command, *arguments);
    add_comfyui_flags(*command, arguments->comfyui,
                      "where ComfyUI is, if not in this machine's pod");
    command->get_option("--object-info")->excludes("--url");
    when_chosen(*command, chosen,
                [&common, arguments] { return run_workflows(*arguments, common); });
}

}  // namespace podctl::cli

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/url.hpp"
#include "podctl/comfy/classes.hpp"
#include "podctl/workflow/workflow.hpp"

#include "../command.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>

namespace podctl::cli {
namespace {

constexpr std::uint64_t most_of_workflow = 64u << 20, most_of_object_info = 256u << 20;
constexpr JsonLimits printed_limits{
    .bytes = 256u << 20, .depth = 110, .values = 4'000'000, .members = 100'000};
constexpr std::chrono::milliseconds classes_timeout{60'000};

struct RunArguments {
    std::string workflow, url, object_info;
    std::uint64_t seed = 0;
    bool print_prompt = false;
};

std::string read_at_most(const std::filesystem::path& path, std::uint64_t most) {
    const auto stamp = file_stamp(path);
    if (stamp && stamp->size > most)
        throw Error{ErrorKind::usage, path.string() + ": too large to be one"};
    return read_file(path);
}

workflow::Classes classes_for(const RunArguments& arguments, const StopSignals& signals) {
    if (!arguments.object_info.empty()) {
        workflow::Classes classes;
        classes.add(read_at_most(arguments.object_info, most_of_object_info));
        return classes;
    }
    const auto url = parse_url(arguments.url);
    if (!url || (url->scheme != "http" && url->scheme != "https"))
        throw Error{ErrorKind::usage, "--url: not an http or https URL",
                    "for instance --url http://127.0.0.1:8188"};
    http::Client http;
    return comfy::server_classes(arguments.url, http, classes_timeout, signals.token());
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

int print_prompt(const RunArguments& arguments, const StopSignals& signals) {
    if (!arguments.print_prompt)
        throw Error{ErrorKind::usage, "podctl run: only --print-prompt works so far",
                    "`podctl smoke --url URL --workflow FILE` runs a workflow"};
    if (arguments.object_info.empty() && arguments.url.empty())
        throw Error{ErrorKind::usage, "podctl run: no --object-info and no --url",
                    "the classes of nodes are a server's: --url http://127.0.0.1:8188, or what its "
                    "/object_info answered as a file"};
    const auto workflow = workflow::read_workflow(
        read_at_most(arguments.workflow, most_of_workflow), arguments.workflow);
    const auto classes = classes_for(arguments, signals);
    const auto prompt = workflow::to_prompt(workflow, classes, {.seed = arguments.seed});
    const auto parsed = parse_ordered_json(prompt.text, printed_limits);
    if (!parsed)
        throw Error{ErrorKind::smoke, fmt::format("the prompt of {} is {}", arguments.workflow,
                                                  json_fault(prompt.text, printed_limits))};
    put_json(*parsed);
    for (const auto& value : prompt.page_values)
        put(To::err, fmt::format("note: node {} ({}): {} is left empty: {}\n", value.node,
                                 value.class_type, value.input, value.reason));
    if (!prompt.unknown.empty())
        throw Error{ErrorKind::smoke,
                    fmt::format("ComfyUI does not have {}", named(prompt.unknown)),
                    "their class_type is null, as in ComfyUI's own page: no server takes it"};
    return 0;
}

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "run", "a workflow as ComfyUI's own page would send it; running is `podctl smoke`'s");
    command->footer(
        "The workflow is a file that ComfyUI saved, with Save or with Export (API), or the body\n"
        "of a request for POST /prompt. What goes to POST /prompt is printed as JSON. Exits 6 "
        "when\n"
        "the server lacks a class of a node, after printing.\n\n"
        "Examples:\n"
        "  podctl run portrait.json --print-prompt --url http://127.0.0.1:8188\n"
        "  curl -s http://127.0.0.1:8188/object_info > classes.json\n"
        "  podctl run portrait.json --print-prompt --object-info classes.json");
    auto arguments = std::make_shared<RunArguments>();
    command->add_option("WORKFLOW", arguments->workflow, "the workflow's file")
        ->type_name("")
        ->required();
    command->add_flag("--print-prompt", arguments->print_prompt,
                      "print the prompt, and run nothing");
    auto* url = command->add_option("--url", arguments->url, "the ComfyUI whose classes it is for")
                    ->type_name("URL");
    command
        ->add_option("--object-info", arguments->object_info,
                     "what GET /object_info answered, in the place of a server")
        ->type_name("FILE")
        ->excludes(url);
    command
        ->add_option("--seed", arguments->seed,
                     "chooses among {a|b}: the same number, the same choice")
        ->type_name("N");
    when_chosen(*command, chosen, [arguments] {
        StopSignals signals;
        return exit_code_of([&] { return print_prompt(*arguments, signals); }, signals);
    });
}

}  // namespace podctl::cli

#include "podctl/comfy/smoke.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/workflow/workflow.hpp"

#include "built_in.hpp"
#include "client.hpp"
#include "faults.hpp"
#include "outputs.hpp"
#include "watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace podctl::comfy {
namespace {

// RFC 9562 §5.4. The id is ours, so that a prompt can be taken back before its answer has come.
std::string random_uuid() {
    std::random_device random;
    const auto word = [&] { return static_cast<std::uint32_t>(random()); };
    return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:08x}{:04x}", word(), word() & 0xFFFF,
                       word() & 0xFFF, 0x8000 | (word() & 0x3FFF), word(), word() & 0xFFFF);
}

// Takes the prompt back, unless it has ended.
class QueuedPrompt {
public:
    QueuedPrompt(const Client& client, std::string& id) : client_(client), id_(id) {}
    ~QueuedPrompt() {
        if (!has_ended_) client_.cancel(id_);
    }
    QueuedPrompt(const QueuedPrompt&) = delete;
    QueuedPrompt& operator=(const QueuedPrompt&) = delete;
    void has_ended() { has_ended_ = true; }

private:
    const Client& client_;
    const std::string& id_;
    bool has_ended_ = false;
};

// A prompt is no larger than the workflow that it was made of, but for its subgraphs.
constexpr JsonLimits prompt_limits{
    .bytes = 256u << 20, .depth = 110, .values = 4'000'000, .members = 100'000};

class Smoke {
public:
    Smoke(const SmokeRequest& request, const workflow::Workflow& workflow, const Client& client,
          const SmokeMonitor& monitor, SmokeReport& report)
        : request_(request),
          workflow_(workflow),
          client_(client),
          monitor_(monitor),
          report_(report) {}

    void run() {
        client_.expect_comfyui();
        needs_ = workflow::needs_of(workflow_);
        for (const auto& node : needs_.nodes)
            report_.nodes.push_back({node.id, node.class_type, node.title});
        ask_for_classes();
        const auto prompt = converted();
        if (prompt.empty())
            throw Error{ErrorKind::smoke,
                        "no node of the workflow runs: all are muted or bypassed"};
        auto missing = missing_classes(known());
        if (missing.empty() && missing_unchecked_models(known(), prompt).empty())
            return run(prompt);
        // All that is missing at once, where ComfyUI would stop at the first.
        add(std::move(missing));
        add(missing_choices(known(), prompt));
    }

private:
    Known known() const { return {client_, workflow_.format(), needs_, classes_, request_.pod}; }
    void add(Faults faults) { std::ranges::move(faults, std::back_inserter(report_.faults)); }

    void ask_for_classes() {
        std::set<std::string> names;
        for (const auto& node : needs_.nodes)
            names.insert(node.class_type);
        for (const auto& name : names)
            if (auto found = client_.node_class(name, page_classes_))
                classes_.emplace(name, std::move(*found));
    }

    json converted() const {
        const auto made = workflow::to_prompt(workflow_, page_classes_);
        for (const auto& value : made.page_values)
            if (monitor_.on_notice)
                monitor_.on_notice(fmt::format("node {} ({}): {} is left empty: {}", value.node,
                                               value.class_type, value.input, value.reason));
        auto prompt = parse_json(made.text, prompt_limits);
        if (!prompt)
            throw Error{ErrorKind::smoke, fmt::format("the prompt of the workflow is {}",
                                                      json_fault(made.text, prompt_limits))};
        return *std::move(prompt);
    }

    void run(const json& prompt) {
        const auto client_id = random_uuid();
        Watch watch{client_, monitor_, request_.patience, client_id};
        report_.prompt_id = random_uuid();
        QueuedPrompt queued{client_, report_.prompt_id};
        if (!queue(prompt, client_id)) return;
        const auto entry = watch.wait(report_.prompt_id, prompt);
        queued.has_ended();
        add(failed_node(entry));
        if (was_cached(entry, prompt) && monitor_.on_notice)
            monitor_.on_notice(
                "ComfyUI had every result from an earlier run, and ran no node: "
                "change a seed to test it again");
        if (report_.faults.empty()) check_outputs(entry, prompt, client_, report_);
    }

    // False: ComfyUI found fault with it. What it would run of a workflow in part is no test of it.
    bool queue(const json& prompt, const std::string& client_id) {
        const auto response = client_.queue(prompt, report_.prompt_id, client_id);
        const auto answer = parse_json(response.body).value_or(json());
        // An older one chooses the id by itself.
        if (const auto id = id_at(answer, "prompt_id"); !id.empty()) report_.prompt_id = id;
        add(refused_nodes(known(), prompt, answer));
        if (report_.faults.empty() && (response.status != 200 || !member(answer, "prompt_id")))
            throw Error{ErrorKind::smoke,
                        fmt::format("POST /prompt answered {}: {}", response.status,
                                    trim(std::string_view(response.body).substr(0, 200))),
                        "ComfyUI's log says why: `podctl logs comfyui`"};
        return report_.faults.empty();
    }

    const SmokeRequest& request_;
    const workflow::Workflow& workflow_;
    const Client& client_;
    const SmokeMonitor& monitor_;
    SmokeReport& report_;
    workflow::Needs needs_;
    NodeClasses classes_;             // to explain faults with
    workflow::Classes page_classes_;  // to convert with
};

}  // namespace

SmokeReport run_smoke(const SmokeRequest& request, http::Client& http, const SmokeMonitor& monitor,
                      std::stop_token stop) {
    const auto workflow = workflow::read_workflow(
        request.workflow.empty() ? built_in_workflow() : request.workflow, request.workflow_name);
    const Client client{http, request.url, Client::Clock::now() + request.timeout, std::move(stop)};
    SmokeReport report;
    try {
        Smoke{request, workflow, client, monitor, report}.run();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::smoke && error.kind() != ErrorKind::network) throw;
        report.faults.push_back({.message = error.message(), .hint = error.hint()});
    }
    return report;
}

}  // namespace podctl::comfy

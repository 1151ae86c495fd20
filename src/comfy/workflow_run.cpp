#include "podctl/comfy/workflow_run.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/workflow/workflow.hpp"

#include "client.hpp"
#include "faults.hpp"
#include "outputs.hpp"
#include "watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

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

// What is known of the ComfyUI, for all runs.
struct Asked {
    NodeClasses classes;             // to explain faults with
    workflow::Classes page_classes;  // to convert with
    bool is_there = false;
};

class WorkflowRun {
public:
    WorkflowRun(const RunRequest& request, const RunTarget& target, Client& client,
                const RunMonitor& monitor, Asked& asked, RunReport& report)
        : request_(request),
          target_(target),
          client_(client),
          monitor_(monitor),
          asked_(asked),
          report_(report) {}

    void run() {
        if (!asked_.is_there)
            client_.expect_comfyui(target_.wait, [&](const std::string& it) { notice(it); });
        asked_.is_there = true;
        needs_ = workflow::needs_of(request_.workflow);
        for (const auto& node : needs_.nodes)
            report_.nodes.push_back(
                {.id = node.id, .class_type = node.class_type, .title = node.title});
        upload_files();
        ask_for_classes();
        const auto prompt = converted();
        if (prompt.empty())
            throw Error{ErrorKind::smoke,
                        "no node of the workflow runs: all are muted or bypassed"};
        if (find_faults(prompt)) return;
        run(prompt);
    }

private:
    using Node = event::WorkflowNode;
    bool has_to_run() const { return request_.cache == RunRequest::Cache::must_not_answer; }
    Known known() const {
        return {client_, request_.workflow.format(), needs_, asked_.classes, target_.pod};
    }
    void add(Faults faults) { std::ranges::move(faults, std::back_inserter(report_.faults)); }
    void notice(const std::string& text) const {
        if (monitor_.on_notice) monitor_.on_notice(text);
    }

    void upload_files() {
        options_ = {.seed = request_.seed, .repeat = request_.repeat, .files = {}, .values = {}};
        for (const auto& file : request_.files) {
            const auto name = client_.upload(file.path);
            if (file.target.empty())
                options_.files[file.path.filename().string()] = name;
            else
                options_.values.push_back({file.target, name});
        }
        options_.values.insert(options_.values.end(), request_.values.begin(),
                               request_.values.end());
        // A choice among the files of input/ has more of them now.
        if (!request_.files.empty()) asked_ = {.classes = {}, .page_classes = {}, .is_there = true};
    }

    void ask_for_classes() {
        for (const auto& node : needs_.nodes) {
            if (asked_.classes.contains(node.class_type)) continue;
            if (auto found = client_.node_class(node.class_type, asked_.page_classes))
                asked_.classes.emplace(node.class_type, std::move(*found));
        }
    }

    json converted() {
        auto made = workflow::to_prompt(request_.workflow, asked_.page_classes, options_);
        for (const auto& value : made.page_values)
            notice(fmt::format("node {} ({}): {} is left empty: {}", value.node, value.class_type,
                               value.input, value.reason));
        auto prompt = parse_json(made.text, prompt_limits);
        if (!prompt)
            throw Error{ErrorKind::smoke, fmt::format("the prompt of the workflow is {}",
                                                      json_fault(made.text, prompt_limits))};
        prompt_text_ = std::move(made.text);
        return *std::move(prompt);
    }

    // All that is missing at once, where ComfyUI would stop at the first.
    bool find_faults(const json& prompt) {
        add(missing_classes(known()));
        if (!report_.faults.empty() || !missing_unchecked_models(known(), prompt).empty())
            add(missing_choices(known(), prompt));
        if (request_.api_nodes == RunRequest::ApiNodes::refused) add(api_nodes(known(), prompt));
        return !report_.faults.empty();
    }

    void run(const json& prompt) {
        if (has_to_run() && !client_.forget_results())
            notice("this ComfyUI cannot be asked to forget results: it has no POST /free");
        auto entry = queue_and_wait(prompt);
        // ComfyUI forgets between two prompts. One that was queued before it came to that has had
        // the old results, and the next one has none.
        if (entry && has_to_run() && !cached_nodes(*entry).empty() && failed_node(*entry).empty())
            entry = queue_and_wait(prompt);
        if (!entry) return;
        add(failed_node(*entry));
        if (has_to_run()) add(untested_nodes(report_.nodes));
        if (!report_.faults.empty()) return;
        if (std::ranges::all_of(report_.nodes,
                                [](const Node& it) { return it.state == Node::State::cached; }))
            notice(
                "ComfyUI had every result of an earlier prompt, and ran no node: change a seed "
                "to make another one, or say --fresh");
        fetch_outputs(*entry, prompt, client_,
                      {.folder = request_.save_to,
                       .on_progress =
                           [&](const std::string& detail) {
                               if (monitor_.on_progress)
                                   monitor_.on_progress(prompt.size(), prompt.size(), detail);
                           }},
                      report_);
    }

    // nullopt: ComfyUI found fault with it.
    std::optional<json> queue_and_wait(const json& prompt) {
        const auto client_id = random_uuid();
        Watch watch{client_, monitor_, target_.patience, client_id};
        report_.prompt_id = random_uuid();
        QueuedPrompt queued{client_, report_.prompt_id};
        if (!queue(prompt, client_id)) return std::nullopt;
        auto entry = watch.wait(report_.prompt_id, prompt);
        queued.has_ended();
        tell_nodes(entry, watch);
        return entry;
    }

    // False: ComfyUI found fault with it. What it would run of a workflow in part is no test of it.
    bool queue(const json& prompt, const std::string& client_id) {
        const bool is_saved = request_.workflow.format() == workflow::Format::ui;
        const auto response = client_.queue({.prompt = prompt_text_,
                                             .workflow = is_saved ? request_.workflow.text() : "",
                                             .prompt_id = report_.prompt_id,
                                             .client_id = client_id,
                                             .api_key = api_key()});
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

    const Secret* api_key() const {
        if (target_.api_key.empty()) return nullptr;
        if (client_.may_send_api_key()) return &target_.api_key;
        notice(
            fmt::format("$COMFY_API_KEY is not sent to {}, which is plain http: --insecure-http "
                        "sends it all the same",
                        client_.shown_url()));
        return nullptr;
    }

    void tell_nodes(const json& entry, const Watch& watch) {
        const auto cached = cached_nodes(entry);
        const auto executed = executed_nodes(entry);
        const auto failure = failed_node(entry);
        const auto failed = failure.empty() ? std::string{} : failure.front().node;
        for (auto& node : report_.nodes) {
            const auto time = watch.times().find(node.id);
            const bool was_seen = time != watch.times().end();
            if (was_seen) node.took = time->second;
            const bool has_ended_well =
                failure.empty() && (!watch.has_seen_all() || watch.times().empty());
            if (!failed.empty() && node.id == failed)
                node.state = Node::State::failed;
            else if (cached.contains(node.id))
                node.state = Node::State::cached;
            else if (was_seen || has_ended_well || (executed && executed->contains(node.id)))
                node.state = Node::State::ran;
            else
                node.state = Node::State::not_run;
        }
    }

    const RunRequest& request_;
    const RunTarget& target_;
    Client& client_;
    const RunMonitor& monitor_;
    Asked& asked_;
    RunReport& report_;
    workflow::Needs needs_ = {};
    workflow::ConversionOptions options_ = {};
    std::string prompt_text_ = {};
};

}  // namespace

class WorkflowRunner::State {
public:
    State(RunTarget target, http::Client& http, RunMonitor monitor, std::stop_token stop)
        : target_(std::move(target)),
          monitor_(std::move(monitor)),
          client_(http, target_.url, Client::Clock::now(), std::move(stop)) {}

    RunReport run(const RunRequest& request) {
        client_.set_deadline(Client::Clock::now() + request.timeout);
        RunReport report;
        try {
            WorkflowRun{request, target_, client_, monitor_, asked_, report}.run();
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::smoke && error.kind() != ErrorKind::network) throw;
            report.faults.push_back({.message = error.message(), .hint = error.hint()});
        }
        return report;
    }

private:
    const RunTarget target_;
    const RunMonitor monitor_;
    Client client_;
    Asked asked_;
};

WorkflowRunner::WorkflowRunner(RunTarget target, http::Client& http, RunMonitor monitor,
                               std::stop_token stop)
    : state_(
          std::make_unique<State>(std::move(target), http, std::move(monitor), std::move(stop))) {}
WorkflowRunner::~WorkflowRunner() = default;

RunReport WorkflowRunner::run(const RunRequest& request) {
    return state_->run(request);
}

}  // namespace podctl::comfy

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
#include <cctype>
#include <map>
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
    QueuedPrompt(const Client& client, const std::string& id, const RunMonitor& monitor)
        : client_(client), id_(id), monitor_(monitor) {}
    ~QueuedPrompt() {
        if (has_ended_) return;
        // A request that was given up may reach ComfyUI afterwards.
        const auto look_until =
            Client::Clock::now() + (is_queued_ ? std::chrono::seconds{0} : std::chrono::seconds{3});
        const bool is_gone = client_.cancel(id_, look_until);
        if (monitor_.on_notice)
            monitor_.on_notice(is_gone ? "its prompt was taken back"
                                       : "its prompt could not be taken back: ComfyUI does not "
                                         "answer, and may go on with it");
    }
    QueuedPrompt(const QueuedPrompt&) = delete;
    QueuedPrompt& operator=(const QueuedPrompt&) = delete;
    void is_queued() { is_queued_ = true; }
    void has_ended() { has_ended_ = true; }

private:
    const Client& client_;
    const std::string& id_;
    const RunMonitor& monitor_;
    bool is_queued_ = false, has_ended_ = false;
};

// A prompt is no larger than the workflow that it was made of, but for its subgraphs.
constexpr JsonLimits prompt_limits{
    .bytes = 256u << 20, .depth = 110, .values = 4'000'000, .members = 100'000};

// What is known of the ComfyUI, for all runs.
struct Asked {
    Client::Clock::time_point wait_until;  // for its first answer
    bool is_there = false;
    NodeClasses classes = {};                                    // to explain faults with
    workflow::Classes page_classes = {};                         // to convert with
    std::map<std::filesystem::path, std::string> uploaded = {};  // and what ComfyUI calls it
};

// ComfyUI may choose an id of its own; it goes into URLs and orders.
bool is_plain_id(const std::string& id) {
    constexpr std::size_t longest = 100;
    return !id.empty() && id.size() <= longest && std::ranges::all_of(id, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
}

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

    // What can be said of the request before anything is sent that changes anything.
    void check() {
        ask();
        options_.values = request_.values;
        for (const auto& file : request_.files)
            if (!file.target.empty())
                options_.values.push_back({file.target, file.path.filename().string()});
        convert();
    }

    void run() {
        ask();
        for (const auto& node : needs_.nodes)
            report_.nodes.push_back(
                {.id = node.id, .class_type = node.class_type, .title = node.title});
        upload_files();
        ask_for_classes();
        const auto prompt = converted();
        require_use_of_files(prompt);
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

    void ask() {
        if (!asked_.is_there)
            client_.expect_comfyui(asked_.wait_until, [&](const std::string& it) { notice(it); });
        asked_.is_there = true;
        needs_ = workflow::needs_of(request_.workflow);
        ask_for_classes();
    }

    void upload_files() {
        options_ = {.seed = request_.seed, .repeat = request_.repeat, .files = {}, .values = {}};
        for (const auto& file : request_.files) {
            auto& name = asked_.uploaded[file.path];
            if (name.empty()) {
                name = client_.upload(file.path);
                // A choice among the files of input/ has one more now.
                asked_.classes.clear();
                asked_.page_classes = {};
            }
            if (file.target.empty())
                options_.files[file.path.filename().string()] = name;
            else
                options_.values.push_back({file.target, name});
        }
        options_.values.insert(options_.values.end(), request_.values.begin(),
                               request_.values.end());
    }

    // Whoever brings a file means it to be used.
    void require_use_of_files(const json& prompt) {
        for (const auto& file : request_.files) {
            const auto& name = asked_.uploaded[file.path];
            const bool is_used = std::ranges::any_of(prompt, [&](const json& node) {
                const auto& inputs = object_at(node, "inputs");
                return std::ranges::find(inputs, json(name)) != inputs.end();
            });
            if (!is_used)
                throw Error{ErrorKind::smoke,
                            fmt::format("{} was brought, and no input of the workflow names it",
                                        file.path.filename().string()),
                            "say where it goes: --upload FILE=NODE.INPUT"};
        }
    }

    void ask_for_classes() {
        for (const auto& node : needs_.nodes) {
            if (asked_.classes.contains(node.class_type)) continue;
            if (auto found = client_.node_class(node.class_type, asked_.page_classes))
                asked_.classes.emplace(node.class_type, std::move(*found));
        }
    }

    workflow::Prompt convert() const {
        return workflow::to_prompt(request_.workflow, asked_.page_classes, options_);
    }

    json converted() {
        auto made = convert();
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
        QueuedPrompt queued{client_, report_.prompt_id, monitor_};
        if (!queue(prompt, client_id)) return std::nullopt;
        queued.is_queued();
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
        if (const auto id = id_at(answer, "prompt_id"); is_plain_id(id)) report_.prompt_id = id;
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
        const auto reason = client_.reason_to_keep_api_key();
        if (reason.empty()) return &target_.api_key;
        notice("$COMFY_API_KEY: " + reason);
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
          client_(http, target_.url, Client::Clock::now(), std::move(stop)),
          asked_{.wait_until = Client::Clock::now() + target_.wait} {}

    void check(const RunRequest& request) {
        client_.set_deadline(Client::Clock::now() + request.timeout);
        RunReport ignored;
        try {
            WorkflowRun{request, target_, client_, monitor_, asked_, ignored}.check();
        } catch (const Error& error) {
            // The run will come to that, too, and tell of it.
            if (!is_of_the_run(error)) throw;
        }
    }

    RunReport run(const RunRequest& request) {
        client_.set_deadline(Client::Clock::now() + request.timeout);
        RunReport report;
        try {
            WorkflowRun{request, target_, client_, monitor_, asked_, report}.run();
        } catch (const Error& error) {
            if (!is_of_the_run(error)) throw;
            report.faults.push_back({.message = error.message(), .hint = error.hint()});
        }
        return report;
    }

private:
    static bool is_of_the_run(const Error& error) {
        return error.kind() == ErrorKind::smoke || error.kind() == ErrorKind::network ||
               error.kind() == ErrorKind::unauthorized;
    }

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

void WorkflowRunner::check(const RunRequest& request) {
    state_->check(request);
}

RunReport WorkflowRunner::run(const RunRequest& request) {
    return state_->run(request);
}

}  // namespace podctl::comfy

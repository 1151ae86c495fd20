#include "podctl/run/provision.hpp"

#include "podctl/base/debug_log.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/remove_tree.hpp"
#include "podctl/git/git.hpp"
#include "podctl/python/generations.hpp"

#include "checks/machine_checks.hpp"
#include "context.hpp"
#include "environments.hpp"
#include "executor.hpp"
#include "leftovers.hpp"
#include "provisioner_state.hpp"
#include "resolution.hpp"
#include "steps/environment_lock.hpp"
#include "steps/steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <set>

namespace podctl::run {
namespace {

Look look_at(const Task& task) {
    return std::visit([&](const auto& action) { return look(action, task); }, task.step.action);
}

Outcome perform_step(const Task& task) {
    return std::visit([&](const auto& action) { return perform(action, task); }, task.step.action);
}

// The steps that have not ended and change what lies on the volume.
class LeftOnVolume {
public:
    explicit LeftOnVolume(const plan::Plan& plan) {
        for (const auto& step : plan.steps)
            if (plan::changes_volume(step, plan.places)) left_.insert(&step);
    }

    // Once, by the step whose end was the last that mattered.
    bool has_become_none(const plan::Step& ended) {
        const std::scoped_lock lock{mutex_};
        left_.erase(&ended);
        if (was_none_ || !std::ranges::all_of(left_, runs_nothing)) return false;
        return was_none_ = true;
    }

private:
    // Known once the packs are there, which are steps themselves.
    static bool runs_nothing(const plan::Step* step) {
        const auto* script = std::get_if<plan::InstallScript>(&step->action);
        return script && !file_stamp(script->pack / "install.py");
    }

    std::mutex mutex_;
    std::set<const plan::Step*> left_;
    bool was_none_ = false;
};

// Looks, does, records and tells: what every step has in common.
class Runner : public StepRunner {
public:
    // `ahead`: what look_ahead() found.
    Runner(const plan::Plan& plan, Context& context, std::map<std::string, Look> ahead,
           VolumeUse volume)
        : context_(context),
          ahead_(std::move(ahead)),
          volume_(std::move(volume)),
          left_on_volume_(plan) {}

    StepEnd run(const plan::Step& step, const WaitFor& wait_for, std::stop_token stop) override {
        const auto end = run_step(step, wait_for, std::move(stop));
        note_end(step);
        return end;
    }

    void not_run(const plan::Step& step, const std::string& because_of) override {
        context_.events.emit(event::StepSkipped{step.id,
                                                fmt::format("not run: {} failed", because_of),
                                                event::StepSkipped::Why::not_run});
        note_end(step);
    }

private:
    void note_end(const plan::Step& step) {
        if (volume_.on_done && left_on_volume_.has_become_none(step)) volume_.on_done();
    }

    StepEnd run_step(const plan::Step& step, const WaitFor& wait_for, std::stop_token stop) {
        const auto started = std::chrono::steady_clock::now();
        try {
            const Task task{step, context_.journal_of(step).find(step.id), context_, stop,
                            wait_for};
            const bool always = std::holds_alternative<plan::Preflight>(step.action);
            const Look found = find(task);
            if (!found.notice.empty()) task.notice(found.notice);
            if (found.change == plan::Change::keep && !always) {
                context_.events.emit(event::StepSkipped{step.id, found.reason});
                return {};
            }
            if (!always) anything_done_ = true;
            log_debug("run", [&] { return fmt::format("{}: {}", step.id, found.reason); });
            context_.events.emit(event::StepStarted{step.id});
            const Outcome outcome = perform_step(task);
            // One that was suspended meanwhile has not been told yet that others are at work.
            if (volume_.require && plan::changes_volume(step, context_.places)) volume_.require();
            const Record record{.fingerprint = step.fingerprint, .facts = outcome.facts};
            if (!always && task.record != record) context_.journal_of(step).put(step.id, record);
            const auto took = std::chrono::steady_clock::now() - started;
            context_.events.emit(event::StepFinished{
                step.id, std::chrono::duration_cast<std::chrono::milliseconds>(took),
                outcome.changed});
            return {};
        } catch (const std::exception& caught) {
            const Error error = as_error(caught);
            context_.events.emit(event::StepFailed{step.id, error.kind(), error.message(),
                                                   error.hint(), step.optional});
            return {StepEnd::State::failed, error.kind()};
        }
    }

    // What was found before the first step holds until a step does something.
    Look find(const Task& task) const {
        const auto found = ahead_.find(task.step.id);
        return anything_done_ || found == ahead_.end() ? look_at(task) : found->second;
    }

    Context& context_;
    const std::map<std::string, Look> ahead_;
    const VolumeUse volume_;
    LeftOnVolume left_on_volume_;
    std::atomic<bool> anything_done_ = false;
};

// A server that does not answer now makes the bill vague, no more.
hub::Offer ask_size(const std::string& url, Context& context, std::stop_token stop) {
    try {
        return hub::probe(url, context.http(), context.mirrors, stop);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        return {.refusal = error.message()};
    }
}

// What the plan's models and environments are going to need of the machine. Returns what was found
// of each.
std::map<std::string, Look> look_ahead(const plan::Plan& plan, Context& context,
                                       const std::stop_token& stop) {
    std::map<std::string, Look> ahead;
    context.due.packs = pack_sources_of(plan);
    for (const auto& step : plan.steps) {
        const Task task{step, context.journal_of(step).find(step.id), context, stop};
        const bool is_model = plan::is_download(step);
        const plan::EnvironmentSpec* spec = plan::environment_of(step);
        if (!is_model && !spec) continue;
        const Look& found = ahead[step.id] = look_at(task);
        if (found.change == plan::Change::keep) continue;
        if (is_model) context.due.disk = context.due.disk + found.disk;
        if (is_model) context.due.store = context.due.store + found.store;
        if (!spec) continue;
        auto& environments = context.due.environments;
        const bool is_new = std::ranges::none_of(
            environments, [&](const auto& other) { return other.name == spec->name; });
        if (is_new) environments.push_back(*spec);
        if (plan::resolved_by(step) && needs_resolution(*spec, task))
            context.due.resolutions.push_back(*spec);
    }
    return ahead;
}

// Under which a step's bytes gather.
std::set<std::string> partial_names(const plan::Step& step) {
    if (const auto* model = std::get_if<plan::FetchModel>(&step.action))
        return {partial_name(*model)};
    const auto* folder = std::get_if<plan::FetchFolder>(&step.action);
    std::set<std::string> names;
    if (folder && folder->listing)
        for (const auto& file : folder->chosen(*folder->listing).files)
            names.insert(partial_name(folder->model_of(file)));
    return names;
}

// Bytes of a model that no step wants any more: its line may come back, or belong to another
// template of this root, but not for ever.
void remove_forgotten_parts(const plan::Plan& plan) {
    constexpr std::chrono::hours patience{7 * 24};
    const auto too_old = std::filesystem::file_time_type::clock::now() - patience;
    std::vector<std::filesystem::path> old;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{plan.places.partial, none}) {
        const auto changed = entry.last_write_time(none);
        if (!none && changed < too_old) old.push_back(entry.path());
    }
    if (old.empty()) return;  // as at most starts: a folder's names are many
    std::set<std::string> wanted;
    for (const auto& step : plan.steps)
        wanted.merge(partial_names(step));
    for (const auto& path : old) {
        const auto name = path.filename().string();
        const bool is_wanted = std::ranges::any_of(
            wanted, [&](const std::string& part) { return name.starts_with(part); });
        if (!is_wanted) remove_tree_quietly(path);
    }
}

// The pod's lock and the volume's are held: nobody else writes here, and no step goes on with what
// another run has staged. What requirements were resolved to (Places::resolved) is left alone:
// other pods write there without the volume's lock, and the oldest of it goes anyway.
void remove_what_was_cut_short(const plan::Plan& plan) {
    const auto& places = plan.places;
    for (const auto& folder : {places.state, places.own, places.locks})
        remove_abandoned(folder);
    for (const auto& step : plan.steps)
        if (const auto* spec = plan::installed_by(step)) python::remove_abandoned_marks(spec->path);
    for (const auto& folder : {places.staging, places.scratch}) {
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator{folder, none})
            remove_tree(entry.path());
    }
    remove_forgotten_parts(plan);
}

}  // namespace

Provisioner::Provisioner(const tmpl::Template& pod, const plan::Places& places, Secrets secrets,
                         Options options, EventSink& events) {
    state_.reset(new State{.context = {.pod = pod,
                                       .places = places,
                                       .options = options,
                                       .secrets = std::move(secrets),
                                       .mirrors = Mirrors{pod.mirrors},
                                       .events = events,
                                       .journal = Journal{places.journal},
                                       .pythons = {}}});
    auto& context = state_->context;
    const auto tell_distrust = [&](const Journal& journal, const std::filesystem::path& file) {
        if (journal.distrust().empty()) return;
        context.notice("",
                       fmt::format("{} {}, so it is not trusted: what it says is verified again",
                                   file.string(), journal.distrust()));
    };
    tell_distrust(context.journal, places.journal);
    if (places.keeps_environments_on_volume()) return;
    context.own_journal.emplace(places.environments_journal);
    tell_distrust(*context.own_journal, places.environments_journal);
}

Provisioner::~Provisioner() = default;

http::Client& Provisioner::http() {
    return state_->context.http();
}

void Provisioner::report_changes(const plan::Plan& plan, std::stop_token stop) {
    for (const auto& step : plan.steps) {
        const auto* clone = std::get_if<plan::Clone>(&step.action);
        if (!clone || stop.stop_requested()) continue;
        try {
            const auto state = git::inspect(clone->path);
            if (!state || !state->modified) continue;
            state_->context.notice(step.id, fmt::format("files in {} were changed by hand: kept",
                                                        clone->path.string()));
        } catch (const Error& error) {
            state_->context.notice(step.id, error.message());
        }
    }
    tell_of_leftovers(find_leftovers(plan, state_->context), state_->context);
    tell_of_environments_on_volume(plan, state_->context);
}

std::filesystem::path Provisioner::python() const {
    auto& context = state_->context;
    if (context.pod.python.environment == tmpl::EnvironmentKind::venv) {
        return python::environment_python(context.places.environment);
    }
    return facts_in<BaseFacts>(context.journal_of_environments().find("base:python")).path;
}

std::map<std::string, std::string> Provisioner::child_environment() const {
    return state_->context.child_environment();
}

const std::map<std::string, Secret>& Provisioner::secrets() const {
    return state_->context.secrets.values;
}

plan::Plan Provisioner::make_plan(std::stop_token stop) {
    auto& context = state_->context;
    const auto known = resolve_models(context, stop);
    return plan::build_plan(context.pod, context.places, known.files, known.folders);
}

std::vector<plan::Assessment> Provisioner::assess(const plan::Plan& plan, Sizes sizes,
                                                  std::stop_token stop) {
    auto& context = state_->context;
    std::vector<plan::Assessment> assessments;
    for (const auto& step : plan.steps) {
        const Task task{step, context.journal_of(step).find(step.id), context, stop};
        Look found = look_at(task);
        const auto* model = std::get_if<plan::FetchModel>(&step.action);
        const bool ask = sizes == Sizes::ask && model && found.change != plan::Change::keep &&
                         !found.download && model->resolved && !context.options.offline &&
                         context.may_ask(model->source.text, model->resolved->url);
        if (ask) {
            const auto offer = ask_size(model->resolved->url, context, stop);
            if (offer.size) {
                found.download = Bytes{*offer.size};
                (takes_stores_disk(*model, task) ? found.store : found.disk) = Bytes{*offer.size};
            }
            if (const auto& why = offer.refusal; !why.empty())
                found.reason = why.starts_with(found.reason) ? why : found.reason + ": " + why;
        }
        if (!found.notice.empty()) task.notice(found.notice);
        assessments.push_back(
            {step.id, found.change, found.reason, found.download, found.disk, found.store});
    }
    const auto known = locks(plan);
    for (auto& it : assessments)
        if (const auto lock = known.find(it.step); lock != known.end())
            it.packages = lock->second.pins.size();
    return assessments;
}

std::vector<plan::Assessment> Provisioner::assess_leftovers(const plan::Plan& plan) {
    const bool prunes = state_->context.options.prune;
    std::vector<plan::Assessment> assessments;
    for (const auto& leftover : find_leftovers(plan, state_->context))
        assessments.push_back(
            {.step = label_of(leftover),
             .change = prunes ? plan::Change::remove : plan::Change::keep,
             .reason = prunes ? reason_of(leftover) + ": to .podctl/replaced" : about(leftover)});
    return assessments;
}

Provisioned Provisioner::provision(const plan::Plan& plan, std::stop_token stop,
                                   const VolumeUse& volume) {
    auto& context = state_->context;
    remove_what_was_cut_short(plan);
    auto use = volume;
    const auto& options = context.options;
    if (options.force || options.update || options.prune) use.on_done = {};
    Runner runner{plan, context, look_ahead(plan, context, stop), std::move(use)};
    const auto ends = execute(plan, runner, context.options.jobs, stop);

    Provisioned result{.failure = {}, .failed = {}, .downloaded_bytes = context.downloaded_bytes};
    for (const auto& step : plan.steps) {
        const auto end = ends.find(step.id);
        if (end == ends.end() || end->second.state != StepEnd::State::failed || step.optional)
            continue;
        result.failed.push_back(step.id);
        if (!result.failure) result.failure = end->second.failure;
    }
    if (stop.stop_requested()) result.failure = ErrorKind::interrupted;
    if (!result.failure) adopt_models(plan, context);
    // What is new is there before what is old goes, also what is optional.
    const bool has_all = std::ranges::none_of(
        ends, [](const auto& end) { return end.second.state == StepEnd::State::failed; });
    if (context.options.prune && has_all && !result.failure) {
        if (volume.require) volume.require();
        prune(find_leftovers(plan, context), context);
        prune_environments_on_volume(plan, stop);
    }
    return result;
}

}  // namespace podctl::run

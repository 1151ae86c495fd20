#include "podctl/base/digest.hpp"
#include "podctl/base/file.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/git/git.hpp"

#include "owner.hpp"
#include "steps.hpp"

#include <fmt/format.h>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;

std::string brief(const std::string& commit) {
    return commit.substr(0, 9);
}

bool is_occupied(const fs::path& path) {
    std::error_code failed;
    return fs::exists(fs::symlink_status(path, failed)) &&
           !(fs::is_directory(path) && fs::is_empty(path));
}

git::Monitor monitor_of(const Task& task) {
    git::Monitor monitor;
    monitor.on_progress = [&task](const git::Progress& progress) {
        const auto total = progress.total_objects;
        task.progress(progress.received_objects, total ? std::optional{total} : std::nullopt,
                      "objects");
    };
    monitor.on_notice = [&task](const std::string& message) { task.notice(message); };
    return monitor;
}

void refuse_offline(const Task& task, const std::string& url) {
    const std::string mirrored = task.context.mirrors.apply(url);
    const bool local = mirrored.starts_with("file:") || mirrored.starts_with("/");
    if (!task.context.options.offline || local) return;
    throw Error{ErrorKind::network, fmt::format("--offline, and {} is not there yet", url),
                "run once without --offline"};
}

// Of what is going to be at `path`.
fs::path staging_of(const fs::path& path, const Task& task) {
    return task.context.places.staging_of(path) / sha256_hex(task.step.id).substr(0, 16);
}

git::Checkout fresh_clone(const plan::Clone& action, const Task& task) {
    refuse_offline(task, action.url);
    return git::clone({.url = action.url,
                       .ref = action.ref,
                       .destination = action.path,
                       .staging = staging_of(action.path, task),
                       .submodules = action.submodules},
                      task.context.network(), monitor_of(task), task.stop);
}

git::Checkout update(const plan::Clone& action, const Task& task) {
    refuse_offline(task, action.url);
    return git::update({.checkout = action.path,
                        .url = action.url,
                        .ref = action.ref,
                        .submodules = action.submodules},
                       task.context.network(), monitor_of(task), task.stop);
}

// Moves back what the fresh checkout does not have: models, output, other packs. What it has too
// stays where it was moved to.
void give_back(const fs::path& from, const fs::path& to) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator{from, failed}) {
        const fs::path target = to / entry.path().filename();
        if (entry.path().filename() == ".git") continue;
        if (!fs::exists(fs::symlink_status(target))) {
            rename_durably(entry.path(), target);
        } else if (entry.is_directory() && !entry.is_symlink() && fs::is_directory(target)) {
            give_back(entry.path(), target);
        }
    }
    if (failed) throw system_error("cannot read " + from.string(), failed.value());
}

git::Checkout replace(const plan::Clone& action, const Task& task) {
    const auto saved = task.move_aside(action.path);
    const auto checkout = fresh_clone(action, task);
    give_back(saved, action.path);
    return checkout;
}

bool was_moved(const git::Checkout& head, const Task& task) {
    return task.record && facts_in<CloneFacts>(task.record).commit != head.commit;
}

// Whether a checkout that podctl has no record of is already what the template asks for.
bool fits(const plan::Clone& action, const git::Checkout& head) {
    return action.ref.empty() || head.commit == action.ref || head.branch == action.ref;
}

git::Checkout adopt_or_move(const plan::Clone& action, const Task& task, const git::State& state) {
    const bool unchanged_wish = task.same_fingerprint() || !task.record;
    const bool by_hand = state.modified || was_moved(state.head, task);
    if (task.context.options.force && by_hand) return replace(action, task);
    const bool half_done = git::is_update_pending(action.path);
    if (unchanged_wish && !half_done && !task.context.options.update && fits(action, state.head))
        return state.head;
    try {
        return update(action, task);
    } catch (const Error& error) {
        // Commits of the user's own, or his changes to the same files.
        if (error.kind() != ErrorKind::conflict || !task.context.options.force) throw;
        return replace(action, task);
    }
}

// nullopt: no repository. One that git cannot read counts as none when it may be replaced.
std::optional<git::State> inspect(const fs::path& path, const Task& task) {
    try {
        return git::inspect(path);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::git || !task.context.options.force) throw;
        return std::nullopt;
    }
}

git::Checkout bring(const plan::Clone& action, const Task& task) {
    clear_other_owners(action.path, task);
    const auto state = inspect(action.path, task);
    if (state && git::same_repository(state->origin, action.url))
        return adopt_or_move(action, task, *state);
    if (!is_occupied(action.path)) return fresh_clone(action, task);
    if (!task.context.options.force) {
        throw Error{ErrorKind::conflict,
                    state ? fmt::format("{} is a checkout of {}, not of {}", action.path.string(),
                                        state->origin, action.url)
                          : fmt::format("{} is there and is not a checkout of {}",
                                        action.path.string(), action.url),
                    "move it away, or let --force move it to .podctl/replaced"};
    }
    task.move_aside(action.path);
    return fresh_clone(action, task);
}

}  // namespace

Look look(const plan::Clone& action, const Task& task) {
    using plan::Change;
    const auto head = git::read_head(action.path);
    if (!head) return {.change = Change::create, .reason = action.url};
    if (const auto foreign = other_owner(action.path, task.context.places))
        return {.change = Change::change, .reason = foreign->brief()};
    if (!task.record)
        return {.change = Change::change,
                .reason = "a checkout stands there that is not known yet"};
    if (!task.same_fingerprint()) {
        return {
            .change = Change::change,
            .reason = fmt::format("to {}", action.ref.empty() ? "the default branch" : action.ref)};
    }
    if (git::is_update_pending(action.path)) {
        return {.change = Change::change, .reason = "an update was cut short"};
    }
    if (task.context.options.update && !task.context.options.offline && !is_git_id(action.ref)) {
        return {.change = Change::change, .reason = "--update"};
    }
    const auto known = facts_in<CloneFacts>(task.record);
    if (!known.companion.empty() && !git::read_head(known.companion)) {
        return {.change = Change::change,
                .reason = fmt::format("{} is missing", known.companion.string())};
    }
    if (task.context.options.force) {
        const auto state = inspect(action.path, task);
        if (!state || state->modified || was_moved(*head, task)) {
            return {.change = Change::change, .reason = "--force: it was changed by hand"};
        }
    }
    Look kept{.change = Change::keep, .reason = "at " + brief(head->commit)};
    if (was_moved(*head, task)) {
        kept.notice = fmt::format("{} was moved by hand from {} to {}: kept", action.path.string(),
                                  brief(known.commit), brief(head->commit));
    }
    return kept;
}

Outcome perform(const plan::Clone& action, const Task& task) {
    const auto before = git::read_head(action.path);
    const git::Checkout head = bring(action, task);
    bool changed = !before || before->commit != head.commit;
    CloneFacts facts{.commit = head.commit, .branch = head.branch};
    if (action.kind == plan::CloneKind::custom_node) {
        if (const auto companion = comfy::missing_companion(action.url, action.path)) {
            ensure_companion(action.url, action.path, task);
            facts.companion = companion->folder;
            changed = true;
        } else {
            facts.companion = facts_in<CloneFacts>(task.record).companion;
        }
    }
    return {.changed = changed, .facts = to_facts(facts)};
}

bool ensure_companion(const std::string& url, const fs::path& pack, const Task& task) {
    const auto companion = comfy::missing_companion(url, pack);
    if (!companion) return false;
    refuse_offline(task, companion->url);
    // A pack's own script may have left a checkout there that does not fit.
    if (is_occupied(companion->folder)) task.move_aside(companion->folder);
    git::clone_as_of({.url = companion->url,
                      .ref = {},
                      .destination = companion->folder,
                      .staging = staging_of(companion->folder, task),
                      .submodules = git::Submodules::no},
                     git::head_time(pack), task.context.network(), monitor_of(task), task.stop);
    return true;
}

}  // namespace podctl::run

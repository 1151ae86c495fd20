#include "other_versions.hpp"

#include "podctl/base/file.hpp"
#include "podctl/base/stop.hpp"
#include "podctl/base/text.hpp"
#include "podctl/base/thread.hpp"
#include "podctl/comfy/comfy.hpp"
#include "podctl/git/git.hpp"

#include "packs.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <thread>

namespace podctl::run {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// The user waits for an error: a hint is worth no more than this.
constexpr auto time_for_all = 20s;
constexpr std::size_t versions_to_try = 8;

// A stop that is requested after so long, or when the outer one is.
class TimeLimit {
public:
    TimeLimit(std::chrono::seconds limit, std::stop_token outer)
        : timer_(start_thread(
              [this, limit](const std::stop_token& over) {
                  if (wait_for(limit, over)) source_.request_stop();
              },
              [this](const std::exception_ptr&) { source_.request_stop(); })),
          outer_(std::move(outer), [this] { source_.request_stop(); }) {}

    std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    std::jthread timer_;
    std::stop_callback<std::function<void()>> outer_;
};

// A custom node of the template, one of whose files is a party to the conflict.
struct Pack {
    std::size_t index;  // in custom_nodes
    const tmpl::CustomNode& node;
    std::size_t source;  // in the request
    fs::path folder;
    fs::path file;  // in the folder
};

struct Version {
    std::string name;  // a tag, a commit or a number
    std::string day;   // "2024-10-02"
    std::string requirements;
};

struct Versions {
    std::vector<Version> all;  // newest first, without the present requirements
    std::size_t newer = 0;     // so many are newer than the present one
};

std::vector<Pack> packs_of(const Attempt& attempt, const std::vector<std::size_t>& asking,
                           const Context& context) {
    std::vector<Pack> packs;
    const fs::path& root = attempt.spec.custom_nodes;
    const auto& nodes = context.pod.custom_nodes;
    for (const std::size_t source : asking) {
        for (std::size_t i = 0; i < nodes.size() && !root.empty(); ++i) {
            const fs::path folder = root / nodes[i].name;
            const fs::path file =
                attempt.request.requirements[source].file.lexically_relative(folder);
            const bool inside = !file.empty() && *file.begin() != "..";
            if (inside) packs.push_back({i, nodes[i], source, folder, file});
        }
    }
    return packs;
}

// What is read from a template as a number stands in quotes there.
std::string in_yaml(const std::string& text) {
    const bool plain =
        !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
        std::all_of(text.begin(), text.end(), [](char c) {
            return is_alphanumeric(c) || c == '.' || c == '_' || c == '-' || c == '/';
        });
    return plain ? text : '"' + text + '"';
}

Versions git_versions(const Pack& pack, const tmpl::GitNode& node, const Attempt& attempt,
                      const Task& task, const std::stop_token& stop) {
    const auto present = read_file_if_exists(pack.folder / pack.file).value_or("");
    const auto head_time = git::head_time(pack.folder);
    const fs::path scratch = attempt.request.scratch / "history";
    Versions versions;
    for (auto& it : git::history_of({.url = node.git, .file = pack.file, .scratch = scratch},
                                    task.context.network(), stop)) {
        if (it.text == present) continue;
        if (it.time > head_time) ++versions.newer;
        versions.all.push_back(
            {it.revision, fmt::format("{:%Y-%m-%d}", fmt::gmtime(it.time)), std::move(it.text)});
    }
    return versions;
}

Versions registry_versions(const Pack& pack, const tmpl::RegistryNode& node, const Task& task,
                           const std::stop_token& stop) {
    const auto record = task.context.journal.find(pack_id(pack.node.name));
    const std::string present = record ? facts_in<RegistryFacts>(record).version : node.version;
    // Only the pack's own requirements are in the registry.
    if (pack.file != "requirements.txt") return {};
    const auto listed = comfy::list_registry_versions(node.id, task.context.http(),
                                                      task.context.mirrors, {.attempts = 2}, stop);
    const auto at = std::find_if(listed.begin(), listed.end(),
                                 [&](const auto& it) { return it.version == present; });
    std::set<std::vector<std::string>> known;
    if (at != listed.end()) known.insert(at->dependencies);
    Versions versions;
    for (auto it = listed.begin(); it != listed.end(); ++it) {
        if (!it->note.empty() || !it->verdict.empty() || !known.insert(it->dependencies).second)
            continue;
        if (it < at && at != listed.end()) ++versions.newer;
        versions.all.push_back(
            {it->version, it->day, fmt::format("{}", fmt::join(it->dependencies, "\n"))});
    }
    return versions;
}

Versions versions_of(const Pack& pack, const Attempt& attempt, const Task& task,
                     const std::stop_token& stop) {
    if (const auto* node = std::get_if<tmpl::GitNode>(&pack.node.source))
        return git_versions(pack, *node, attempt, task, stop);
    if (const auto* node = std::get_if<tmpl::RegistryNode>(&pack.node.source))
        return registry_versions(pack, *node, task, stop);
    return {};
}

// Those around the present one.
std::vector<Version> nearest(Versions versions) {
    auto& all = versions.all;
    const std::size_t last_first = all.size() > versions_to_try ? all.size() - versions_to_try : 0;
    const std::size_t half = versions_to_try / 2;
    const std::size_t first =
        std::min(versions.newer > half ? versions.newer - half : 0, last_first);
    const std::size_t end = std::min(first + versions_to_try, all.size());
    return {all.begin() + static_cast<std::ptrdiff_t>(first),
            all.begin() + static_cast<std::ptrdiff_t>(end)};
}

bool resolves_with(const Version& version, const Pack& pack, const Attempt& attempt,
                   const std::stop_token& stop) {
    python::ResolveRequest request = attempt.request;
    auto& source = request.requirements[pack.source];
    source = {.file = {},
              .lines = {version.requirements},
              .label = source.label,
              .inside = source.inside};
    try {
        python::resolve(request, attempt.base, attempt.installer, attempt.settings, stop);
        return true;
    } catch (const Error& error) {
        // A version that excludes others too, or whose lines nobody can read.
        const bool no_way =
            error.kind() == ErrorKind::conflict || error.kind() == ErrorKind::python;
        if (!no_way) throw;
        return false;
    }
}

std::string line_for(const Pack& pack, const std::string& version) {
    const std::string key = fmt::format("custom_nodes[{}]", pack.index);
    const auto* git = std::get_if<tmpl::GitNode>(&pack.node.source);
    if (git == nullptr) return fmt::format("{}.version: {}", key, in_yaml(version));
    // Perhaps it stands there in the short form.
    const bool bare = git->ref.empty() && git->submodules && pack.node.install_script;
    return bare ? fmt::format("{}: {{git: {}, ref: {}}}", key, git->git, in_yaml(version))
                : fmt::format("{}.ref: {}", key, in_yaml(version));
}

std::optional<std::string> other_version(const Pack& pack, const Attempt& attempt, const Task& task,
                                         const std::stop_token& stop) {
    for (const Version& version : nearest(versions_of(pack, attempt, task, stop))) {
        if (!resolves_with(version, pack, attempt, stop)) continue;
        const std::string day = version.day.empty() ? "" : fmt::format(" ({})", version.day);
        const bool commit = version.name.size() == 40;
        return fmt::format("{} resolves at {}{}: set {}", pack.node.name,
                           commit ? version.name.substr(0, 10) : version.name, day,
                           line_for(pack, version.name));
    }
    return std::nullopt;
}

}  // namespace

std::vector<std::string> other_versions(const Attempt& attempt,
                                        const std::vector<std::size_t>& asking, const Task& task) {
    std::vector<std::string> ways;
    if (task.context.options.offline) return ways;
    const TimeLimit limit{time_for_all, task.stop};
    for (const Pack& pack : packs_of(attempt, asking, task.context)) {
        if (std::holds_alternative<tmpl::PathNode>(pack.node.source)) continue;
        task.notice(
            fmt::format("requirements exclude each other; looking for a version of {} "
                        "that fits the others",
                        pack.node.name));
        try {
            if (auto way = other_version(pack, attempt, task, limit.token()))
                ways.push_back(*std::move(way));
        } catch (const Error& error) {
            // A hint less must not hide the conflict.
            if (task.stop.stop_requested()) throw;
            if (attempt.settings.on_line) attempt.settings.on_line(error.message());
        }
    }
    return ways;
}

}  // namespace podctl::run

#include "podctl/base/error.hpp"
#include "podctl/base/units.hpp"
#include "podctl/download/store_care.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../put.hpp"
#include "../signals.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

namespace podctl::cli {
namespace {

using download::StoredPlace;
using download::StoreEntry;
using download::StorePruning;

enum class StoreAction { list, check, prune };

struct StoreArguments {
    StoreAction action = StoreAction::list;
    TemplateArguments template_;
    std::string folder;
    bool repair = false, dry_run = false, remove_unseen = false;
    std::optional<std::chrono::milliseconds> keep;
};

const char* word_of(StoredPlace::State state) {
    switch (state) {
        case StoredPlace::State::linked:
            return "linked";
        case StoredPlace::State::gone:
            return "gone";
        case StoredPlace::State::unseen:
            return "unseen";
    }
    return "";
}

download::Store open_store(const StoreArguments& arguments, const Common& common) {
    auto folder = users_store(arguments.folder);
    if (folder.empty() && !arguments.template_.path.empty()) {
        const auto pod = load(arguments.template_);
        folder = store_of(pod, root_of(pod, common), {});
    }
    if (folder.empty())
        throw Error{ErrorKind::usage, "no store is named",
                    "--store DIR, PODCTL_STORE, or a template with `store: {path: DIR}`"};
    return download::Store{folder, Missing::fail};
}

Bytes size_of(const std::vector<StoreEntry>& entries) {
    Bytes sum;
    for (const auto& entry : entries)
        sum = sum + Bytes{entry.file.size};
    return sum;
}

std::string counted(const std::vector<StoreEntry>& entries) {
    return fmt::format("{} model{} ({})", entries.size(), entries.size() == 1 ? "" : "s",
                       format_bytes(size_of(entries)));
}

std::string text_of(const StoreEntry& entry) {
    return fmt::format("{}  {:>9}  {}", entry.file.sha256.substr(0, 12),
                       format_bytes({entry.file.size}), entry.name.empty() ? "-" : entry.name);
}

int list(const download::Store& store, Format format) {
    const auto entries = download::list_store(store);
    std::vector<StoreEntry> unused;
    std::ranges::copy_if(entries, std::back_inserter(unused),
                         [](const StoreEntry& entry) { return !entry.is_in_use(); });
    if (format == Format::json) {
        for (const auto& entry : entries)
            put_event(StoreModel{StoreModel::Is::there, entry});
        put_event(StoreFinished{.path = store.path(),
                                .models = entries.size(),
                                .bytes = size_of(entries),
                                .unused_models = unused.size(),
                                .unused_bytes = size_of(unused)});
        return 0;
    }
    for (const auto& entry : entries) {
        put(To::out, text_of(entry) + (entry.is_in_use() ? "\n" : "  (unused)\n"));
        for (const auto& place : entry.places)
            put(To::out, fmt::format("      {} ({}{})\n", place.path.string(),
                                     download::to_string(place.kind),
                                     place.state == StoredPlace::State::linked
                                         ? ""
                                         : fmt::format(", {}", word_of(place.state))));
    }
    put(To::out, fmt::format("{}: {}; unused: {}\n", store.path().string(), counted(entries),
                             counted(unused)));
    return 0;
}

// What is to be done about the roots that have the same bytes by a hard link.
std::string consequence_of(const download::StoreDamage& damage) {
    std::string text;
    for (const auto& place : damage.entry.places)
        if (place.state == StoredPlace::State::linked)
            text += fmt::format("      linked to {}: `podctl up --verify` brings it anew\n",
                                place.path.string());
    return text;
}

void print(const StoreEntry& entry, const std::optional<download::StoreDamage>& damage,
           const OutputOptions& output) {
    if (output.format == Format::json) return put_event(StoreChecked{entry, damage});
    if (!damage) {
        if (output.verbosity != Verbosity::quiet) put(To::out, "ok    " + text_of(entry) + "\n");
        return;
    }
    put(To::out, fmt::format("FAIL  {}: {}{}\n{}", text_of(entry), damage->fault,
                             damage->moved_to ? "; now in " + damage->moved_to->string() : "",
                             consequence_of(*damage)));
}

int check(const download::Store& store, const StoreArguments& arguments, const Common& common,
          const std::stop_token& stop) {
    using enum download::StoreCheck::Repair;
    std::size_t seen = 0;
    const auto damaged = download::check_store(
        store,
        {.on_file =
             [&](const StoreEntry& entry, const std::optional<download::StoreDamage>& damage) {
                 ++seen;
                 print(entry, damage, common.output);
             },
         .repair = arguments.repair ? yes : no},
        stop);
    if (common.output.format == Format::json) {
        put_event(StoreFinished{.path = store.path(), .models = seen, .damaged = damaged.size()});
    } else {
        put(To::out, fmt::format("{}: {} checked, {} damaged{}\n", store.path().string(), seen,
                                 damaged.size(),
                                 damaged.empty() || arguments.repair
                                     ? ""
                                     : "; --repair moves what is out of the way"));
    }
    return damaged.empty() ? 0 : exit_code(ErrorKind::integrity);
}

int prune(const download::Store& store, const StoreArguments& arguments, Format format,
          const std::stop_token& stop) {
    StorePruning pruning;
    if (arguments.keep) pruning.keep = *arguments.keep;
    if (arguments.remove_unseen) pruning.unseen = StorePruning::Unseen::remove;
    if (arguments.dry_run) pruning.run = StorePruning::Run::dry;
    const auto pruned = download::prune_store(store, pruning, stop);
    if (format == Format::json) {
        for (const auto& entry : pruned.files)
            put_event(StoreModel{StoreModel::Is::removed, entry});
        put_event(StoreFinished{.path = store.path(),
                                .dry_run = arguments.dry_run,
                                .removed = pruned.files.size(),
                                .leftovers = pruned.leftovers,
                                .freed = Bytes{pruned.bytes},
                                .kept_as_new = pruned.too_new.size(),
                                .kept_as_unseen = pruned.unseen.size()});
        return 0;
    }
    for (const auto& entry : pruned.files)
        put(To::out, text_of(entry) + "\n");
    if (pruned.leftovers > 0)
        put(To::out, fmt::format("and {} damaged or unfinished file{}\n", pruned.leftovers,
                                 pruned.leftovers == 1 ? "" : "s"));
    put(To::out, fmt::format("{}: {} {}{}\n", store.path().string(), format_bytes({pruned.bytes}),
                             arguments.dry_run ? "would be freed" : "freed",
                             arguments.dry_run ? "; without --dry-run it is" : ""));
    if (!pruned.too_new.empty())
        put(To::out, fmt::format("kept: {}, unused but new; --keep 0s removes what is\n",
                                 counted(pruned.too_new)));
    if (!pruned.unseen.empty())
        put(To::out, fmt::format("kept: {}, with symbolic links only from what cannot be seen from "
                                 "here; --remove-unseen removes what is\n",
                                 counted(pruned.unseen)));
    return 0;
}

void refuse_stray_options(const StoreArguments& arguments) {
    const auto refuse = [](bool is_given, const char* name, const char* action) {
        if (is_given)
            throw Error{ErrorKind::usage, fmt::format("{} goes with `store {}`", name, action),
                        "leave it out"};
    };
    if (arguments.action != StoreAction::check) refuse(arguments.repair, "--repair", "check");
    if (arguments.action == StoreAction::prune) return;
    refuse(arguments.dry_run, "--dry-run", "prune");
    refuse(arguments.keep.has_value(), "--keep", "prune");
    refuse(arguments.remove_unseen, "--remove-unseen", "prune");
}

int run_store(const StoreArguments& arguments, const Common& common) {
    const StopSignals signals;
    refuse_stray_options(arguments);
    try {
        const auto store = open_store(arguments, common);
        switch (arguments.action) {
            case StoreAction::list:
                return list(store, common.output.format);
            case StoreAction::check:
                return check(store, arguments, common, signals.token());
            case StoreAction::prune:
                return prune(store, arguments, common.output.format, signals.token());
        }
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::interrupted || signals.signal() == 0) throw;
    }
    return 128 + signals.signal();
}

}  // namespace

void add_store(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "store", "the store of models that several roots share: list it, check it, prune it");
    command->footer(
        "list: what is there, and which roots have links to it. check: hashes every file; exit 4: "
        "one is\nnot what its name says. prune: removes what no root has a link to.\n\n"
        "Examples:\n"
        "  podctl store list --store /workspace/store\n"
        "  podctl store list pod.yaml                 # the store that a template names\n"
        "  podctl store check --repair                # with PODCTL_STORE; damaged files move "
        "away\n"
        "  podctl store prune --dry-run\n"
        "  podctl store prune --keep 30m");
    auto arguments = std::make_shared<StoreArguments>();
    static const std::map<std::string, StoreAction> actions{
        {"list", StoreAction::list}, {"check", StoreAction::check}, {"prune", StoreAction::prune}};
    command
        ->add_option_function<std::string>(
            "ACTION",
            [arguments](const std::string& name) { arguments->action = actions.at(name); },
            "list, check or prune")
        ->required()
        ->check(CLI::IsMember(actions))
        ->type_name("");
    add_template_arguments(*command, arguments->template_);
    command->add_option("--store", arguments->folder, "the store's folder (also PODCTL_STORE)")
        ->type_name("DIR");
    command->add_flag("--repair", arguments->repair,
                      "of check: move damaged files away, so that the next `up` brings them anew");
    command->add_flag("--dry-run", arguments->dry_run, "of prune: only say what would go");
    add_duration_flag(*command, "--keep", arguments->keep,
                      "of prune: keep what came or was linked within this time; 1h unless told");
    command->add_flag("--remove-unseen", arguments->remove_unseen,
                      "of prune: also what has symbolic links only from volumes and machines that "
                      "cannot be seen from here");
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return run_store(*arguments, common); });
}

}  // namespace podctl::cli

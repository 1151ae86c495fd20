#pragma once

#include "podctl/base/read_ahead.hpp"
#include "podctl/download/download.hpp"
#include "podctl/event/event.hpp"
#include "podctl/git/git.hpp"
#include "podctl/http/http.hpp"
#include "podctl/hub/resolve.hpp"
#include "podctl/machine/machine.hpp"
#include "podctl/machine/memory.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/python/python.hpp"
#include "podctl/run/journal.hpp"
#include "podctl/run/provision.hpp"

#include "facts.hpp"
#include "model_store.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::run {

// Interpreters and the installer, found once per run: each look starts a process.
class Pythons {
public:
    python::Interpreter interpreter(const std::string& wanted, std::stop_token stop,
                                    const std::optional<python::Caution>& caution = {});
    python::Installer installer(python::InstallerChoice choice,
                                const python::Interpreter& interpreter,
                                const std::filesystem::path& tools,
                                const python::Settings& settings, std::stop_token stop);
    // Environments that this run has made and nothing was installed into yet. take_fresh tells
    // whether it is one, and it is none from then on.
    void put_fresh(const std::filesystem::path& environment);
    bool take_fresh(const std::filesystem::path& environment);

private:
    std::mutex mutex_;
    std::set<std::filesystem::path> fresh_;
    std::map<std::string, python::Interpreter> interpreters_;
    std::map<python::InstallerChoice, python::Installer> installers_;
};

// What a run says only once, whichever of its steps comes upon it first.
class Told {
public:
    bool is_new(const std::filesystem::path& about);
    bool was_told(const std::filesystem::path& about) const;

private:
    mutable std::mutex mutex_;
    std::set<std::filesystem::path> about_;
};

// What every step works with.
struct Context {
    const tmpl::Template& pod;
    plan::Places places;
    Options options;
    Secrets secrets;
    Mirrors mirrors;
    EventSink& events;
    Journal journal;  // of what lies on the volume
    Pythons pythons;
    Told told = {};
    // Of what lies on the pod's own disk, where environments do.
    std::optional<Journal> own_journal = {};
    // Why a hub did not tell what there is when it was asked before the plan was made, by
    // Source::text.
    std::map<std::string, std::string> refusals = {};
    std::atomic<std::uint64_t> downloaded_bytes = 0;
    // A folder or file of the user's that is copied as a pack.
    struct PackSource {
        std::filesystem::path path;
        bool optional = false;
    };
    // What the steps are going to do, for preflight.
    struct Due {
        Bytes disk = {};                                       // by the models
        Bytes store = {};                                      // by those on the store's own disk
        std::vector<plan::EnvironmentSpec> environments = {};  // to be made
        std::vector<plan::EnvironmentSpec> resolutions = {};   // to be asked of the index
        std::vector<PackSource> packs = {};                    // without what a step brings first
    } due = {};

    // What is known of the environments goes with them.
    Journal& journal_of_environments() { return own_journal ? *own_journal : journal; }
    Journal& journal_of(const plan::Step& step) {
        return plan::is_recorded_on_own_disk(step, places) ? *own_journal : journal;
    }
    Journal& journal_of_packs() {
        return places.keeps_custom_nodes_on_volume() ? journal : *own_journal;
    }
    const Journal& journal_of_packs() const {
        return places.keeps_custom_nodes_on_volume() ? journal : *own_journal;
    }

    // Made at the first request: a run with nothing to fetch needs no client.
    http::Client& http();
    download::Downloader& downloader();
    // nullptr: there is none, or it cannot be used, which is told once.
    ModelStore* store();
    git::Network network() {
        using enum git::Network::StoredLogins;
        return {mirrors, http(), is_look() ? ignore : use};
    }
    // Behind everything else, for a launch: what downloads leave of the room in the page cache.
    void read_ahead(std::span<const std::filesystem::path> files);
    // Asked once: it may start a process.
    const machine::Gpus& gpus();
    // pod.env, git's mirrors and child_mark(): for the processes of the pod, which get secrets
    // beside them.
    std::map<std::string, std::string> child_environment() const;
    // The same for resolvers, builds, installers and install.py: without what holds a secret, but
    // with python.build_secrets. Settings of pip and uv stay, since an index may ask for a login.
    std::map<std::string, std::string> build_environment() const;
    // What may be started of Pythons and installers by a look; nullopt: whatever is named.
    std::optional<python::Caution> caution() const;
    bool is_look() const { return options.purpose == Purpose::look; }
    // False for a look where the answer would cost a variable's value: one stands in `text`, what
    // the template says, or in the mirror of `url`, and it is neither a hub that is asked nor a
    // mirror of the user's.
    bool may_ask(const std::string& text, const std::string& url) const;
    void notice(const std::string& step, const std::string& message) {
        events.emit(event::Notice{step, message});
    }

    // One for what is downloaded and what is read ahead, which the same ComfyUI is to read.
    const std::shared_ptr<CacheRoom> cache_room_ = machine::room_in_page_cache();
    std::once_flag gpus_once_ = {};
    machine::Gpus gpus_ = {};
    std::once_flag http_once_ = {};
    std::unique_ptr<http::Client> http_ = {};
    std::once_flag downloader_once_ = {};
    std::unique_ptr<download::Downloader> downloader_ = {};
    std::once_flag ahead_once_ = {};
    std::unique_ptr<ReadAhead> ahead_ = {};
    std::once_flag store_once_ = {};
    std::unique_ptr<ModelStore> store_ = {};
};

// What a step finds before it does anything.
struct Look {
    plan::Change change = plan::Change::create;
    std::string reason = {};
    std::optional<Bytes> download = {};
    Bytes disk = {};          // that it needs on the volume beside what it holds already
    Bytes store = {};         // the same on the store's disk, where that is another one
    std::string notice = {};  // something that the user should know, when the step is kept
};

struct Outcome {
    bool changed = true;
    Facts facts = {};  // to_facts() of a kind
};

// A folder that is not there yet, for what is moved away from `path`.
std::filesystem::path new_folder_of_replaced(const std::filesystem::path& path,
                                             const Context& context);

// Moves what stands at `path` into .podctl/replaced, or the like of the pod's own folder, and says
// so in the step's name. Returns where it is now.
std::filesystem::path move_aside(const std::filesystem::path& path, const std::string& step,
                                 Context& context);

// Retries that are told as events of a step. `events` has to outlive it.
http::RetryPolicy told_retries(const std::string& step, EventSink& events);

// One running step, as the functions in steps/ see it.
struct Task {
    const plan::Step& step;
    std::optional<Record> record;  // of its last success
    Context& context;
    std::stop_token stop;
    // Blocks until another step is done; false when it failed.
    std::function<bool(const std::string& id)> wait_for = {};
    // Gets what progress() is told, in place of everybody: of a part of a step.
    std::function<void(std::uint64_t done)> on_part = {};

    bool same_fingerprint() const { return record && record->fingerprint == step.fingerprint; }
    void progress(std::uint64_t done, std::optional<std::uint64_t> total,
                  const char* unit = "bytes") const;
    http::RetryPolicy retry() const;  // told_retries()
    void notice(const std::string& message) const { context.notice(step.id, message); }
    std::filesystem::path move_aside(const std::filesystem::path& path) const {
        return run::move_aside(path, step.id, context);
    }
};

}  // namespace podctl::run

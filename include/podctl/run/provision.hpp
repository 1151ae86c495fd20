#pragma once

#include "podctl/base/error.hpp"
#include "podctl/event/event.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/python/python.hpp"
#include "podctl/run/doctor.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/template/template.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::run {

// Whoever only looks (plan, doctor) runs nothing that a template or a volume names, and sends no
// token and no variable's value but to a hub's own origin or to a mirror of the user's (spec §6).
enum class Purpose { act, look };

struct Options {
    Purpose purpose = Purpose::act;
    unsigned jobs = 4;        // steps at once, beside the downloads
    bool offline = false;     // no request leaves the machine
    bool force = false;       // what stands in the way is moved to .podctl/replaced
    bool verify = false;      // hash every file again
    bool prune = false;       // what the template names no more is moved to .podctl/replaced
    bool update = false;      // branches, newest versions and requirements may move
    bool will_launch = true;  // preflight looks at the ports
    http::Options::InsecureHttp insecure_http = http::Options::InsecureHttp::refuse;
    // What all downloads share: bodies at once, and bytes a second (0: no limit).
    unsigned connections = 16;
    std::uint64_t limit_rate = 0;
    // Where models are kept by their digests and linked from (download/store.hpp); empty: nowhere.
    std::filesystem::path store = {};
};

struct Provisioned {
    std::optional<ErrorKind> failure;  // the first one; interrupted: a stop was requested
    std::vector<std::string> failed;   // ids of the steps that failed, without optional ones
    std::uint64_t downloaded_bytes = 0;
};

// How provisioning and whoever holds the volume for it get on. Both are called by any thread.
struct VolumeUse {
    // Throws when it is not held any more, so that nothing of the step is recorded.
    std::function<void()> require = {};
    // At most once, when no step is left that changes what lies on the volume: others may, from
    // then on. With --force, --update and --prune that is at the end.
    std::function<void()> on_done = {};
};

// Brings a root to what a template says. The template has to outlive it. What it tells may hold
// secrets: `events` takes them out.
class Provisioner {
public:
    Provisioner(const tmpl::Template& pod, const plan::Places& places, Secrets secrets,
                Options options, EventSink& events);
    ~Provisioner();
    Provisioner(const Provisioner&) = delete;
    Provisioner& operator=(const Provisioner&) = delete;

    // The steps. Asks the hubs for the names of models that the journal does not know yet; what
    // cannot be had now is asked for again by the step.
    plan::Plan make_plan(std::stop_token stop);
    // What each step would do, without doing it. With `ask_sizes`, servers are asked for what is
    // unknown.
    enum class Sizes { known, ask };
    std::vector<plan::Assessment> assess(const plan::Plan& plan, Sizes sizes, std::stop_token stop);
    // The same of what podctl brought for an earlier template and this one does not name: it is
    // removed with Options::prune, else kept.
    std::vector<plan::Assessment> assess_leftovers(const plan::Plan& plan);
    // What is in the plan's own way, for `podctl plan`: disks that are too small, packs that are
    // not where the template has them, secrets without a value. `assessments` are the plan's. Asks
    // nobody.
    Findings foresee(const plan::Plan& plan, const std::vector<plan::Assessment>& assessments);
    // What `podctl doctor` tells: everything that the plan needs of this machine and the network,
    // looked at without a change. `assessments` are the plan's; `own_ports` those that the pod has
    // itself, since it runs: they are where they belong.
    Findings examine(const plan::Plan& plan, const std::vector<plan::Assessment>& assessments,
                     const std::set<std::uint16_t>& own_ports, std::stop_token stop);
    // Does it. Failures are events and values; a step that fails stops only what needs it.
    Provisioned provision(const plan::Plan& plan, std::stop_token stop,
                          const VolumeUse& volume = {});

    // Has the models that the smoke test's workflow names read into memory, behind everything else
    // and as far as there is room, until this is destroyed: for the first prompt.
    void read_models_ahead(const plan::Plan& plan);

    // The pod has answered: environments that were swapped in are kept, and what they replaced is
    // removed, until a stop is requested.
    void accept_environments(const plan::Plan& plan, std::stop_token stop);
    // ComfyUI has been started: what Python has compiled of its code on the container's disk is
    // kept on the volume, for the next pod. What cannot be kept is told.
    void keep_bytecode(const plan::Plan& plan, const std::stop_token& stop);
    // Takes a snapshot on the volume of each environment that is on the container's disk, for the
    // next pod. What cannot be kept is told.
    void keep_environments(const plan::Plan& plan, const std::stop_token& stop);
    // The pod did not start: environments that were swapped in and have never answered give way to
    // those before them. Told as notices of `launch`; returns whether there was one.
    bool swap_back_environments(const plan::Plan& plan);

    // What each environment of the plan was resolved to, by the step that installs it; without
    // those whose requirements have changed since, or were never resolved.
    std::map<std::string, python::Lock> locks(const plan::Plan& plan);

    // Tells of the checkouts in which files were changed by hand, and of what an earlier template
    // left. Compares whole work trees, which takes tens of milliseconds: not to be waited for
    // before a launch.
    void report_changes(const plan::Plan& plan, std::stop_token stop);

    // The interpreter that ComfyUI runs with: the environment's, or the image's own (environment:
    // system). Empty when there is none.
    std::filesystem::path python() const;
    // pod.env, and git's mirrors: for every process of the pod.
    std::map<std::string, std::string> child_environment() const;
    // The values of `secrets`, for those processes that are to have them.
    const std::map<std::string, Secret>& secrets() const;
    http::Client& http();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace podctl::run

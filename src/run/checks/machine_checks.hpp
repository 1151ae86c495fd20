#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/units.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/run/doctor.hpp"

#include "../context.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace podctl::run {

// One look at the machine: every check adds what it found, and none changes anything.
class Examination {
public:
    Examination(Context& context, std::stop_token stop) : context_{context}, stop_{stop} {}

    Context& context() const { return context_; }
    const std::stop_token& stop() const { return stop_; }

    void ok(const std::string& check, const std::string& message) {
        add({check, Finding::Grade::ok, message});
    }
    void warn(const std::string& check, const std::string& message, const std::string& remedy) {
        add({check, Finding::Grade::warn, message, remedy});
    }
    void fail(const std::string& check, const std::string& message, const std::string& remedy) {
        add({check, Finding::Grade::fail, message, remedy});
    }
    const Findings& findings() const { return findings_; }

    // One Error{preflight} of all failures; nothing failed: returns.
    void throw_failures() const;

    void add(Finding finding) { findings_.push_back(std::move(finding)); }

private:
    Context& context_;
    std::stop_token stop_;
    Findings findings_;
};

// machine.cpp
void check_gpu(Examination& found, const std::optional<tmpl::Gpu>& wanted);
void check_root(Examination& found);
// That the volume is one, not the container's own disk, and how quick it is: writes 64 MiB.
void check_volume(Examination& found);
// On which disk the environments are and why, and who works on the volume now.
void check_disks(Examination& found);
// On the volume; and that the template's own container_disk is enough where there is no volume.
void check_space(Examination& found, Bytes needed);
// On the store's disk. Nothing is said where nothing is needed there.
void check_space_of_store(Examination& found, Bytes needed);
// `own`: those that the pod has itself.
void check_ports(Examination& found, const std::set<std::uint16_t>& own);
void check_packages(Examination& found, const std::vector<std::string>& names);

// pack_sources.cpp
// What the plan copies as packs, but for what an earlier step of it brings.
std::vector<Context::PackSource> pack_sources_of(const plan::Plan& plan);
// That they are there, and what ComfyUI loads.
void check_pack_sources(Examination& found, const std::vector<Context::PackSource>& sources);

// python.cpp
// Interpreter, installer and torch of an environment.
void check_python(Examination& found, const plan::EnvironmentSpec& spec);
void check_build_tools(Examination& found);
// Whether the package index answers.
void check_index(Examination& found, const plan::EnvironmentSpec& spec);

// network.cpp
void check_tokens(Examination& found);
// Every origin that the template's sources name, or their mirrors; `unreachable` is what one is
// that does not answer.
void check_origins(Examination& found, Finding::Grade unreachable);

}  // namespace podctl::run

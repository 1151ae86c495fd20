#pragma once

#include "podctl/base/process.hpp"
#include "podctl/python/python.hpp"

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace podctl::python {

// The installer with everything that Settings say, its arguments still to come: `uv`, or
// `python -m pip`. `target` is the environment that is written to, or empty.
Command call_of(const Installer& installer, const Settings& settings,
                const std::filesystem::path& target = {});

// What uv takes as arguments only, behind its command.
void add_index_arguments(Command& command, const Installer& installer, const Settings& settings);

// The constraint files that pip is configured with.
std::vector<std::string> configured_constraints(const Installer& installer,
                                                const Settings& settings);

// The files of constraints for builds that uv's variable names.
std::vector<std::string> configured_build_constraints(const Settings& settings);

struct Finished {
    ExitStatus status;
    std::string words;  // the last MiB, without credentials
};

// Runs to the end and hands every line to settings.on_line, without credentials. Throws
// Error{interrupted}.
Finished run_installer(const Command& command, const Settings& settings, std::stop_token stop);

// The last lines that say something, for a message.
std::string tail_of(std::string_view words, std::size_t lines = 12);

}  // namespace podctl::python

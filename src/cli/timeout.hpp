#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace podctl::cli {

// --timeout DURATION: 90s, 2m.
void add_timeout_flag(CLI::App& command, std::optional<std::chrono::milliseconds>& timeout,
                      const std::string& help);

}  // namespace podctl::cli

#include "timeout.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/units.hpp"

#include <CLI/CLI.hpp>

namespace podctl::cli {

void add_timeout_flag(CLI::App& command, std::optional<std::chrono::milliseconds>& timeout,
                      const std::string& help) {
    command
        .add_option_function<std::string>(
            "--timeout",
            [&timeout](const std::string& given) {
                timeout = parse_duration(given);
                if (!timeout)
                    throw Error{ErrorKind::usage, "--timeout " + given + ": not a duration",
                                "for instance 90s or 2m"};
            },
            help)
        ->type_name("DURATION");
}

}  // namespace podctl::cli

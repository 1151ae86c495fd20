#pragma once

#include "podctl/base/fd.hpp"
#include "podctl/event/event.hpp"

#include "output.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <variant>

// `up --detach`: the pod runs in a process of a session of its own, which shows its events on the
// terminal that it was started from until the pod is ready.
namespace podctl::cli {

// Forks. In the new process: where it has to report that the pod is ready. In the old one: its exit
// code, once the pod is ready (0) or has ended before. SIGINT and SIGTERM are handed on to the new
// process; SIGHUP ends the old one alone. To be called before any thread is started.
std::variant<Fd, int> detach();

// The events of the new process, as make_sink() shows them. Once the launch is done it lets go of
// the terminal, for the file `log`, and reports. `pod` are the arguments by which `status`, `logs`
// and `down` find this pod, " pod.yaml --root /x".
std::unique_ptr<EventSink> make_detached_sink(const OutputOptions& options,
                                              const std::filesystem::path& log,
                                              const std::string& pod, Fd report);

}  // namespace podctl::cli

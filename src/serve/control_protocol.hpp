#pragma once

#include "podctl/base/error.hpp"
#include "podctl/serve/control.hpp"

#include <string>
#include <string_view>
#include <vector>

// One line of JSON asks, one line answers. A client that asked for `watch` or `down` is then kept
// until the pod has ended.
namespace podctl::serve::protocol {

struct Request {
    enum class Command { status, restart, end, end_at_once, watch } command = Command::status;
    std::string service = {};  // restart: empty means all
};

// Longer ones are refused.
constexpr std::size_t max_request = 4096;
// A status of more services and steps than anybody has.
constexpr std::size_t max_answer = 4u << 20;

// All without the end of the line.
std::string text_of(const Request& request);
// Throws Error{usage}.
Request request_of(std::string_view line);

std::string done();
std::string failed(const Error& error);
std::string answer(const PodStatus& status);
std::string answer(const std::vector<RunningService>& restarted);

// These throw the Error that the answer tells, and Error{launch} for what is no answer.
void check(std::string_view answer);
PodStatus status_of(std::string_view answer);
std::vector<RunningService> restarted_of(std::string_view answer);

}  // namespace podctl::serve::protocol

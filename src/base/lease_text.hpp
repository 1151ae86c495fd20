#pragma once

#include "podctl/base/lease.hpp"

#include <string>
#include <string_view>

namespace podctl {

// The file of a lease's generation has two lines. The first one changes, and is always of the same
// length: it is written in its place, which takes no room on a full volume and leaves no moment in
// which the file is empty. The second one tells the claim from all others.

enum class LeaseState { held, free };

// The first line.
std::string lease_line(LeaseState state, std::uint64_t heartbeat);
// The second line, of a new claim by this process.
std::string new_lease_identity();

// A text that is torn or no lease's is held by somebody unknown.
bool is_free_lease(std::string_view text);
// Whether it is of a process of this machine that is gone. Of others it cannot be said.
bool is_left_lease(std::string_view text);
LeaseHolder holder_in_lease(std::string_view text);

}  // namespace podctl

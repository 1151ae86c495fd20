#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace podctl::test {

// What of an event is not as docs/events.schema.json has it; empty: nothing. A reader of JSON
// Schema in small: it knows the words that podctl writes into that one, and finds a fault in any
// other; scripts/check_events.py has the same from a library.
std::string event_fault(const nlohmann::json& event);

}  // namespace podctl::test

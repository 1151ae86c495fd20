#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

// All that podctl writes to stdout and stderr goes through here; tests/house holds the room to it.
namespace podctl::cli {

enum class To { out, err };

// Whatever the text holds, the terminal shows it and obeys nothing (base/printable.hpp). What
// cannot be written is told by flush_out().
void put(To to, std::string_view text);

// A line of JSON on stdout. Its values stay what they are, invalid UTF-8 aside. Events go through
// put_event() (events/events.hpp), so that none is printed that is not described.
void put_json(const nlohmann::ordered_json& line);
// The same as text, without an end of line.
std::string json_line(const nlohmann::ordered_json& line);
// A document for people and tools, indented, with an end of line.
std::string json_document(const nlohmann::ordered_json& document);

// Text that podctl has put together with its own colours and cursor movements, and whose other
// parts have been made printable. Written at once. A pod that runs is not ended when that fails: of
// a reader that went away (a closed pipe) nothing is said, of anything else flush_out() tells.
void put_composed(To to, std::string_view text);

// As above, for one who wants to know: false when it could not be written, with its reason in
// errno.
bool try_composed(To to, std::string_view text);

// Throws Error{io} when something that was put to stdout could not be written, now or before.
void flush_out();

}  // namespace podctl::cli

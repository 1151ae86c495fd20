#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace podctl::python {

// What podctl notes in an environment that it makes: <environment>/.podctl-environment.
struct Mark {
    std::optional<std::string> fingerprint = {};  // nullopt: not finished
    // The generation that is kept until this one has proved itself; empty: it has.
    std::string before = {};
};

// nullopt: podctl did not make what stands there. A note that cannot be read counts as unfinished.
std::optional<Mark> read_mark(const std::filesystem::path& environment);
void write_mark(const std::filesystem::path& environment, const Mark& mark);

// Removes what a kill left of a mark that was being written: beside it alone, the folder would look
// like somebody else's.
void remove_abandoned_mark(const std::filesystem::path& environment);

// Whether a file of this name at the top of an environment is the note, or one that is being
// written.
bool is_of_mark(std::string_view name);

// Removes everything in an environment but the note, so that what a kill leaves is still podctl's.
void empty_environment(const std::filesystem::path& environment);

}  // namespace podctl::python

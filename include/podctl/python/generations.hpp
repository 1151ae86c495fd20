#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

// The place of an environment (python.path) is a link to one of the folders beside it, its
// generations: <parent>/.<name>.podctl/1, 2, … What changes an environment builds a new generation
// while the current one stays as it is, and swaps it in by one rename. An environment cannot be
// moved (its scripts name their interpreter), a link can.
//
// A place that is a link of the user's stands for where that leads. A folder at the place that
// podctl made itself counts as a generation; any other is not touched.
namespace podctl::python {

// The folder that the environment at `place` is now; nullopt: none.
std::optional<std::filesystem::path> current_generation(const std::filesystem::path& place);

// Whether `folder` is one of those beside `place`, there or not.
bool is_generation_of(const std::filesystem::path& place, const std::filesystem::path& folder);

// Removes what a writer of the current generation's mark has left who was killed: a mark that is
// right is not written again, so nobody else would.
void remove_abandoned_marks(const std::filesystem::path& place);

// The folder to build the next generation in, for create_environment(): one that was begun and not
// finished, or a new one. Where none is current it becomes that at once: there is nothing to
// protect, and whoever removed the link asked for a new environment, so the others go. Throws
// Error{conflict} when something that is not podctl's stands at `place`, Error{io}.
std::filesystem::path next_generation(const std::filesystem::path& place);

// The finished generation with this fingerprint that is not the current one.
std::optional<std::filesystem::path> find_generation(const std::filesystem::path& place,
                                                     const std::string& fingerprint);

// Makes a finished generation the current one, on trial while the one before is there to go back
// to. Crash-safe: the old or the new one is current. Throws Error{io}.
void swap_in(const std::filesystem::path& place, const std::filesystem::path& generation);

// The current generation has proved itself: the trial ends and the other generations are removed,
// until a stop is requested; the next call removes the rest. Throws Error{io}.
void accept_generation(const std::filesystem::path& place, std::stop_token stop);

// Ends the trial by making the generation before the current one again; the other is kept, since it
// may not be what was wrong. Returns where the current one is now; nullopt: there is no trial, or
// nothing to go back to. Throws Error{io}.
std::optional<std::filesystem::path> swap_back(const std::filesystem::path& place);

// Removes the environment at `place` with all its generations, until a stop is requested; the next
// call removes the rest. What podctl did not make stays. Throws Error{io}.
void remove_environment(const std::filesystem::path& place, const std::stop_token& stop);

}  // namespace podctl::python

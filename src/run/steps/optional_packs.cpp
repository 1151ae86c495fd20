#include "optional_packs.hpp"

#include "podctl/base/names.hpp"

#include "packs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

namespace podctl::run {
namespace {

using plan::EnvironmentSpec;

constexpr std::string_view left_out_mark = "# left out: ";
// No folder's name holds it.
constexpr char between_packs = '/';

// Those that ask for something.
std::set<std::string> optional_packs_with_requirements(const EnvironmentSpec& spec,
                                                       const Journal& journal) {
    std::set<std::string> asking;
    for (const auto& source : requirement_sources(spec, journal)) {
        const std::string name = source.inside.filename();
        if (spec.packs->optional.contains(name) && source.inside == spec.custom_nodes / name)
            asking.insert(name);
    }
    return asking;
}

// nullopt: it cannot be; `reason` says why.
std::optional<python::Lock> try_to_resolve(const EnvironmentSpec& spec, const Resolve& resolve,
                                           std::string& reason) {
    try {
        return resolve(spec, Hints::no);
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        reason = error.message();
        return std::nullopt;
    }
}

}  // namespace

Resolved resolve_with_optional_packs(const EnvironmentSpec& spec, const Resolve& resolve,
                                     const Task& task) {
    const auto optional = optional_packs_with_requirements(spec, task.context.journal);
    if (optional.empty()) return {resolve(spec, Hints::yes)};
    std::string reason;
    if (auto lock = try_to_resolve(spec, resolve, reason)) return {std::move(*lock)};
    EnvironmentSpec attempt = spec;
    attempt.left_out = optional;
    Resolved result{resolve(attempt, Hints::yes), optional};
    for (const auto& name : optional) {
        attempt.left_out = result.left_out;
        attempt.left_out.erase(name);
        // With all of them it was tried before, and `reason` is from there.
        const bool is_new = !attempt.left_out.empty();
        auto lock = is_new ? try_to_resolve(attempt, resolve, reason) : std::nullopt;
        if (lock)
            result = {std::move(*lock), attempt.left_out};
        else
            task.notice(
                fmt::format("the pack {} is optional, and is not resolved for: {}", name, reason));
    }
    return result;
}

std::string left_out_line(const std::set<std::string>& packs) {
    if (packs.empty()) return {};
    return fmt::format("{}{}\n", left_out_mark,
                       fmt::join(packs, std::string_view{&between_packs, 1}));
}

std::set<std::string> take_left_out(std::string_view& text) {
    if (!text.starts_with(left_out_mark)) return {};
    const auto end = std::min(text.find('\n'), text.size());
    const auto names =
        split(text.substr(left_out_mark.size(), end - left_out_mark.size()), between_packs);
    text.remove_prefix(std::min(end + 1, text.size()));
    return {names.begin(), names.end()};
}

std::string left_out_notice(const std::set<std::string>& packs) {
    if (packs.empty()) return {};
    return fmt::format(
        "without what these optional packs ask for, which cannot be had together with the others: "
        "{}; --update tries again",
        fmt::join(packs, ", "));
}

}  // namespace podctl::run

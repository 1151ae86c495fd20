#include "optional_packs.hpp"

#include "packs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <optional>

namespace podctl::run {
namespace {

using plan::EnvironmentSpec;

constexpr std::string_view left_out_mark = "# left out: ";

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

// The lock, or why there is none.
struct Attempted {
    std::optional<python::Lock> lock;
    std::string reason = {};
    bool is_settled = false;  // by the requirements themselves: asking again would change nothing
};

Attempted try_to_resolve(const EnvironmentSpec& spec, const Resolve& resolve) {
    try {
        return {resolve(spec, Hints::no)};
    } catch (const python::Conflict& conflict) {
        return {std::nullopt, conflict.message(), true};
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        return {std::nullopt, error.message(), false};
    }
}

// What `lock` has more than `less`.
python::Lock added(const python::Lock& lock, const python::Lock& less) {
    python::Lock more{.pins = {}, .options = lock.options};
    std::ranges::copy_if(lock.pins, std::back_inserter(more.pins), [&](const python::Pin& pin) {
        return std::ranges::find(less.pins, pin.requirement, &python::Pin::requirement) ==
               less.pins.end();
    });
    return more;
}

// The attempt, unless what it brings beside `without` cannot be built.
Attempted try_to_build(Attempted attempt, const python::Lock& without, const Build& build) {
    if (!attempt.lock) return attempt;
    try {
        build(added(*attempt.lock, without));
        return attempt;
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::interrupted) throw;
        return {std::nullopt, error.message(), error.kind() == ErrorKind::python};
    }
}

}  // namespace

Resolved resolve_with_optional_packs(const EnvironmentSpec& spec, const Resolve& resolve,
                                     const Build& build, const Task& task) {
    const auto optional = optional_packs_with_requirements(spec, task.context.journal_of_packs());
    if (optional.empty()) return {resolve(spec, Hints::yes)};
    EnvironmentSpec attempt = spec;
    attempt.left_out = optional;
    Resolved result{resolve(attempt, Hints::yes), optional};
    const auto with_all = try_to_build(try_to_resolve(spec, resolve), result.lock, build);
    if (with_all.lock) return {*with_all.lock};
    for (const auto& name : optional) {
        attempt.left_out = result.left_out;
        attempt.left_out.erase(name);
        auto tried = attempt.left_out.empty()
                         ? with_all
                         : try_to_build(try_to_resolve(attempt, resolve), result.lock, build);
        if (tried.lock) {
            result.lock = std::move(*tried.lock);
            result.left_out = attempt.left_out;
            continue;
        }
        if (!tried.is_settled) result.is_final = false;
        task.notice(
            fmt::format("the pack {} is optional, and is left out, since what it asks for "
                        "cannot be had: {}",
                        name, tried.reason));
    }
    return result;
}

std::string left_out_line(const std::set<std::string>& packs) {
    return packs.empty() ? "" : fmt::format("{}{}\n", left_out_mark, text_of_packs(packs));
}

std::set<std::string> take_left_out(std::string_view& text) {
    if (!text.starts_with(left_out_mark)) return {};
    const auto end = std::min(text.find('\n'), text.size());
    auto packs = packs_of_text(text.substr(left_out_mark.size(), end - left_out_mark.size()));
    text.remove_prefix(std::min(end + 1, text.size()));
    return packs;
}

std::string left_out_notice(const std::set<std::string>& packs) {
    if (packs.empty()) return {};
    return fmt::format(
        "without what these optional packs ask for, which cannot be had together with the others: "
        "{}; --update tries again",
        fmt::join(packs, ", "));
}

}  // namespace podctl::run

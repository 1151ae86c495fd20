#include "podctl/python/drift.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/trust.hpp"

#include "demand.hpp"
#include "specifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr const char* note_name = ".podctl-accepted";

struct Distribution {
    std::string version;
    fs::path metadata;  // its .dist-info or .egg-info
};
using Distributions = std::multimap<std::string, Distribution>;  // by normalised name

// foo_bar-1.0.dist-info, foo-1.0-py3.11.egg-info; nullopt: no metadata.
std::optional<std::pair<std::string, Distribution>> read_name(const fs::path& path) {
    const std::string file = path.filename();
    for (const std::string_view ending : {".dist-info", ".egg-info"}) {
        if (!file.ends_with(ending)) continue;
        const auto parts = split(file.substr(0, file.size() - ending.size()), '-');
        return std::pair{normalise_name(parts[0]),
                         Distribution{parts.size() > 1 ? parts[1] : "", path}};
    }
    return std::nullopt;
}

std::vector<fs::path> site_packages(const fs::path& environment) {
    std::vector<fs::path> folders;
    std::error_code failed;
    for (fs::directory_iterator at{environment / "lib", failed}, end; !failed && at != end;
         at.increment(failed))
        folders.push_back(at->path() / "site-packages");
    return folders;
}

Distributions distributions_in(const fs::path& environment) {
    Distributions found;
    std::error_code failed;
    for (const fs::path& folder : site_packages(environment)) {
        for (fs::directory_iterator at{folder, failed}, end; !failed && at != end;
             at.increment(failed))
            if (auto distribution = read_name(at->path())) found.insert(std::move(*distribution));
    }
    return found;
}

std::string version_of_pin(const Pin& pin) {
    const auto at = pin.requirement.find("==");
    if (at == std::string::npos || pin.requirement.find(" @ ") != std::string::npos) return {};
    return std::string{trim(std::string_view{pin.requirement}.substr(at + 2))};
}

// How a package of the lock stands there, in words; empty: as the lock has it.
std::string difference(const Pin& pin, const std::string& name, const Distributions& there) {
    const auto [begin, end] = there.equal_range(name);
    if (begin == end) return name + " is gone";
    const std::string wanted = version_of_pin(pin);
    const bool is_right = wanted.empty() || std::any_of(begin, end, [&](const auto& it) {
                              return same_version(it.second.version, wanted);
                          });
    return is_right ? "" : fmt::format("{} {} in place of {}", name, begin->second.version, wanted);
}

Drift compare(const Distributions& there, const Lock& lock) {
    Drift drift;
    std::set<std::string> locked;
    for (const Pin& pin : lock.pins) {
        const std::string name = parse_specifier(pin.requirement).name;
        if (name.empty()) continue;  // an address that says none
        locked.insert(name);
        if (auto text = difference(pin, name, there); !text.empty())
            drift.broken.push_back(std::move(text));
    }
    for (const auto& [name, distribution] : there)
        if (!locked.contains(name)) drift.more.push_back(name + " " + distribution.version);
    return drift;
}

std::set<std::string> accepted_in(const fs::path& environment) {
    const auto text = read_state_file(environment / note_name).text;
    const auto lines = split(text.value_or(""), '\n');
    return {lines.begin(), lines.end()};
}

// A field of RECORD, which is CSV: quoted where it has a comma or a quote in it.
std::string take_field(std::string_view& line) {
    std::string field;
    bool is_quoted = false;
    std::size_t at = 0;
    for (; at < line.size() && (is_quoted || line[at] != ','); ++at) {
        if (line[at] != '"') {
            field.push_back(line[at]);
        } else if (is_quoted && at + 1 < line.size() && line[at + 1] == '"') {
            field.push_back('"');
            ++at;
        } else {
            is_quoted = !is_quoted;
        }
    }
    line.remove_prefix(std::min(at + 1, line.size()));
    return field;
}

// As RECORD has it: base64 for URLs, without padding.
std::string record_digest(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    std::string text = base64(bytes);
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text.substr(0, text.find('='));
}

// The first file that is not as its installer left it; empty: all are.
std::string damage_of(const fs::path& metadata, const std::stop_token& stop) {
    const auto record = read_file_if_exists(metadata / "RECORD");
    if (!record) return {};
    for (const std::string& whole : split(*record, '\n')) {
        std::string_view line = trim(whole);
        const std::string name = take_field(line), digest = take_field(line),
                          size = take_field(line);
        constexpr std::string_view kind = "sha256=";
        // Bytecode has none, and RECORD itself.
        if (!digest.starts_with(kind)) continue;
        const fs::path path = metadata.parent_path() / name;
        const auto stamp = file_stamp(path);
        if (!stamp) return name + " is gone";
        const bool is_right = (size.empty() || size == std::to_string(stamp->size)) &&
                              record_digest(sha256_file(path, stop)) == digest.substr(kind.size());
        if (!is_right) return name + " was changed";
    }
    return {};
}

}  // namespace

Drift find_drift(const fs::path& environment, const Lock& lock, DriftCheck check,
                 std::stop_token stop) {
    const auto there = distributions_in(environment);
    Drift drift = compare(there, lock);
    const auto accepted = accepted_in(environment);
    const auto is_accepted = [&](const std::string& text) { return accepted.contains(text); };
    std::erase_if(drift.broken, is_accepted);
    std::erase_if(drift.more, is_accepted);
    if (check == DriftCheck::names) return drift;
    for (const Pin& pin : lock.pins) {
        const std::string name = parse_specifier(pin.requirement).name;
        const auto [begin, end] = there.equal_range(name);
        for (auto at = begin; at != end; ++at) {
            if (const auto damage = damage_of(at->second.metadata, stop); !damage.empty())
                drift.broken.push_back(fmt::format("{}: {}", name, damage));
        }
    }
    return drift;
}

void accept_drift(const fs::path& environment, const Lock& lock) {
    const Drift drift = compare(distributions_in(environment), lock);
    std::string text;
    for (const auto* lines : {&drift.broken, &drift.more})
        for (const std::string& line : *lines)
            text += line + "\n";
    write_state_file(environment / note_name, text);
}

}  // namespace podctl::python

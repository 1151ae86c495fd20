#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"

#include "installer_command.hpp"
#include "installer_errors.hpp"
#include "resolvers.hpp"
#include "specifier.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

bool names(const std::vector<Requirement>& lines, const std::string& name) {
    return !name.empty() && std::any_of(lines.begin(), lines.end(),
                                        [&](const Requirement& line) { return line.name == name; });
}

// pip knows neither overrides nor excludes, so the lines of files are replaced before it sees them.
ResolutionInput as_pip_takes_it(ResolutionInput input) {
    std::vector<Requirement> needed;
    for (const Requirement& override : input.overrides) {
        const bool asked = names(input.requirements, override.name);
        Requirement line = override;
        line.kind = asked ? Requirement::Kind::requirement : Requirement::Kind::constraint;
        (asked ? needed : input.constraints).push_back(line);
    }
    std::erase_if(input.requirements, [&](const Requirement& line) {
        return input.excluded.contains(line.name) || names(input.overrides, line.name);
    });
    std::erase_if(input.constraints, [&](const Requirement& line) {
        const bool replaced = names(input.overrides, line.name) && line.label != "python.overrides";
        return replaced && !input.held.contains(line.name);
    });
    input.requirements.insert(input.requirements.end(), needed.begin(), needed.end());
    return input;
}

void refuse_downloads_offline(const ResolutionInput& input, const Settings& settings) {
    if (!settings.offline) return;
    for (const Requirement& line : input.requirements) {
        const auto scheme = line.for_installer.find("://");
        const bool is_remote =
            scheme != std::string::npos && line.for_installer.find("file://") == std::string::npos;
        if (is_remote) {
            throw Error{
                ErrorKind::network,
                fmt::format("offline, and {} asks for a download: {}", line.where(), line.text),
                "run once without --offline, or use uv, which has a cache for it"};
        }
    }
}

std::string line_of(const nlohmann::json& item) {
    const auto& metadata = item.at("metadata");
    const auto name = metadata.at("name").get<std::string>();
    if (!item.value("is_direct", false))
        return name + "==" + metadata.at("version").get<std::string>();
    const auto& info = item.at("download_info");
    std::string url = info.at("url").get<std::string>();
    if (info.contains("vcs_info")) {
        const auto& vcs = info.at("vcs_info");
        url = fmt::format("{}+{}@{}", vcs.at("vcs").get<std::string>(), url,
                          vcs.at("commit_id").get<std::string>());
    }
    if (info.contains("subdirectory"))
        url += "#subdirectory=" + info.at("subdirectory").get<std::string>();
    const bool editable = info.contains("dir_info") && info.at("dir_info").value("editable", false);
    return editable ? "-e " + url : name + " @ " + url;
}

std::vector<std::string> hashes_of(const nlohmann::json& item) {
    const auto& info = item.at("download_info");
    if (!info.contains("archive_info")) return {};
    const auto hashes = info.at("archive_info").value("hashes", nlohmann::json::object());
    if (!hashes.contains("sha256")) return {};
    return {"--hash=sha256:" + hashes.at("sha256").get<std::string>()};
}

// Whether a package's metadata ask for another, extras aside.
bool asks_for(const nlohmann::json& item, const std::string& name) {
    const auto lines = item.at("metadata").value("requires_dist", std::vector<std::string>{});
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
        return parse_specifier(line).name == name &&
               marker_of(line).find("extra") == std::string_view::npos;
    });
}

std::vector<Pin> read_report(const fs::path& report, const ResolutionInput& input) {
    try {
        std::vector<Pin> pins;
        // Each package's metadata are in it, with its whole README.
        constexpr JsonLimits limits{.bytes = 64u << 20, .values = 1'000'000};
        const auto text = read_file(report);
        const auto content = parse_json(text, limits);
        if (!content)
            throw Error{ErrorKind::python,
                        fmt::format("pip's report is {}", json_fault(text, limits)),
                        "upgrade pip, or set python.installer: uv"};
        const auto& items = content->at("install");
        for (const auto& item : items) {
            Pin pin{.requirement = line_of(item), .hashes = hashes_of(item)};
            const auto name = normalise_name(item.at("metadata").at("name").get<std::string>());
            for (const auto& other : items) {
                if (asks_for(other, name))
                    pin.asked_by.push_back(other.at("metadata").at("name").get<std::string>());
            }
            add_askers(pin, input);
            pins.push_back(std::move(pin));
        }
        std::ranges::sort(pins, {}, &Pin::requirement);
        return pins;
    } catch (const nlohmann::json::exception& error) {
        throw Error{ErrorKind::python, fmt::format("pip's report cannot be read: {}", error.what()),
                    "upgrade pip, or set python.installer: uv"};
    }
}

}  // namespace

// Asked of the base itself, pip counts what is installed there as satisfied and prefers it, so its
// report is the difference already.
std::vector<Pin> resolve_with_pip(const Resolution& resolution, std::stop_token stop) {
    const auto& [asked, base, installer, settings, scratch] = resolution;
    const ResolutionInput input = as_pip_takes_it(asked);
    refuse_downloads_offline(input, settings);
    if (input.requirements.empty()) return {};
    write_file_atomically(scratch / "requirements.txt", requirements_file(input));
    write_file_atomically(scratch / "constraints.txt", file_of(input.constraints));
    const fs::path report = scratch / "report.json";
    remove_tree(report);

    Command command = call_of(installer, settings);
    if (installer.program != base.path) {
        command.argv.insert(command.argv.end(), {"--python", base.path.string()});
    }
    for (const std::string& word :
         {std::string{"install"}, std::string{"--dry-run"}, std::string{"--report"},
          report.string(), std::string{"--constraint"}, (scratch / "constraints.txt").string(),
          std::string{"--requirement"}, (scratch / "requirements.txt").string()}) {
        command.argv.push_back(word);
    }
    if (input.inherited.empty()) command.argv.emplace_back("--ignore-installed");
    const Finished finished = run_installer(command, settings, stop);
    if (!finished.status.ok()) fail_resolution(finished, input, installer, settings);
    return read_report(report, input);
}

}  // namespace podctl::python

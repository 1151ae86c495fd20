#include "environment_mark.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/trust.hpp"

#include <nlohmann/json.hpp>

#include <vector>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;

constexpr const char* mark_name = ".podctl-environment";

std::string text_in(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace

std::optional<Mark> read_mark(const fs::path& environment) {
    // Another user's would have podctl run an environment of theirs.
    const auto text = read_state_file(environment / mark_name).text;
    if (!text) return std::nullopt;
    const auto parsed = parse_json(*text);
    if (!parsed || !parsed->is_object()) return Mark{};
    const auto& content = *parsed;
    Mark mark{.before = text_in(content, "before")};
    if (content.contains("fingerprint")) mark.fingerprint = text_in(content, "fingerprint");
    return mark;
}

void write_mark(const fs::path& environment, const Mark& mark) {
    nlohmann::json content{{"state", mark.fingerprint ? "finished" : "unfinished"}};
    if (mark.fingerprint) content["fingerprint"] = *mark.fingerprint;
    if (!mark.before.empty()) content["before"] = mark.before;
    remove_abandoned_mark(environment);
    write_file_atomically(environment / mark_name, content.dump() + "\n");
}

void remove_abandoned_mark(const fs::path& environment) {
    remove_abandoned(environment, mark_name);
}

bool is_of_mark(std::string_view name) {
    // As AtomicFile and remove_abandoned_mark() have it.
    return name == mark_name || name.starts_with(std::string{"."} + mark_name + ".podctl-");
}

void empty_environment(const fs::path& environment) {
    std::vector<fs::path> found;
    std::error_code failed;
    for (fs::directory_iterator at{environment, failed}, end; !failed && at != end;
         at.increment(failed)) {
        if (at->path().filename() != mark_name) found.push_back(at->path());
    }
    if (failed) throw system_error(environment.string(), failed.value());
    for (const fs::path& path : found)
        remove_tree(path);
}

}  // namespace podctl::python

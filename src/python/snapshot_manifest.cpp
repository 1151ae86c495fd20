#include "snapshot_manifest.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/base/url.hpp"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>

namespace podctl::python {

namespace {

namespace fs = std::filesystem;
using std::chrono::system_clock;

constexpr int manifest_format = 1;
constexpr std::size_t most_parts = 8;
// Its time is kept in nanoseconds.
constexpr std::uint64_t last_millisecond = 9'000'000'000'000;

// A path has any bytes, JSON has UTF-8.
constexpr std::string_view plain_in_paths = "/ +@=,:";

std::string text_of(const nlohmann::json& object, const char* key) {
    return object.at(key).get_ref<const std::string&>();
}

std::uint64_t count_in(const nlohmann::json& object, const char* key, std::uint64_t most) {
    const auto& value = object.at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most)
        throw Error{ErrorKind::integrity, fmt::format("{} is not such a number", key)};
    return value.get<std::uint64_t>();
}

Snapshot::Part part_of(const nlohmann::json& object) {
    Snapshot::Part part{.sha256 = text_of(object, "sha256"),
                        .packed = count_in(object, "packed", most_part_bytes),
                        .unpacked = count_in(object, "unpacked", most_part_bytes),
                        .members = count_in(object, "members", most_members),
                        .shared_by = text_of(object, "shared_by")};
    // It becomes a file's name.
    if (!is_sha256(part.sha256)) throw Error{ErrorKind::integrity, "a part without its digest"};
    part.sha256 = to_lower(part.sha256);
    return part;
}

// Throws what is wrong with it, an Error or the library's own exception.
Snapshot snapshot_of(const nlohmann::json& content) {
    if (content.at("format") != manifest_format)
        throw Error{ErrorKind::integrity, "it is of another podctl"};
    Snapshot snapshot{.key = {},
                      .fingerprint = text_of(content, "fingerprint"),
                      .generation = percent_decode(text_of(content, "generation")),
                      .platform = text_of(content, "platform"),
                      .note = text_of(content, "note")};
    snapshot.key = snapshot_key(snapshot);
    const auto& path = snapshot.generation.native();
    if (!snapshot.generation.is_absolute() || path.find('\0') != path.npos)
        throw Error{ErrorKind::integrity, "its environment has no absolute path"};
    snapshot.made = system_clock::time_point{
        std::chrono::milliseconds{count_in(content, "made_ms", last_millisecond)}};
    const auto& parts = content.at("parts");
    if (!parts.is_array() || parts.empty() || parts.size() > most_parts)
        throw Error{ErrorKind::integrity, "it has no parts, or too many"};
    for (const auto& part : parts)
        snapshot.parts.push_back(part_of(part));
    return snapshot;
}

// Throws Error{integrity} with the reason.
Snapshot read_manifest(const fs::path& path, const std::string& key) {
    const StateText state = read_state_file(path);
    if (!state.text)
        throw Error{ErrorKind::integrity, state.distrust.empty() ? "is gone" : state.distrust};
    const auto content = parse_json(*state.text);
    if (!content) throw Error{ErrorKind::integrity, "is no manifest: " + json_fault(*state.text)};
    try {
        Snapshot snapshot = snapshot_of(*content);
        if (snapshot.key != key) throw Error{ErrorKind::integrity, "its key is another"};
        return snapshot;
    } catch (const std::exception& fault) {
        throw Error{ErrorKind::integrity, std::string{"is no manifest: "} + fault.what()};
    }
}

}  // namespace

std::uint64_t Snapshot::packed() const {
    std::uint64_t sum = 0;
    for (const Part& part : parts)
        sum += part.packed;
    return sum;
}

std::string snapshot_platform(std::string_view python_version) {
    utsname names{};
    const bool known = ::uname(&names) == 0;
    return fmt::format("{}, glibc {}, Python {}", known ? names.machine : "unknown machine",
                       ::gnu_get_libc_version(), python_version);
}

std::string snapshot_key(const Snapshot& snapshot) {
    return sha256_hex(nlohmann::json{sha256_hex(snapshot.fingerprint),
                                     sha256_hex(snapshot.generation.native()),
                                     sha256_hex(snapshot.platform)}
                          .dump());
}

fs::path manifest_path(const fs::path& folder, const std::string& key) {
    return folder / (key + std::string{manifest_ending});
}

void write_manifest(const fs::path& folder, const Snapshot& snapshot) {
    auto parts = nlohmann::json::array();
    for (const auto& part : snapshot.parts)
        parts.push_back({{"sha256", part.sha256},
                         {"packed", part.packed},
                         {"unpacked", part.unpacked},
                         {"members", part.members},
                         {"shared_by", part.shared_by}});
    const auto made =
        std::chrono::floor<std::chrono::milliseconds>(snapshot.made).time_since_epoch();
    const nlohmann::json content{
        {"format", manifest_format},
        {"fingerprint", snapshot.fingerprint},
        {"generation", percent_encode(snapshot.generation.native(), plain_in_paths)},
        {"platform", snapshot.platform},
        {"parts", std::move(parts)},
        {"note", snapshot.note},
        {"made_ms", static_cast<std::uint64_t>(made.count())}};
    write_state_file(manifest_path(folder, snapshot.key), content.dump(1) + "\n");
}

std::optional<std::string> digest_in_name(const std::string& name, std::string_view ending) {
    if (!name.ends_with(ending)) return std::nullopt;
    std::string digest = name.substr(0, name.size() - ending.size());
    return is_sha256(digest) && digest == to_lower(digest) ? std::optional{std::move(digest)}
                                                           : std::nullopt;
}

bool is_unfinished_manifest(const std::string& name) {
    // As AtomicFile has it.
    return name.starts_with('.') &&
           name.find(std::string{manifest_ending} + ".podctl-") != name.npos;
}

std::vector<Snapshot> find_snapshots(
    const fs::path& folder, const std::function<void(const std::string&)>& on_passed_over) {
    std::vector<Snapshot> found;
    std::error_code failed;
    for (fs::directory_iterator at{folder, failed}, end; !failed && at != end;
         at.increment(failed)) {
        const auto key = digest_in_name(at->path().filename(), manifest_ending);
        if (!key) continue;
        try {
            found.push_back(read_manifest(at->path(), *key));
        } catch (const Error& reason) {
            if (on_passed_over)
                on_passed_over(fmt::format("{} {}", at->path().string(), reason.message()));
        }
    }
    if (failed && failed.value() != ENOENT)
        throw system_error("cannot read " + folder.string(), failed.value());
    std::ranges::sort(found, [](const Snapshot& a, const Snapshot& b) {
        return a.made != b.made ? a.made > b.made : a.key < b.key;
    });
    return found;
}

}  // namespace podctl::python

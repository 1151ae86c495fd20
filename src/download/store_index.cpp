#include "store_index.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/trust.hpp"
#include "podctl/base/url.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace podctl::download {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* stamp_name = "stamp";
constexpr std::string_view place_ending = ".place";
// A path has any bytes, JSON has UTF-8.
constexpr std::string_view plain_in_notes = "/ +@=,:";
// Of a note, and of one file's notes: more is not podctl's.
constexpr std::size_t largest_note = 64u << 10, most_places = 10'000;

constexpr std::array<std::pair<LinkKind, const char*>, 4> words_of_kinds{
    {{LinkKind::hard_link, "hard"},
     {LinkKind::reflink, "reflink"},
     {LinkKind::symbolic_link, "symbolic"},
     {LinkKind::copy, "copy"}}};

const char* word_of(LinkKind kind) {
    return std::ranges::find(words_of_kinds, kind, &decltype(words_of_kinds)::value_type::first)
        ->second;
}

std::string plain(const std::string& text) {
    return percent_encode(text, plain_in_notes);
}

std::string text_in(const json& note, const char* key) {
    const auto found = note.find(key);
    return found != note.end() && found->is_string()
               ? percent_decode(found->get_ref<const std::string&>())
               : "";
}

fs::path path_in(const json& note, const char* key) {
    const auto text = text_in(note, key);
    const bool is_path = !text.empty() && text.front() == '/' && text.find('\0') == text.npos;
    return is_path ? fs::path{text} : fs::path{};
}

struct ReadNote {
    json text;
    FileIdentity identity = {};
};

std::optional<ReadNote> read_note(const fs::path& path) {
    Place place;
    try {
        place = place_beneath(path, Missing::fail);
    } catch (const Error&) {
        return std::nullopt;  // behind a link of somebody else's
    }
    if (!place.folder) return std::nullopt;
    const Fd file{::openat(place.folder.get(), place.name.c_str(),
                           O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        !may_be_believed(status, place.folder.get()))
        return std::nullopt;
    std::string text(largest_note, '\0');
    text.resize(read_at(file.get(), 0, text, path));
    auto note = parse_json(text);
    if (!note || !note->is_object()) return std::nullopt;
    return ReadNote{std::move(*note), {.device = status.st_dev, .inode = status.st_ino}};
}

PlaceNote place_in(const json& note, const fs::path& file) {
    PlaceNote place{.path = path_in(note, "path"),
                    .user = {.mark = path_in(note, "mark"), .id = text_in(note, "id")},
                    .file = file};
    const auto word = text_in(note, "kind");
    for (const auto& [kind, name] : words_of_kinds)
        if (word == name) place.kind = kind;
    return place;
}

std::string name_of(const PlaceNote& note) {
    const auto whole = note.user.id + '\0' + note.user.mark.string() + '\0' + note.path.string();
    return sha256_hex(whole).substr(0, 32) + std::string{place_ending};
}

}  // namespace

bool may_be_believed(const struct stat& status, int folder) {
    if (!is_trusted_owner(status.st_uid, folder)) return false;
    return !is_open_to_others(status) || !keeps_owners(folder);
}

fs::path notes_of(const fs::path& store) {
    return store / "index";
}

fs::path notes_of(const fs::path& store, const std::string& sha256) {
    return notes_of(store) / sha256;
}

std::optional<StoreStamp> read_stamp(const fs::path& store, const std::string& sha256) {
    const auto note = read_note(notes_of(store, sha256) / stamp_name);
    if (!note) return std::nullopt;
    const auto& text = note->text;
    const auto size = text.find("size"), time = text.find("mtime_ns");
    if (size == text.end() || !size->is_number_unsigned() || time == text.end() ||
        !time->is_number_integer())
        return std::nullopt;
    return StoreStamp{.stamp = {size->get<std::uint64_t>(), time->get<std::int64_t>()},
                      .name = text_in(text, "name")};
}

void write_stamp(const fs::path& store, const std::string& sha256, const StoreStamp& stamp) {
    const json note{{"size", stamp.stamp.size},
                    {"mtime_ns", stamp.stamp.mtime_ns},
                    {"name", plain(stamp.name)}};
    write_file_atomically(notes_of(store, sha256) / stamp_name, note.dump() + "\n");
}

std::vector<PlaceNote> read_places(const fs::path& store, const std::string& sha256) {
    std::vector<PlaceNote> places;
    std::error_code failed;
    for (fs::directory_iterator at{notes_of(store, sha256), failed}, end;
         !failed && at != end && places.size() < most_places; at.increment(failed)) {
        const auto& file = at->path();
        if (!file.filename().string().ends_with(place_ending)) continue;
        const auto note = read_note(file);
        if (!note) continue;
        auto place = place_in(note->text, file);
        place.identity = note->identity;
        if (!place.path.empty()) places.push_back(std::move(place));
    }
    std::ranges::sort(places, {}, &PlaceNote::path);
    return places;
}

void write_place(const fs::path& store, const std::string& sha256, const PlaceNote& note) {
    json text{{"path", plain(note.path.string())},
              {"kind", word_of(note.kind)},
              {"id", plain(note.user.id)}};
    if (!note.user.mark.empty()) text["mark"] = plain(note.user.mark.string());
    write_file_atomically(notes_of(store, sha256) / name_of(note), text.dump() + "\n");
}

}  // namespace podctl::download

#include "control_file.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process_stat.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <vector>

namespace podctl::download {
namespace {

using nlohmann::json;

constexpr int version = 2;

std::filesystem::path path_of(const std::filesystem::path& partial) {
    auto path = partial;
    path += ".ctl";
    return path;
}

struct Header {
    Validators validators;
    std::string boot;
};

std::optional<Header> parse_header(const std::string& line) {
    const auto parsed = parse_json(line);
    if (!parsed || !parsed->is_object()) return std::nullopt;
    const json& object = *parsed;
    if (object.value("version", json()) != json(version)) return std::nullopt;
    const auto text_at = [&](const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>()
                                                           : std::string{};
    };
    Header header{.validators = {.source = text_at("source"),
                                 .expected_sha256 = text_at("expected_sha256"),
                                 .etag = text_at("etag"),
                                 .last_modified = text_at("last_modified"),
                                 .server_name = text_at("server_name")},
                  .boot = text_at("boot")};
    const auto size = object.find("size");
    if (size != object.end() && size->is_number_unsigned())
        header.validators.size = size->get<std::uint64_t>();
    return header;
}

// "w 0 4096". nullopt: not such a line.
std::optional<ByteSpan> parse_span(const std::string& line) {
    const auto words = split(line, ' ');
    if (words.size() != 3 || words[0] != "w") return std::nullopt;
    ByteSpan span;
    const auto read = [](const std::string& word, std::uint64_t& into) {
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), into);
        return error == std::errc{} && end == word.data() + word.size();
    };
    if (!read(words[1], span.begin) || !read(words[2], span.end) || span.empty())
        return std::nullopt;
    return span;
}

std::string lines_of(const RangeSet& ranges) {
    std::string lines;
    for (const auto& span : ranges.spans())
        lines += fmt::format("w {} {}\n", span.begin, span.end);
    return lines;
}

std::string header_line(const Validators& validators) {
    json object{{"version", version},
                {"boot", boot_id()},
                {"source", validators.source},
                {"expected_sha256", validators.expected_sha256},
                {"etag", validators.etag},
                {"last_modified", validators.last_modified},
                {"server_name", validators.server_name}};
    if (validators.size) object["size"] = *validators.size;
    // A server's header need not be UTF-8.
    return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::optional<ControlFile::Content> ControlFile::load(const std::filesystem::path& partial) {
    const auto text = read_own_file(path_of(partial)).text;
    if (!text) return std::nullopt;
    auto lines = split(*text, '\n');
    lines.pop_back();  // empty, or torn
    const auto header = lines.empty() ? std::nullopt : parse_header(lines.front());
    if (!header) return std::nullopt;
    RangeSet written, synced;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        if (lines[i] == "s") {
            synced = written;
            continue;
        }
        const auto span = parse_span(lines[i]);
        if (!span) break;
        written.add(*span);
    }
    const bool same_boot = !header->boot.empty() && header->boot == boot_id();
    return Content{header->validators, same_boot ? written : synced};
}

void ControlFile::remove(const std::filesystem::path& partial) {
    const auto path = path_of(partial);
    const Place place = place_beneath(path, Missing::fail);
    if (!place.folder && errno == ENOENT) return;
    if (!place.folder) throw system_error("removing " + path.string(), errno);
    for (const auto* suffix : {"", ".new"}) {
        const auto name = place.name + suffix;
        if (::unlinkat(place.folder.get(), name.c_str(), 0) != 0 && errno != ENOENT)
            throw system_error("removing " + path.string() + suffix, errno);
    }
}

ControlFile::ControlFile(const std::filesystem::path& partial) : path_(path_of(partial)) {}

// By rename, so that a killed process leaves the old record or the new one. Not synced: that takes
// as long as many megabytes, and after a crash of the machine only synced() counts.
void ControlFile::start(const Content& content) {
    const Place place = place_beneath(path_, Missing::fail);
    if (!place.folder) throw system_error("opening " + path_.string(), errno);
    auto fresh = path_;
    fresh += ".new";
    const auto name = fresh.filename().string();
    // Of a killed process, or another user's, who would go on writing it.
    if (::unlinkat(place.folder.get(), name.c_str(), 0) != 0 && errno != ENOENT)
        throw system_error("removing " + fresh.string(), errno);
    fd_ = Fd{::openat(place.folder.get(), name.c_str(),
                      O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd_) throw system_error("opening " + fresh.string(), errno);
    write_all(fd_.get(), header_line(content.validators) + lines_of(content.have), fresh);
    if (::renameat(place.folder.get(), name.c_str(), place.folder.get(), place.name.c_str()) != 0)
        throw system_error("renaming " + fresh.string(), errno);
}

void ControlFile::add(const RangeSet& written) {
    if (fd_ && !written.empty()) write_all(fd_.get(), lines_of(written), path_);
}

void ControlFile::synced() {
    if (!fd_) return;
    write_all(fd_.get(), "s\n", path_);
    if (::fdatasync(fd_.get()) != 0 && errno != EINVAL)
        throw system_error("syncing " + path_.string(), errno);
}

}  // namespace podctl::download

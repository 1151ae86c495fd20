#include "podctl/run/journal.hpp"

#include "podctl/base/beneath.hpp"
#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/trust.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace podctl::run {
namespace {

using nlohmann::json;

std::string line_of(const std::string& id, const Record& record) {
    const json line = {{"id", id}, {"fingerprint", record.fingerprint}, {"facts", record.facts}};
    // Paths need not be UTF-8.
    return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// A pack's files with their times are one fact.
constexpr JsonLimits limits{.bytes = 64u << 20};

std::string erasure_of(const std::string& id) {
    return json{{"id", id}, {"erased", true}}.dump(-1, ' ', false, json::error_handler_t::replace) +
           "\n";
}

}  // namespace

Journal::Journal(std::filesystem::path path) : path_(std::move(path)) {
    auto [text, distrust] = read_state_file(path_);
    distrust_ = std::move(distrust);
    torn_ = !distrust_.empty();
    if (!text) return;
    std::size_t start = 0;
    while (start < text->size()) {
        const std::size_t end = text->find('\n', start);
        // The write of the last line was cut short.
        if (end == std::string::npos) break;
        const auto parsed = parse_json(std::string_view(*text).substr(start, end - start), limits);
        start = end + 1;
        ++lines_;
        if (!parsed) continue;
        const json& line = *parsed;
        if (!line.is_object() || !line.contains("id") || !line["id"].is_string()) continue;
        const std::string id = line["id"];
        records_.erase(id);
        if (line.contains("erased")) continue;
        if (!line.contains("fingerprint") || !line["fingerprint"].is_string()) continue;
        Record record{.fingerprint = line["fingerprint"], .facts = {}};
        if (line.contains("facts") && line["facts"].is_object()) {
            for (const auto& [name, value] : line["facts"].items()) {
                if (value.is_string()) record.facts[name] = value;
            }
        }
        records_[id] = std::move(record);
    }
    torn_ = start < text->size();
}

std::optional<Record> Journal::find(const std::string& id) const {
    const std::scoped_lock lock{mutex_};
    const auto it = records_.find(id);
    if (it == records_.end()) return std::nullopt;
    return it->second;
}

std::vector<std::string> Journal::ids() const {
    const std::scoped_lock lock{mutex_};
    std::vector<std::string> ids;
    for (const auto& [id, record] : records_)
        ids.push_back(id);
    return ids;
}

void Journal::put(const std::string& id, const Record& record) {
    const std::scoped_lock lock{mutex_};
    records_[id] = record;
    append(line_of(id, record));
}

void Journal::erase(const std::string& id) {
    const std::scoped_lock lock{mutex_};
    if (records_.erase(id) > 0) append(erasure_of(id));
}

void Journal::append(const std::string& line) {
    const bool mostly_old = lines_ > 200 && lines_ > 4 * records_.size();
    if (torn_ || mostly_old) return rewrite();
    if (!fd_) {
        create_folders(path_.parent_path());
        fd_ = open_beneath(path_, O_WRONLY | O_APPEND | O_CREAT, 0600);
        if (!fd_) throw system_error("cannot open " + path_.string(), errno);
    }
    // A write that a full disk cuts short leaves half a line: until this one is whole, the next is
    // no append.
    torn_ = true;
    write_all(fd_.get(), line, path_);
    torn_ = false;
    if (::fdatasync(fd_.get()) != 0) throw system_error("cannot write " + path_.string(), errno);
    ++lines_;
}

void Journal::rewrite() {
    std::string text;
    for (const auto& [id, record] : records_)
        text += line_of(id, record);
    fd_ = Fd{};
    write_state_file(path_, text);
    lines_ = records_.size();
    torn_ = false;
}

}  // namespace podctl::run

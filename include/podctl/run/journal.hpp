#pragma once

#include "podctl/base/fd.hpp"

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace podctl::run {

// What was done under an id, and the facts that show it cheaply later: sizes, commits, digests.
struct Record {
    std::string fingerprint;
    std::map<std::string, std::string> facts;  // written and read by src/run/facts.hpp

    friend bool operator==(const Record&, const Record&) = default;
};

// JSON Lines, appended and synced: a crash leaves the old or the new record. A torn last line is
// dropped, a line that cannot be read too; the file is written anew when most of it is out of date.
// A journal is a cache of facts that can be checked: without it everything is verified again. Safe
// for many threads.
class Journal {
public:
    // Reads it; a missing file is an empty journal, and so is one that another user might have
    // written. Nothing is written before the first put(), which makes an untrusted one anew.
    explicit Journal(std::filesystem::path path);

    // Why it is not trusted, behind its path a sentence: "belongs to …". Empty: it is.
    const std::string& distrust() const { return distrust_; }

    std::optional<Record> find(const std::string& id) const;
    // Those that have a record, sorted.
    std::vector<std::string> ids() const;
    // Throws Error{io}.
    void put(const std::string& id, const Record& record);
    void erase(const std::string& id);

private:
    void append(const std::string& line);
    void rewrite();

    std::filesystem::path path_;
    std::string distrust_;
    mutable std::mutex mutex_;
    std::map<std::string, Record> records_;
    std::size_t lines_ = 0;
    bool torn_ = false;
    Fd fd_;
};

}  // namespace podctl::run

#pragma once

#include "podctl/base/fd.hpp"

#include "range_set.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace podctl::download {

// What is known of the file whose bytes a partial file holds: enough to ask for the rest of the
// same file, and nothing that is secret.
struct Validators {
    std::string source = {};           // digest of the URL: its query may hold a signature
    std::string expected_sha256 = {};  // of the request that began it
    std::string etag = {};
    std::string last_modified = {};
    std::optional<std::uint64_t> size = {};
    std::string server_name = {};

    friend bool operator==(const Validators&, const Validators&) = default;
};

// <partial>.ctl: a line of JSON with the validators, then a line for every stretch of bytes that
// was written ("w BEGIN END") and for every sync ("s": the lines before it are on the disk). A
// torn last line is dropped. A process that dies leaves what it wrote; a machine that dies may lose
// what was not synced, so after another boot only the lines before the last "s" count.
class ControlFile {
public:
    struct Content {
        Validators validators;
        RangeSet have;
    };

    // nullopt: there is none, or it cannot be read as one (then the partial file is worth nothing).
    static std::optional<Content> load(const std::filesystem::path& partial);
    static void remove(const std::filesystem::path& partial);

    explicit ControlFile(const std::filesystem::path& partial);

    // Begins it anew, with what is there already. Throws Error{io}.
    void start(const Content& content);
    bool started() const { return static_cast<bool>(fd_); }
    void add(const RangeSet& written);
    void synced();
    void close() { fd_ = {}; }

private:
    std::filesystem::path path_;
    Fd fd_;
};

}  // namespace podctl::download

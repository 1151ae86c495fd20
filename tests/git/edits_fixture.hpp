#pragma once

#include "podctl/base/file.hpp"

#include "fixture.hpp"

namespace podctl::git {

// What was done to a checkout by hand, and the updates that meet it.
class EditsTest : public GitTest {
protected:
    std::string url() const { return bare().string(); }
    void write(const std::string& file, const std::string& content) const {
        write_file_atomically(there() / file, content);
    }
    std::string read(const std::string& file) const { return read_file(there() / file); }
    std::string publish_file(const std::string& file, const std::string& content) {
        const auto commit = work.commit_file(file, content);
        publish();
        return commit;
    }
    Error update_error(const std::string& ref = {}) {
        return error_of([&] { update_it(url(), ref); }).value_or(Error{ErrorKind::internal, ""});
    }
    std::string status() const { return in_clone({"status", "--porcelain"}); }
};

}  // namespace podctl::git

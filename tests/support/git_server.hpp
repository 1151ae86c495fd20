#pragma once

#include "support/http_server.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace podctl::test {

using Environment = std::map<std::string, std::string>;

// Runs the git program with a fixed identity and without the machine's configuration. Its output,
// trimmed. Throws std::runtime_error with that output when git fails.
std::string git(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                const Environment& environment = {});

// A repository that a test writes the history of, with the git program, on the branch "main". Its
// commits are a minute apart, so that their names are the same in every run.
class GitRepository {
public:
    static constexpr std::int64_t first_commit_time = 1'700'000'000;  // seconds since the epoch

    explicit GitRepository(std::filesystem::path folder);
    // A copy that goes its own way.
    GitRepository(const GitRepository& original, std::filesystem::path folder);

    const std::filesystem::path& path() const { return folder_; }
    std::string git(const std::vector<std::string>& arguments) const;
    void write(const std::string& file, const std::string& content) const;
    // Commits all that is there; the commit's 40 hex digits.
    std::string commit(const std::string& message = "change");
    // write and commit.
    std::string commit_file(const std::string& file, const std::string& content);
    std::string head() const;
    // Makes the bare repository equal to this one, and creates it when it is not there.
    void publish(const std::filesystem::path& bare) const;

private:
    std::filesystem::path folder_;
    int commits_ = 0;
};

// Serves the bare repositories of a folder by git's own `git http-backend`.
class GitServer {
public:
    // May change an answer on its way, or replace it.
    using Meddle = std::function<void(const Request&, Response&)>;
    explicit GitServer(std::filesystem::path folder, Meddle meddle = {});

    std::string url(const std::string& repository) const;  // "name.git"
    std::string prefix() const { return url(""); }
    const HttpServer& http() const { return http_; }
    // How many packs were asked for.
    int fetches() const;

private:
    Response answer(const Request& request) const;

    std::filesystem::path folder_;
    Meddle meddle_;
    HttpServer http_;
};

}  // namespace podctl::test

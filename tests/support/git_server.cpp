#include "support/git_server.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"

#include "support/temp_dir.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace podctl::test {
namespace {

namespace fs = std::filesystem;

Environment plain_environment() {
    return {{"GIT_CONFIG_GLOBAL", "/dev/null"},
            {"GIT_CONFIG_NOSYSTEM", "1"},
            {"GIT_AUTHOR_NAME", "A U Thor"},
            {"GIT_AUTHOR_EMAIL", "author@example.com"},
            {"GIT_COMMITTER_NAME", "C O Mitter"},
            {"GIT_COMMITTER_EMAIL", "committer@example.com"},
            {"GIT_TERMINAL_PROMPT", "0"},
            // Waiting for the disk is most of what a small git command takes.
            {"GIT_CONFIG_PARAMETERS", "'core.fsync'='none'"},
            {"LC_ALL", "C"}};
}

// The answer of a CGI program (RFC 3875 §6): header lines, of which Status is the status, then the
// body.
Response parse_cgi(const std::string& output) {
    const auto end = output.find("\r\n\r\n");
    if (end == std::string::npos) return {.status = 500, .body = output};
    Response response;
    for (const auto& raw : split(std::string_view(output).substr(0, end), '\n')) {
        const std::string_view line = trim(raw);
        const auto colon = line.find(':');
        if (colon == line.npos) continue;
        const std::string name{line.substr(0, colon)};
        const std::string value{trim(line.substr(colon + 1))};
        if (to_lower(name) == "status")
            response.status = std::atoi(value.c_str());
        else
            response.headers.emplace_back(name, value);
    }
    response.body = output.substr(end + 4);
    return response;
}

// Without the wait for the disk of write_file_atomically.
void write_plainly(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file << content;
    if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace

std::string git(const fs::path& folder, const std::vector<std::string>& arguments,
                const Environment& environment) {
    Command command{.argv = {"git"}, .working_directory = folder, .environment = environment};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment.merge(plain_environment());
    const auto result = run_captured(command, {});
    if (!result.status.ok())
        throw std::runtime_error(fmt::format("{}: {}", command.describe(), result.output));
    return std::string(trim(result.output));
}

GitRepository::GitRepository(fs::path folder) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    git({"init", "--quiet", "--initial-branch=main"});
}

GitRepository::GitRepository(const GitRepository& original, fs::path folder)
    : folder_(std::move(folder)), commits_(original.commits_) {
    fs::copy(original.folder_, folder_,
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
}

std::string GitRepository::git(const std::vector<std::string>& arguments) const {
    const auto date = fmt::format("{} +0000", first_commit_time + 60 * commits_);
    return test::git(folder_, arguments, {{"GIT_AUTHOR_DATE", date}, {"GIT_COMMITTER_DATE", date}});
}

void GitRepository::write(const std::string& file, const std::string& content) const {
    write_plainly(folder_ / file, content);
}

std::string GitRepository::commit(const std::string& message) {
    git({"add", "--all"});
    git({"commit", "--quiet", "--allow-empty", "-m", message});
    ++commits_;
    return head();
}

std::string GitRepository::commit_file(const std::string& file, const std::string& content) {
    write(file, content);
    return commit("write " + file);
}

std::string GitRepository::head() const {
    return git({"rev-parse", "HEAD"});
}

void GitRepository::publish(const fs::path& bare) const {
    if (fs::exists(bare))
        git({"push", "--quiet", "--mirror", bare.string()});
    else
        git({"clone", "--quiet", "--bare", ".", bare.string()});
}

GitServer::GitServer(fs::path folder, Meddle meddle)
    : folder_(std::move(folder)), meddle_(std::move(meddle)), http_([this](const Request& request) {
          Response response = answer(request);
          if (meddle_) meddle_(request, response);
          return response;
      }) {}

std::string GitServer::url(const std::string& repository) const {
    return http_.url("/" + repository);
}

int GitServer::fetches() const {
    int count = 0;
    for (const auto& request : http_.requests())
        if (request.method == "POST") ++count;
    return count;
}

Response GitServer::answer(const Request& request) const {
    const TempDir scratch;
    write_plainly(scratch / "body", request.body);
    Command command{.argv = {"sh", "-c", "exec git http-backend <\"$BODY\" 2>/dev/null"},
                    .environment = plain_environment()};
    command.environment.merge(Environment{
        {"GIT_PROJECT_ROOT", folder_.string()},
        {"GIT_HTTP_EXPORT_ALL", "1"},
        {"GIT_PROTOCOL", request.header("git-protocol").value_or("")},
        {"PATH_INFO", request.path},
        {"QUERY_STRING", request.query},
        {"REQUEST_METHOD", request.method},
        {"CONTENT_TYPE", request.header("content-type").value_or("")},
        {"CONTENT_LENGTH", std::to_string(request.body.size())},
        {"HTTP_CONTENT_ENCODING", request.header("content-encoding").value_or("")},
        {"BODY", (scratch / "body").string()},
    });
    return parse_cgi(run_captured(command, {}).output);
}

}  // namespace podctl::test

#include "batch_option.hpp"

#include "podctl/base/names.hpp"
#include "podctl/base/text.hpp"

#include "source_forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace podctl::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view allowed = "dir, out and checksum=sha-256=HEX are taken of aria2's";

constexpr std::array ways_of_transfer{"allow-overwrite",
                                      "allow-piece-length-change",
                                      "always-resume",
                                      "async-dns",
                                      "auto-file-renaming",
                                      "check-integrity",
                                      "conditional-get",
                                      "connect-timeout",
                                      "continue",
                                      "enable-http-keep-alive",
                                      "enable-http-pipelining",
                                      "enable-mmap",
                                      "file-allocation",
                                      "force-save",
                                      "gid",
                                      "http-accept-gzip",
                                      "http-no-cache",
                                      "lowest-speed-limit",
                                      "max-connection-per-server",
                                      "max-download-limit",
                                      "max-file-not-found",
                                      "max-resume-failure-tries",
                                      "max-tries",
                                      "min-split-size",
                                      "no-file-allocation-limit",
                                      "no-netrc",
                                      "parameterized-uri",
                                      "pause",
                                      "piece-length",
                                      "remote-time",
                                      "remove-control-file",
                                      "retry-wait",
                                      "reuse-uri",
                                      "split",
                                      "stream-piece-selector",
                                      "timeout",
                                      "uri-selector",
                                      "use-head"};

bool climbs(const fs::path& path) {
    const auto normal = path.lexically_normal();
    return !normal.empty() && *normal.begin() == "..";
}

void put_dir(const std::string& value, BatchEntry& entry) {
    const fs::path folder{value};
    if (value.empty()) throw Wrong{"dir= names no folder", std::string{allowed}};
    if (folder.is_relative() && climbs(folder))
        throw Wrong{fmt::format("dir={} leads out of the folder that the files go into", value),
                    "name a folder in it"};
    entry.folder = folder;
}

void put_out(const std::string& value, BatchEntry& entry) {
    const fs::path path{value};
    const std::string name = path.filename().string();
    if (name.empty() || safe_file_name(name) != name || path.is_absolute() || climbs(path))
        throw Wrong{
            fmt::format("out={} is no name of a file", value),
            "a name that begins with a letter, a digit or _, or folders in `dir` before it"};
    entry.file = path;
}

void put_checksum(const std::string& value, BatchEntry& entry) {
    const std::string lower = to_lower(value);
    constexpr std::string_view kind = "sha-256=";
    const std::string hex{
        trim(std::string_view{lower}.substr(std::min(kind.size(), lower.size())))};
    if (!lower.starts_with(kind) || !is_sha256(hex))
        throw Wrong{fmt::format("checksum={} is no SHA-256", value),
                    "checksum=sha-256= and 64 hexadecimal digits"};
    entry.sha256 = hex;
}

}  // namespace

std::optional<BatchOption> read_option(std::string_view line) {
    const auto sign = line.find('=');
    if (sign == line.npos || line.find("://") < sign) return std::nullopt;
    const auto name = trim(line.substr(0, sign));
    const bool is_word = !name.empty() && std::ranges::all_of(name, [](char c) {
        return is_alphanumeric(c) || c == '-';
    });
    if (!is_word) return std::nullopt;
    return BatchOption{to_lower(name), std::string{trim(line.substr(sign + 1))}};
}

void apply_option(const BatchOption& option, BatchEntry& entry) {
    if (option.name == "dir") return put_dir(option.value, entry);
    if (option.name == "out") return put_out(option.value, entry);
    if (option.name == "checksum") return put_checksum(option.value, entry);
    if (std::ranges::find(ways_of_transfer, option.name) != ways_of_transfer.end()) return;
    const bool is_login = option.name == "header" || option.name.starts_with("http-");
    // Its value may be a token.
    throw Wrong{
        fmt::format("aria2's option {} is not taken", option.name),
        is_login ? "hubs' tokens are given by CIVITAI_API_KEY and HF_TOKEN" : std::string{allowed}};
}

}  // namespace podctl::hub

#include "put.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/printable.hpp"

#include <nlohmann/json.hpp>
#include <stdio_ext.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace podctl::cli {

namespace {

// Why some of stdout's text is lost: errno of a full disk, say. 0: none is.
std::atomic<int> lost_by = 0;

std::FILE* stream_of(To to) {
    return to == To::out ? stdout : stderr;
}

}  // namespace

void put(To to, std::string_view text) {
    const auto shown = printable(text);
    std::fwrite(shown.data(), 1, shown.size(), stream_of(to));
}

std::string json_line(const nlohmann::ordered_json& line) {
    using nlohmann::ordered_json;
    return printable_json(line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

std::string json_document(const nlohmann::ordered_json& document) {
    return document.dump(2) + "\n";
}

void put_json(const nlohmann::ordered_json& line) {
    put(To::out, json_line(line) + "\n");
}

bool try_composed(To to, std::string_view text) {
    auto* stream = stream_of(to);
    const bool was_good = std::ferror(stream) == 0;
    if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0)
        return true;
    // The caller knows, or does not mind: flush_out() is not to try it again and tell it once more.
    const int reason = errno;
    ::__fpurge(stream);
    if (was_good) std::clearerr(stream);
    errno = reason;
    return false;
}

void put_composed(To to, std::string_view text) {
    if (!try_composed(to, text) && to == To::out && errno != EPIPE) lost_by = errno;
}

void flush_out() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || lost_by != 0)
        throw Error{ErrorKind::io, "cannot write to stdout", "is the disk full?"};
}

}  // namespace podctl::cli

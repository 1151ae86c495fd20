#include "model_format.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/download/download.hpp"

#include "inert_format.hpp"
#include "safetensors_header.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace podctl::download {
namespace {

constexpr std::size_t start_size = 512;

bool is_one_of(const std::string& extension, std::initializer_list<std::string_view> known) {
    return std::ranges::find(known, std::string_view(extension)) != known.end();
}

struct OpenFile {
    Fd fd;
    std::filesystem::path path;
    std::uint64_t size = 0;
};

OpenFile open_file(const std::filesystem::path& path) {
    OpenFile file{.fd = open_regular_file(path), .path = path};
    struct stat status {};
    if (::fstat(file.fd.get(), &status) != 0)
        throw system_error(fmt::format("opening {}", path.string()), errno);
    file.size = static_cast<std::uint64_t>(status.st_size);
    return file;
}

// Shorter at the end of the file.
std::string part_of(const OpenFile& file, std::uint64_t offset, std::size_t size) {
    std::string bytes(size, '\0');
    bytes.resize(read_at(file.fd.get(), offset, bytes, file.path));
    return bytes;
}

// The header's length, from a file's start of at least 8 bytes.
std::uint64_t safetensors_length(std::string_view start) {
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;)
        length = length << 8 | static_cast<unsigned char>(start[i]);
    return length;
}

void check_safetensors_start(std::string_view start, std::optional<std::uint64_t> size,
                             const std::string& name) {
    if (start.size() < 8 || (size && *size < 8))
        refuse_model(name,
                     fmt::format("{} bytes are no safetensors file", size.value_or(start.size())));
    const auto length = safetensors_length(start);
    constexpr std::uint64_t formats_own_limit = 100'000'000;
    if (length > max_safetensors_header && length <= formats_own_limit)
        refuse_model(name, fmt::format("its safetensors header has {} bytes, more than the {} of "
                                       "any model that is known",
                                       length, max_safetensors_header));
    if (length > formats_own_limit || (size && length > *size - 8))
        refuse_model(name, "not a safetensors file (its header's length is impossible)");
    if (length == 0 || (start.size() > 8 && start[8] != '{'))
        refuse_model(name, "its safetensors header is no JSON object");
}

// `start` has passed check_safetensors_start().
void check_safetensors(const OpenFile& file, std::string_view start, const std::string& name) {
    const auto length = safetensors_length(start);
    const auto header = part_of(file, 8, static_cast<std::size_t>(length));
    check_safetensors_header(name, header, file.size - 8 - length);
}

bool starts_with_one_of(std::string_view text, std::initializer_list<std::string_view> starts) {
    return std::ranges::any_of(starts, [&](auto start) { return text.starts_with(start); });
}

void check_no_page(std::string_view start, const std::string& name) {
    std::string_view text = start;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const auto lower = to_lower(trim(text));
    if (starts_with_one_of(lower, {"<!doctype html", "<html"}))
        throw page_in_place_of(name, ErrorKind::integrity);
    // hawser is the name that Git LFS had at first.
    if (starts_with_one_of(text, {"version https://git-lfs.github.com/spec/",
                                  "version https://hawser.github.com/spec/"}))
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: a Git LFS pointer came in place of the file", name),
                    "use the hub's /resolve/ URL (hf:ORG/REPO/PATH), not /raw/"};
}

// {"error":…} as the hubs' APIs and <Error> as object stores send it, with a status that says 200.
void check_no_error_object(std::string_view start, std::optional<std::uint64_t> size,
                           const std::string& name) {
    constexpr std::uint64_t largest_error = 64 << 10;
    if (size.value_or(start.size()) > largest_error) return;
    std::string head = to_lower(trim(start.substr(0, 256)));
    std::erase_if(head, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
    if (!starts_with_one_of(head, {"{\"error\"", "{\"message\":\"", "{\"statuscode\":", "<error>",
                                   "<?xmlversion="}))
        return;
    throw Error{ErrorKind::integrity,
                fmt::format("{}: a server's error came in place of the file", name),
                "open the source's page in a browser; set CIVITAI_API_KEY or HF_TOKEN where the "
                "hub wants one"};
}

bool is_safetensors(const std::string& extension) {
    return is_one_of(extension, {".safetensors", ".sft"});
}

// Formats that begin with neither text nor mark-up. A .pt, .pth, .ckpt, .bin or .pkl has no mark of
// its own: a zip, a pickle of any protocol, a tar, and whatever .bin stands for.
bool is_binary(const std::string& extension) {
    return is_safetensors(extension) ||
           is_one_of(extension, {".gguf", ".onnx", ".zip", ".ckpt", ".pt", ".pth", ".bin", ".pkl",
                                 ".tar", ".gz", ".tgz", ".xz", ".7z", ".engine", ".plan"});
}

}  // namespace

bool is_page_name(std::string_view name) {
    return is_one_of(extension_of(name), {".html", ".htm", ".xhtml"});
}

Error page_in_place_of(const std::string& name, ErrorKind kind) {
    return Error{kind, fmt::format("{}: a web page came in place of the file", name),
                 "the server shows a login or error page there: use the file's download URL, and "
                 "set CIVITAI_API_KEY or HF_TOKEN where the hub wants one"};
}

void check_model_start(std::string_view first, std::optional<std::uint64_t> size,
                       const std::string& name) {
    const auto extension = extension_of(name);
    if (is_page_name(name)) return;
    const auto start = first.substr(0, start_size);
    const bool is_empty = size ? *size == 0 : first.empty();
    if (is_empty && is_binary(extension)) refuse_model(name, "the file is empty");
    check_no_page(start, name);
    if (is_binary(extension)) check_no_error_object(start, size, name);
    if (is_safetensors(extension)) check_safetensors_start(start, size, name);
    if (extension == ".gguf" && !start.starts_with("GGUF")) refuse_model(name, "not a GGUF file");
    // Of a file, of an empty archive, of one in several parts.
    if (extension == ".zip" && !starts_with_one_of(start, {"PK\3\4", "PK\5\6", "PK\7\10"}))
        refuse_model(name, "not a zip archive");
}

void check_model_format(const std::filesystem::path& path, const std::string& name) {
    const auto file = open_file(path);
    const auto start = part_of(file, 0, start_size);
    check_model_start(start, file.size, name);
    if (is_safetensors(extension_of(name))) check_safetensors(file, start, name);
}

}  // namespace podctl::download

#include "podctl/base/error.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/base/names.hpp"
#include "podctl/fetch/download.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <set>

namespace podctl::fetch {
namespace {

using nlohmann::json;

constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit
constexpr std::size_t start_size = 512;

std::string extension_of(std::string_view name) {
    const auto dot = name.rfind('.');
    return dot == name.npos ? std::string{} : to_lower(name.substr(dot));
}

bool is_one_of(const std::string& extension, std::initializer_list<std::string_view> known) {
    return std::ranges::find(known, std::string_view(extension)) != known.end();
}

struct OpenFile {
    Fd fd;
    std::uint64_t size = 0;
};

OpenFile open_file(const std::filesystem::path& path) {
    OpenFile file{.fd = Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}};
    struct stat status {};
    if (!file.fd || ::fstat(file.fd.get(), &status) != 0)
        throw system_error(fmt::format("opening {}", path.string()), errno);
    file.size = static_cast<std::uint64_t>(status.st_size);
    return file;
}

// Shorter at the end of the file.
std::string read_at(const OpenFile& file, std::uint64_t offset, std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const auto got = ::pread(file.fd.get(), bytes.data() + have, size - have,
                                 static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw system_error("reading a model's header", errno);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
    throw Error{ErrorKind::integrity, fmt::format("{}: {}", name, what),
                "the file is damaged, or the source gives something else; check the source's page"};
}

std::optional<std::uint64_t> bits_of(const std::string& dtype) {
    static const std::map<std::string, std::uint64_t> known{
        {"BOOL", 8},        {"U8", 8},         {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
        {"F8_E8M0", 8},     {"I16", 16},       {"U16", 16}, {"F16", 16},    {"BF16", 16},
        {"I32", 32},        {"U32", 32},       {"F32", 32}, {"I64", 64},    {"U64", 64},
        {"F64", 64},        {"C64", 64},       {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6},
        {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
    const auto found = known.find(dtype);
    return found != known.end() ? std::optional{found->second} : std::nullopt;
}

// nullopt: no shape, or its product is beyond 64 bits.
std::optional<std::uint64_t> bits_of_shape(const json& tensor, std::uint64_t bits) {
    const auto shape = tensor.find("shape");
    if (shape == tensor.end() || !shape->is_array()) return std::nullopt;
    for (const auto& dimension : *shape) {
        if (!dimension.is_number_unsigned()) return std::nullopt;
        if (__builtin_mul_overflow(bits, dimension.get<std::uint64_t>(), &bits))
            return std::nullopt;
    }
    return bits;
}

struct Span {
    std::uint64_t begin = 0, end = 0;
};

Span span_of(const std::string& name, const std::string& tensor_name, const json& tensor) {
    const auto wrong = [&] {
        refuse(name, fmt::format("tensor \"{}\" has no valid place", tensor_name));
    };
    if (!tensor.is_object() || !tensor.contains("data_offsets")) wrong();
    const auto& offsets = tensor["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
        wrong();
    const Span span{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
    if (span.end < span.begin) wrong();
    const auto dtype = tensor.find("dtype");
    if (dtype == tensor.end() || !dtype->is_string()) wrong();
    // A dtype that is newer than this table is no fault of the file.
    if (const auto bits = bits_of(dtype->get<std::string>())) {
        const auto total = bits_of_shape(tensor, *bits);
        if (!total || *total % 8 != 0 || *total / 8 != span.end - span.begin)
            refuse(name,
                   fmt::format("the shape of tensor \"{}\" does not fit its bytes", tensor_name));
    }
    return span;
}

void check_metadata(const std::string& name, const json& metadata) {
    const bool fits = metadata.is_object() && std::ranges::all_of(metadata, [](const json& value) {
                          return value.is_string();
                      });
    if (!fits) refuse(name, "its __metadata__ is no map of strings");
}

json parse_header(const std::string& name, const std::string& text) {
    if (text.empty() || text.front() != '{')
        refuse(name, "its safetensors header is no JSON object");
    std::set<std::string> keys;
    bool duplicate = false;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        if (depth == 1 && event == json::parse_event_t::key)
            duplicate |= !keys.insert(value.get<std::string>()).second;
        return true;
    };
    auto header = json::parse(text, watch, false);
    if (!header.is_object()) refuse(name, "its safetensors header is no JSON object");
    if (duplicate) refuse(name, "a tensor is named twice in its safetensors header");
    return header;
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
        refuse(name, fmt::format("{} bytes are no safetensors file", size.value_or(start.size())));
    const auto length = safetensors_length(start);
    if (length > max_header || (size && length > *size - 8))
        refuse(name, "not a safetensors file (its header's length is impossible)");
    if (length == 0 || (start.size() > 8 && start[8] != '{'))
        refuse(name, "its safetensors header is no JSON object");
}

// `start` has passed check_safetensors_start().
void check_safetensors(const OpenFile& file, std::string_view start, const std::string& name) {
    const auto length = safetensors_length(start);
    const auto header = parse_header(name, read_at(file, 8, static_cast<std::size_t>(length)));
    std::vector<Span> spans;
    for (const auto& [key, value] : header.items()) {
        if (key == "__metadata__")
            check_metadata(name, value);
        else
            spans.push_back(span_of(name, key, value));
    }
    std::ranges::sort(spans, [](const Span& a, const Span& b) {
        return std::pair{a.begin, a.end} < std::pair{b.begin, b.end};
    });
    std::uint64_t end = 0;
    for (const auto& span : spans) {
        if (span.begin != end) refuse(name, "its tensors overlap or leave holes");
        end = span.end;
    }
    const std::uint64_t data = file.size - 8 - length;
    if (data != end)
        refuse(name, fmt::format("its tensors need {} bytes, the file holds {}", end, data));
}

bool starts_with_one_of(std::string_view text, std::initializer_list<std::string_view> starts) {
    return std::ranges::any_of(starts, [&](auto start) { return text.starts_with(start); });
}

void check_no_page(std::string_view start, const std::string& name) {
    std::string_view text = start;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const auto lower = to_lower(trim(text));
    if (starts_with_one_of(lower, {"<!doctype html", "<html"}))
        throw Error{
            ErrorKind::integrity, fmt::format("{}: a web page came in place of the file", name),
            "the server shows a login or error page there: use the file's download URL, and "
            "set CIVITAI_API_KEY or HF_TOKEN where the hub wants one"};
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

bool is_pickle(std::string_view name) {
    return is_one_of(extension_of(name), {".ckpt", ".pt", ".pth", ".bin", ".pkl"});
}

void check_model_start(std::string_view first, std::optional<std::uint64_t> size,
                       const std::string& name) {
    const auto extension = extension_of(name);
    if (is_one_of(extension, {".html", ".htm", ".xhtml"})) return;
    const auto start = first.substr(0, start_size);
    const bool is_empty = size ? *size == 0 : first.empty();
    if (is_empty && is_binary(extension)) refuse(name, "the file is empty");
    check_no_page(start, name);
    if (is_binary(extension)) check_no_error_object(start, size, name);
    if (is_safetensors(extension)) check_safetensors_start(start, size, name);
    if (extension == ".gguf" && !start.starts_with("GGUF")) refuse(name, "not a GGUF file");
    // Of a file, of an empty archive, of one in several parts.
    if (extension == ".zip" && !starts_with_one_of(start, {"PK\3\4", "PK\5\6", "PK\7\10"}))
        refuse(name, "not a zip archive");
}

void check_model_format(const std::filesystem::path& path, const std::string& name) {
    const auto file = open_file(path);
    const auto start = read_at(file, 0, start_size);
    check_model_start(start, file.size, name);
    if (is_safetensors(extension_of(name))) check_safetensors(file, start, name);
}

}  // namespace podctl::fetch

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

void check_safetensors(const OpenFile& file, const std::string& name) {
    const auto prefix = read_at(file, 0, 8);
    if (prefix.size() < 8) refuse(name, fmt::format("{} bytes are no safetensors file", file.size));
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;)
        length = length << 8 | static_cast<unsigned char>(prefix[i]);
    if (length > max_header || length > file.size - 8)
        refuse(name, "not a safetensors file (its header's length is impossible)");
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

void check_no_page(const std::string& start, const std::string& name) {
    std::string_view text = start;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const auto lower = to_lower(trim(text));
    if (lower.starts_with("<!doctype html") || lower.starts_with("<html"))
        throw Error{
            ErrorKind::integrity, fmt::format("{}: a web page came in place of the file", name),
            "the server shows a login or error page there: use the file's download URL, and "
            "set CIVITAI_API_KEY or HF_TOKEN where the hub wants one"};
    if (text.starts_with("version https://git-lfs.github.com/spec/"))
        throw Error{ErrorKind::integrity,
                    fmt::format("{}: a Git LFS pointer came in place of the file", name),
                    "use the hub's /resolve/ URL (hf:ORG/REPO/PATH), not /raw/"};
}

}  // namespace

bool is_pickle(std::string_view name) {
    return is_one_of(extension_of(name), {".ckpt", ".pt", ".pth", ".bin", ".pkl"});
}

void check_model_format(const std::filesystem::path& path, const std::string& name) {
    const auto extension = extension_of(name);
    if (is_one_of(extension, {".html", ".htm", ".xhtml"})) return;
    const auto file = open_file(path);
    const bool is_safetensors = is_one_of(extension, {".safetensors", ".sft"});
    const bool is_model = is_safetensors || extension == ".gguf" || is_pickle(name);
    if (file.size == 0 && is_model) refuse(name, "the file is empty");
    const auto start = read_at(file, 0, 512);
    check_no_page(start, name);
    if (is_safetensors) check_safetensors(file, name);
    if (extension == ".gguf" && !start.starts_with("GGUF")) refuse(name, "not a GGUF file");
}

}  // namespace podctl::fetch

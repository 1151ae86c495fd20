// The header of a .safetensors file (https://github.com/huggingface/safetensors, format).
#include "safetensors_header.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace podctl::download {
namespace {

using nlohmann::json;

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
        refuse_model(name, fmt::format("tensor \"{}\" has no valid place", tensor_name));
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
            refuse_model(name, fmt::format("the shape of tensor \"{}\" does not fit its bytes",
                                           tensor_name));
    }
    return span;
}

void check_metadata(const std::string& name, const json& metadata) {
    const bool fits = metadata.is_object() && std::ranges::all_of(metadata, [](const json& value) {
                          return value.is_string();
                      });
    if (!fits) refuse_model(name, "its __metadata__ is no map of strings");
}

// A model of a hundred thousand tensors; the format's own bound is the text's alone. A tensor is an
// object of three members.
constexpr JsonLimits limits{
    .bytes = max_safetensors_header, .depth = 8, .values = 1'000'000, .members = 200'000};

json parse_header(const std::string& name, const std::string& text) {
    if (text.empty() || text.front() != '{')
        refuse_model(name, "its safetensors header is no JSON object");
    auto header = parse_json(text, limits);
    if (!header) refuse_model(name, "its safetensors header is " + json_fault(text, limits));
    if (!header->is_object()) refuse_model(name, "its safetensors header is no JSON object");
    if (repeated_member(text))
        refuse_model(name, "a tensor is named twice in its safetensors header");
    return *std::move(header);
}

}  // namespace

void refuse_model(const std::string& name, const std::string& what) {
    throw Error{ErrorKind::integrity, fmt::format("{}: {}", name, what),
                "the file is damaged, or the source gives something else; check the source's page"};
}

void check_safetensors_header(const std::string& name, const std::string& text,
                              std::uint64_t data) {
    const auto header = parse_header(name, text);
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
        if (span.begin != end) refuse_model(name, "its tensors overlap or leave holes");
        end = span.end;
    }
    if (data != end)
        refuse_model(name, fmt::format("its tensors need {} bytes, the file holds {}", end, data));
}

}  // namespace podctl::download

#include "carrier_reader.hpp"

#include "podctl/base/byte_order.hpp"
#include "podctl/base/json_fields.hpp"
#include "podctl/base/names.hpp"

#include "page_json.hpp"

#include <algorithm>
#include <utility>

namespace podctl::workflow {
namespace {

// The two texts, what a file repeats of them, and a million headers.
constexpr std::uint64_t most_work = 512u << 20;
// A workflow, and the names before it.
constexpr std::uint64_t longest_text = workflow_limits.bytes + 4096;
// A film is saved again a few times at most; each time puts a string around.
constexpr int most_strings_around = 8;

constexpr const char* cut_short = "ends in the middle";

// Padding around a text: blanks, and zeros as in C.
std::string_view without_padding(std::string_view text) {
    constexpr std::string_view padding{" \t\r\n\0", 5};
    const auto begin = text.find_first_not_of(padding);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(padding) - begin + 1);
}

// An object with something in it, or empty: sites leave "null" and "{}" behind.
std::string json_object_in(std::string text) {
    for (int i = 0; i < most_strings_around && without_padding(text).starts_with('"'); ++i) {
        const auto string = parse_page_json(without_padding(text));
        if (!string || !string->is_string()) return {};
        text = string->get<std::string>();
    }
    const auto object = without_padding(text);
    if (!object.starts_with('{') || without_padding(object.substr(1)) == "}") return {};
    return std::string{object};
}

}  // namespace

void CarrierReader::fail(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
}

void CarrierReader::spend(std::uint64_t bytes) {
    spent_ += bytes;
    if (spent_ > most_work) fail("has too many parts, or too large ones");
}

std::size_t CarrierReader::read(std::uint64_t offset, std::span<char> buffer) {
    if (offset >= source_.size) return 0;
    spend(buffer.size());
    return ok() ? source_.read(offset, buffer) : 0;
}

std::uint64_t CarrierReader::number(std::uint64_t offset, std::size_t bytes, std::endian order) {
    if (!ok() || bytes == 0) return 0;
    const auto is_there = [&] {
        return offset >= window_begin_ && offset - window_begin_ <= window_size_ &&
               window_size_ - (offset - window_begin_) >= bytes;
    };
    if (!is_there()) {
        window_size_ = read(offset, window_);
        window_begin_ = offset;
        if (!is_there()) fail(cut_short);
        if (!ok()) return 0;
    }
    const std::string_view found{window_.data() + static_cast<std::size_t>(offset - window_begin_),
                                 bytes};
    return order == std::endian::big ? big_endian(found) : little_endian(found);
}

std::string CarrierReader::text(ByteRange range) {
    if (range.size() > longest_text) fail("holds a text of more than 64 MiB");
    if (!ok() || range.size() == 0) return {};
    std::string text(static_cast<std::size_t>(range.size()), '\0');
    if (read(range.begin, text) != text.size()) fail(cut_short);
    return ok() ? text : std::string{};
}

std::string CarrierReader::name(ByteRange range, std::size_t longest) {
    range.end = range.begin + std::min<std::uint64_t>(range.size(), longest);
    auto text = this->text(range);
    text.resize(std::min(text.find('\0'), text.size()));
    return text;
}

bool CarrierReader::has(std::uint64_t offset, std::string_view bytes) {
    if (offset > source_.size || source_.size - offset < bytes.size()) return false;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if (number(offset + i, 1) != static_cast<unsigned char>(bytes[i])) return false;
    return ok();
}

ByteRange CarrierReader::part(ByteRange outer, std::uint64_t begin, std::uint64_t size) {
    if (begin > outer.end || size > outer.end - begin) fail(cut_short);
    return ok() ? ByteRange{begin, begin + size} : ByteRange{outer.end, outer.end};
}

bool is_carried_key(std::string_view key) {
    const auto lower = to_lower(key);
    return lower == "workflow" || lower == "prompt" || lower == "comment";
}

void add_carried(CarriedWorkflow& into, std::string_view key, std::string text) {
    auto object = json_object_in(std::move(text));
    if (object.empty()) return;
    const auto lower = to_lower(key);
    if (lower == "workflow") into.workflow = std::move(object);
    if (lower == "prompt") into.prompt = std::move(object);
    if (lower != "comment") return;
    if (const auto both = parse_page_json(object)) add_carried(into, *both);
}

void add_carried(CarriedWorkflow& into, const nlohmann::json& object) {
    for (const char* key : {"workflow", "prompt"}) {
        const auto* value = member(object, key);
        if (value) add_carried(into, key, plain_text(*value));
    }
}

}  // namespace podctl::workflow

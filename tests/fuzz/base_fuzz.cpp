// What everything else is built on and foreign text goes through: JSON, URLs, hosts, names,
// redaction, what a terminal shows, UTF-8, sizes, lines. The first byte chooses the reader.
#include "podctl/base/error.hpp"
#include "podctl/base/host.hpp"
#include "podctl/base/json.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/printable.hpp"
#include "podctl/base/process.hpp"
#include "podctl/base/shorten.hpp"
#include "podctl/base/units.hpp"
#include "podctl/base/url.hpp"
#include "podctl/base/utf8.hpp"
#include "podctl/event/redact.hpp"

#include "support.hpp"

#include <nlohmann/json.hpp>

namespace {

using namespace podctl;
using fuzz::expect;

// What was taken is taken again, and has the same parts.
void read_url(std::string_view input) {
    const auto url = parse_url(input);
    if (!url) return;
    const auto again = parse_url(url->to_string());
    expect(again && again->origin() == url->origin() && again->path == url->path);
}

void make_a_name(std::string_view input) {
    const auto name = safe_file_name(input);
    expect(name.size() <= 255 && name.find('/') == name.npos && utf8::is_valid(name));
    expect(safe_file_name(name) == name);
}

// Half of the input is the secret, the rest what it is taken out of, twice.
void redact(std::string_view input) {
    const auto half = input.size() / 2;
    const std::string secret{input.substr(0, half)};
    const Redactor redactor{{Secret{secret}}};
    const std::string text = std::string{input.substr(half)} + secret + "&" + secret;
    const std::string clean = redactor(text);
    // A secret that is read is trimmed; of one with several lines each line is hidden.
    if (secret.size() >= 4 && trim(secret) == secret &&
        secret.find_first_of("*\r\n") == secret.npos)
        expect(clean.find(secret) == clean.npos);
}

void read_units(std::string_view input) {
    parse_bytes(input);
    parse_duration(input);
}

void split_lines(std::string_view input) {
    std::size_t bytes = 0;
    LineSplitter lines{[&](std::string_view line) {
        expect(line.size() <= 64 << 10);
        bytes += line.size();
    }};
    const auto half = input.size() / 2;
    lines.feed(input.substr(0, half));
    lines.feed(input.substr(half));
    lines.finish();
    expect(bytes <= input.size());
}

void cut_text(std::string_view input) {
    const auto cut = utf8::cut(input, input.size() / 2);
    expect(cut.size() <= input.size() / 2);
    if (utf8::is_valid(input)) expect(utf8::is_valid(cut));
}

// What is taken is taken again from its own text, and what is not has a reason.
void read_json(std::string_view input) {
    const JsonLimits limits{.bytes = 1 << 16, .depth = 20, .values = 2'000, .members = 200};
    const auto value = parse_json(input, limits);
    expect(value.has_value() == json_fault(input, limits).empty());
    repeated_member(input);
    if (!value) return;
    const auto text = value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    expect(parse_json(text, {.bytes = 1 << 20}) == value);
    const auto shown = printable_json(text);
    expect(parse_json(shown, {.bytes = 1 << 20}) == value);
    expect(printable(shown) == shown);
}

// Whatever it was, no terminal obeys what comes of it, and it is not changed again.
void show(std::string_view input) {
    const auto shown = printable(input);
    expect(utf8::is_valid(shown) && printable(shown) == shown);
    expect(printable(input, Lines::one).find('\n') == std::string::npos);
    expect(printable_without_colors(input).find('\x1b') == std::string::npos);
    const auto colored = printable_with_colors(input);
    expect(printable_with_colors(printable_without_colors(input)).find('\x1b') ==
           std::string::npos);
    for (auto at = colored.find('\x1b'); at != std::string::npos; at = colored.find('\x1b', at + 1))
        expect(colored.find_first_not_of("0123456789;", at + 2) == colored.find('m', at));
    expect(shorten_line(input, 100).size() < 200);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {
        read_url, make_a_name, redact, read_units, split_lines, cut_text, read_json, show};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() != ErrorKind::internal);
    }
    return 0;
}

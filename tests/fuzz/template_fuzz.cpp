// Any bytes are a template, its overlay-like --set values and its environment: parsed or refused
// with a diagnostic, never a crash, a hang or another exception.
#include "podctl/base/error.hpp"
#include "podctl/template/load.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using podctl::tmpl::LoadOptions;

// What follows a line of this is --set values, a line each.
constexpr std::string_view separator = "\n#set\n";

LoadOptions options_from(std::string_view lines) {
    LoadOptions options;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "PORT") return "9001";
        if (name == "EVIL") return "a: [b, ${PORT}]\n..";
        if (name == "HF_TOKEN") return "secret";
        return std::nullopt;
    };
    while (!lines.empty() && options.set.size() < 8) {
        const auto end = lines.find('\n');
        options.set.emplace_back(lines.substr(0, end));
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    }
    return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    const auto split = input.find(separator);
    const bool sets = split != std::string_view::npos;
    try {
        podctl::tmpl::parse_template(
            input.substr(0, split), "fuzz.yaml",
            options_from(sets ? input.substr(split + separator.size()) : std::string_view{}));
    } catch (const podctl::Error&) {
        // TemplateError, or a --set that is no KEY=VALUE: what bad input gets.
    }
    return 0;
}

#include "podctl/base/json_fields.hpp"

#include "carrier_reader.hpp"
#include "page_json.hpp"

#include <algorithm>

// The rules are those of ComfyUI_frontend, src/scripts/metadata/svg.ts, gltf.ts and pnginfo.ts.
namespace podctl::workflow {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view without_blanks(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text;
}

void read_json(CarrierReader& reader, ByteRange range, CarriedWorkflow& into,
               const nlohmann::json& (*metadata_of)(const nlohmann::json&)) {
    const auto content = parse_page_json(reader.text(range));
    if (content)
        add_carried(into, metadata_of(*content));
    else
        reader.fail("holds JSON that cannot be read");
}

}  // namespace

// <metadata><![CDATA[ … ]]></metadata>, as SaveSVGNode writes it.
void read_svg(CarrierReader& reader, CarriedWorkflow& into) {
    const auto content = reader.text(reader.all());
    std::string_view rest = content;
    constexpr std::string_view tag = "<metadata>", begin = "<![CDATA[", end = "]]>";
    for (auto at = rest.find(tag); at != rest.npos; at = rest.find(tag)) {
        rest = without_blanks(rest.substr(at + tag.size()));
        const auto close = rest.find(end);
        if (!rest.starts_with(begin) || close == rest.npos) continue;
        if (const auto both = parse_page_json(rest.substr(begin.size(), close - begin.size())))
            return add_carried(into, *both);
    }
}

void read_glb(CarrierReader& reader, CarriedWorkflow& into) {
    constexpr std::uint64_t head = 12;
    const auto chunk =
        reader.part(reader.all(), head + 8, reader.number(head, 4, std::endian::little));
    if (!reader.has(head + 4, "JSON")) return;
    read_json(reader, chunk, into, [](const nlohmann::json& model) -> const nlohmann::json& {
        return object_at(object_at(model, "asset"), "extras");
    });
}

void read_safetensors(CarrierReader& reader, CarriedWorkflow& into) {
    const auto header = reader.part(reader.all(), 8, reader.number(0, 8, std::endian::little));
    read_json(reader, header, into, [](const nlohmann::json& tensors) -> const nlohmann::json& {
        return object_at(tensors, "__metadata__");
    });
}

}  // namespace podctl::workflow

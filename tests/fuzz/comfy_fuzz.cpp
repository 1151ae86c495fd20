// What packs and a ComfyUI hand over: node classes, histories, the files that were made, a pack's
// pyproject.toml. Read or refused with an Error, never a crash,
// a hang or another exception. The first byte chooses the reader.
#include "podctl/base/error.hpp"
#include "podctl/base/json.hpp"
#include "podctl/comfy/comfy.hpp"

#include "faults.hpp"
#include "links.hpp"
#include "media.hpp"
#include "node_class.hpp"
#include "support.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace podctl;
using namespace podctl::comfy;

using fuzz::expect;

void read_media(std::string_view input) {
    if (input.empty()) return;
    static constexpr const char* names[] = {"a.png", "a.jpg", "a.gif", "a.webp", "a.mp4", "a"};
    FileSample sample;
    sample.add(input.substr(1));
    const auto media =
        inspect_media(names[static_cast<unsigned char>(input[0]) % std::size(names)], sample);
    expect((media.width == 0) == (media.height == 0));
}

void read_class(std::string_view input) {
    read_node_class("A", std::string(input));
}

void read_history(std::string_view input) {
    const auto parsed = parse_json(input);
    if (!parsed) return;
    const json& entry = *parsed;
    failed_node(entry);
    was_cached(entry, json::object());
    broken_links(entry);
}

void read_a_pyproject(std::string_view input) {
    fuzz::scratch().file("pyproject.toml", input);
    for (const auto& requirement : project_dependencies(fuzz::scratch().folder()))
        expect(!requirement.empty() && requirement.find('\n') == requirement.npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr void (*readers[])(std::string_view) = {read_media, read_class, read_history,
                                                            read_a_pyproject};
    try {
        fuzz::dispatch(readers, data, size);
    } catch (const Error& error) {
        expect(error.kind() == ErrorKind::usage || error.kind() == ErrorKind::smoke);
    }
    return 0;
}

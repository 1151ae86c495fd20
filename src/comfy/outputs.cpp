#include "outputs.hpp"

#include "podctl/base/error.hpp"

#include <fmt/format.h>

#include <set>
#include <string>

namespace podctl::comfy {
namespace {

// Whatever their kind (images, gifs, audio, 3d, …), files are told by a filename, a subfolder and a
// type; what a node shows beside them is text.
void add_outputs(const std::string& node, const std::string& class_type, const json& shown,
                 const Client& client, std::set<std::string>& seen,
                 std::vector<event::SmokeOutput>& into) {
    for (const auto& items : shown) {
        if (!items.is_array()) continue;
        for (const auto& item : items) {
            event::SmokeOutput output{.node = node, .class_type = class_type};
            const auto name = text_at(item, "filename"), subfolder = text_at(item, "subfolder");
            if (!name.empty()) {
                output.type = text_at(item, "type");
                output.file = subfolder.empty() ? name : fmt::format("{}/{}", subfolder, name);
                output.url = client.view_url(name, subfolder, output.type);
            } else if (item.is_string()) {
                output.type = output.format = "text";
                output.size = item.get_ref<const std::string&>().size();
            } else {
                continue;
            }
            if (output.url.empty() || seen.insert(output.url).second)
                into.push_back(std::move(output));
        }
    }
}

void inspect(event::SmokeOutput& output, const Client& client) {
    const auto sample = client.view(output.url);
    const auto media = inspect_media(output.file, sample);
    output.format = media.format;
    output.size = sample.size();
    output.width = media.width;
    output.height = media.height;
}

}  // namespace

void check_outputs(const json& history_entry, const json& prompt, const Client& client,
                   SmokeReport& report) {
    std::vector<event::SmokeOutput> outputs;
    std::set<std::string> seen;  // their URLs: a workflow can have thousands
    for (const auto& [node, shown] : object_at(history_entry, "outputs").items())
        add_outputs(node, text_at(object_at(prompt, node), "class_type"), shown, client, seen,
                    outputs);
    for (auto& output : outputs) {
        try {
            if (!output.url.empty()) inspect(output, client);
            report.outputs.push_back(output);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::smoke && error.kind() != ErrorKind::network) throw;
            report.faults.push_back({.node = output.node,
                                     .class_type = output.class_type,
                                     .message = fmt::format("its output {} cannot be had: {}",
                                                            output.file, error.message()),
                                     .hint = error.hint()});
        }
    }
    if (outputs.empty())
        report.faults.push_back({.message = "the run ended well, and made nothing",
                                 .hint = "a node must save or show something, as SaveImage does"});
}

}  // namespace podctl::comfy

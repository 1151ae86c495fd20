#include "podctl/base/units.hpp"

#include "support.hpp"
#include "table.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>

namespace podctl::tmpl::test {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

// PODCTL_WRITE_SCHEMA=1 writes the file instead.
void expect_in_the_tree(const std::string& path, const std::string& text) {
    if (std::getenv("PODCTL_WRITE_SCHEMA")) std::ofstream(path) << text;
    std::ifstream file(path);
    const std::string there{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(there, text) << "run test_template with PODCTL_WRITE_SCHEMA=1";
}

TEST(Schema, IsTheOneInTheGallery) {
    expect_in_the_tree(PODCTL_SOURCE_DIR "/templates/podctl.schema.json", json_schema());
}

TEST(Schema, IsTheReferencePageToo) {
    expect_in_the_tree(PODCTL_SOURCE_DIR "/docs/template.md", markdown_reference());
}

TEST(Schema, GivesThePageTheValuesAndTheDefaultOfAKey) {
    const std::string page = markdown_reference();
    EXPECT_THAT(page, HasSubstr("| `name` | text: lower-case letters, digits and dashes, at most "
                                "63, no dash at an end | **required** | The pod's name. |\n"));
    EXPECT_THAT(page, HasSubstr("| `port` | integer: 1 to 65535 | `9000` | The port it serves."));
    EXPECT_THAT(page, HasSubstr("| `installer` | word: `auto`, `uv`, `pip` | `auto` | "));
    EXPECT_THAT(page, HasSubstr("; at most 10; each once |"));
    EXPECT_THAT(page, HasSubstr("Exactly one of `source`, `catalog` must be there."));
    EXPECT_THAT(page, HasSubstr("The words of `catalog`: `sd15`, "));
}

// Every mapping that a cell links to has a part of its own.
TEST(Schema, GivesThePageNoLinkThatLeadsNowhere) {
    const std::string page = markdown_reference();
    const std::regex link{R"(\[(`[a-z_.\[\]]+`)\]\(#[a-z_]+\))"};
    std::size_t links = 0;
    for (std::sregex_iterator match{page.begin(), page.end(), link}, end; match != end; ++match) {
        EXPECT_THAT(page, HasSubstr("\n## " + (*match)[1].str() + "\n"));
        ++links;
    }
    EXPECT_EQ(links, 14u);
}

TEST(Schema, KnowsEveryKeyAndNoOther) {
    const Json schema = Json::parse(json_schema());
    EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    EXPECT_EQ(schema["additionalProperties"], false);
    EXPECT_EQ(schema["properties"].size(), template_shape().fields.size());
    EXPECT_EQ(schema["required"], Json::array({"apiVersion", "name"}));
    const Json& comfyui = schema["properties"]["comfyui"];
    EXPECT_EQ(comfyui["type"], Json::array({"object", "null"}));
    EXPECT_EQ(comfyui["properties"]["port"]["default"], 9000);
    EXPECT_FALSE(comfyui["properties"]["vram"]["description"].empty());
}

TEST(Schema, TakesAVariableForANumberAndAShortForm) {
    const Json schema = Json::parse(json_schema());
    const Json& port = schema["properties"]["comfyui"]["properties"]["port"];
    EXPECT_EQ(port["anyOf"][0]["type"], "integer");
    EXPECT_EQ(port["anyOf"][0]["maximum"], 65535);
    EXPECT_THAT(port["anyOf"][1]["pattern"].get<std::string>(), HasSubstr("\\$\\{"));
    EXPECT_EQ(schema["properties"]["models"]["items"]["anyOf"].size(), 2);
    EXPECT_EQ(schema["properties"]["custom_nodes"]["items"]["anyOf"][1]["oneOf"].size(), 3);
}

// The defaults of the table, given explicitly, must be what an empty section means.
std::string all_defaults(const Shape& shape, int indent) {
    std::string yaml;
    for (const Field& field : shape.fields) {
        if (field.fallback.empty()) continue;
        yaml += std::string(static_cast<std::size_t>(indent), ' ') + field.name + ": " +
                field.fallback + "\n";
    }
    return yaml;
}

const Shape& section(const char* name) {
    return *template_shape().find(name)->type.shape;
}

TEST(Schema, GivesTheDefaultsThatTheParserFillsIn) {
    const Template given =
        parse("python:\n" + all_defaults(section("python"), 2) + "comfyui:\n" +
              all_defaults(section("comfyui"), 2) + "smoke:\n" + all_defaults(section("smoke"), 2));
    const Python python;
    EXPECT_EQ(given.python.interpreter, python.interpreter);
    EXPECT_EQ(given.python.environment, python.environment);
    EXPECT_EQ(given.python.path, python.path);
    EXPECT_EQ(given.python.inherit, python.inherit);
    EXPECT_EQ(given.python.installer, python.installer);
    EXPECT_EQ(given.python.torch, python.torch);
    const ComfyUi comfyui;
    EXPECT_EQ(given.comfyui->source, comfyui.source);
    EXPECT_EQ(given.comfyui->path, comfyui.path);
    EXPECT_EQ(given.comfyui->port, comfyui.port);
    EXPECT_EQ(given.comfyui->listen, comfyui.listen);
    EXPECT_EQ(given.comfyui->ready_timeout, comfyui.ready_timeout);
    EXPECT_EQ(given.comfyui->progress_page, comfyui.progress_page);
    EXPECT_EQ(given.comfyui->vram, comfyui.vram);
    EXPECT_EQ(given.smoke.timeout, Smoke{}.timeout);
}

TEST(Schema, GivesTheDefaultsOfListItemsThatTheParserFillsIn) {
    const auto items = [](const char* name) -> const Shape& {
        return *template_shape().find(name)->type.element->shape;
    };
    const auto indented = [](const Shape& shape) { return all_defaults(shape, 4); };
    const Shape& ready = *items("services").find("ready")->type.shape;
    const Template given =
        parse("comfyui: {}\nrepositories:\n  - git: https://h.example/a/b\n" +
              indented(items("repositories")) + "models:\n  - source: hf:a/b/c.safetensors\n" +
              indented(items("models")) + "custom_nodes:\n  - git: https://h.example/a/n\n" +
              indented(items("custom_nodes")) + "services:\n  - name: a\n    command: [x]\n" +
              indented(items("services")) + "    ready:\n" + all_defaults(ready, 6) +
              "pod:\n  gpu:\n" + all_defaults(*section("pod").find("gpu")->type.shape, 4) +
              "  volume:\n" + all_defaults(*section("pod").find("volume")->type.shape, 4));
    EXPECT_EQ(given.repositories[0].submodules, Repository{}.submodules);
    EXPECT_EQ(given.models[0].layout, Model{}.layout);
    EXPECT_EQ(given.models[0].unpack, Model{}.unpack);
    EXPECT_EQ(given.models[0].optional, Model{}.optional);
    EXPECT_EQ(given.custom_nodes[0].install_script, CustomNode{}.install_script);
    EXPECT_EQ(std::get<GitNode>(given.custom_nodes[0].source).submodules, GitNode{}.submodules);
    EXPECT_EQ(given.services[0].restart, Service{}.restart);
    EXPECT_EQ(given.services[0].ready.timeout, Ready{}.timeout);
    EXPECT_EQ(given.pod.gpu->count, Gpu{}.count);
    EXPECT_EQ(given.pod.volume.mount, Volume{}.mount);
}

}  // namespace
}  // namespace podctl::tmpl::test

#include "saved.hpp"

namespace podctl::workflow::test {
namespace {

using ::testing::HasSubstr;

Error refused(const std::string& text) {
    return podctl::test::error_of([&] { read_workflow(text, "test.json"); });
}

TEST(ReadWorkflow, TellsTheFormatsApart) {
    const std::string api = R"({"1": {"class_type": "A", "inputs": {}}})";
    EXPECT_EQ(read_workflow(api, "").format(), Format::api);
    EXPECT_EQ(read_workflow(R"({"nodes": [], "links": []})", "").format(), Format::ui);
    const auto body = read_workflow("{\"prompt\": " + api + ", \"client_id\": \"x\"}", "");
    EXPECT_EQ(body.format(), Format::api);
    EXPECT_EQ(json::parse(body.text()), json::parse(api));
    EXPECT_EQ(read_workflow("\xEF\xBB\xBF" + api, "").format(), Format::api);
}

TEST(ReadWorkflow, RefusesWhatIsNone) {
    for (const std::string text :
         {"", "{", "[]", "{}", "5", "null", "\"nodes\"", "\xff", R"({"1": {"inputs": {}}})",
          R"({"1": []})", R"({"nodes": {}})", R"({"1": {"class_type": 5}})"}) {
        const auto error = refused(text);
        EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
        EXPECT_THAT(error.message(), HasSubstr("test.json: not a workflow")) << text;
    }
    EXPECT_THAT(refused("{\n\"a\": }").message(), HasSubstr("line 2, column 6"));
    EXPECT_THAT(refused("{\"nodes\": [1e999]}").message(), HasSubstr("number overflow"));
    EXPECT_THAT(refused(std::string(300'000, '[')).message(), HasSubstr("nested too deeply"));
}

TEST(ApiWorkflow, GoesAsItIs) {
    const json prompt{{"1", {{"class_type", "A"}, {"inputs", {{"x", {"2", 0}}}}}},
                      {"2", {{"class_type", "B"}, {"inputs", json::object()}}}};
    const auto read = read_workflow(prompt.dump(), "");
    EXPECT_EQ(json::parse(to_prompt(read, {}).text), prompt);
    EXPECT_EQ(needs_of(read).nodes.at(1).class_type, "B");
}

TEST(UiWorkflow, MakesInputsOfLinksAndWidgets) {
    const auto prompt = converted(
        saved({node(1, "Source", {}, {64}), node(2, "Blur", {slot("image", 7)}, {5, "fine"}),
               node(3, "Save", {slot("images", 8)}, {"out"})},
              {{7, 1, 0, 2, 0, "IMAGE"}, {8, 2, 0, 3, 0, "IMAGE"}}));
    EXPECT_EQ(prompt["1"]["class_type"], "Source");
    EXPECT_EQ(prompt["1"]["inputs"], (json{{"size", 64}}));
    EXPECT_EQ(prompt["2"]["inputs"], (json{{"image", {"1", 0}}, {"radius", 5}, {"mode", "fine"}}));
    EXPECT_EQ(prompt["3"]["inputs"], (json{{"images", {"2", 0}}, {"prefix", "out"}}));
}

TEST(UiWorkflow, TakesLinksWrittenAsObjects) {
    const auto prompt = converted(saved(
        {node(1, "Source"), node(3, "Save", {slot("images", 8)})},
        {{{"id", 8}, {"origin_id", 1}, {"origin_slot", 0}, {"target_id", 3}, {"target_slot", 0}}}));
    EXPECT_EQ(prompt["3"]["inputs"]["images"], (json{"1", 0}));
}

TEST(UiWorkflow, LeavesOutWhatIsMutedAndLinksToIt) {
    const auto prompt = converted(
        saved({node(1, "Source", {}, {8}, 2), node(3, "Save", {slot("images", 8)}, {"out"})},
              {{8, 1, 0, 3, 0, "IMAGE"}}));
    EXPECT_EQ(prompt.size(), 1u);
    EXPECT_EQ(prompt["3"]["inputs"], (json{{"prefix", "out"}}));
}

TEST(UiWorkflow, GoesAroundABypassedNodeByType) {
    const auto prompt =
        converted(saved({node(1, "Source"),
                         node(2, "Blur", {slot("mask", nullptr, "MASK"), slot("image", 7)}, {5}, 4),
                         node(3, "Save", {slot("images", 8)})},
                        {{7, 1, 0, 2, 1, "IMAGE"}, {8, 2, 0, 3, 0, "IMAGE"}}));
    EXPECT_FALSE(prompt.contains("2"));
    EXPECT_EQ(prompt["3"]["inputs"]["images"], (json{"1", 0}));
}

TEST(UiWorkflow, FollowsReroutesAndNamedLinks) {
    const auto prompt =
        converted(saved({node(1, "Source"), node(2, "Reroute", {slot("", 1, "*")}),
                         node(3, "SetNode", {slot("IMAGE", 2)}, {"picture"}),
                         node(4, "GetNode", {}, {"picture"}), node(5, "Save", {slot("images", 3)})},
                        {{1, 1, 0, 2, 0, "*"}, {2, 2, 0, 3, 0, "*"}, {3, 4, 0, 5, 0, "IMAGE"}}));
    EXPECT_EQ(prompt.size(), 2u);
    EXPECT_EQ(prompt["5"]["inputs"]["images"], (json{"1", 0}));
}

TEST(UiWorkflow, PutsAPrimitivesValueInPlaceOfItsLink) {
    json primitive = node(1, "PrimitiveNode", {}, {99, "fixed"});
    primitive["outputs"][0]["links"] = {1};
    const auto prompt = converted(saved(
        {primitive, node(2, "Source", {widget_slot("size", 1)}, {8})}, {{1, 1, 0, 2, 0, "INT"}}));
    EXPECT_EQ(prompt, (json{{"2",
                             {{"class_type", "Source"},
                              {"inputs", {{"size", 99}}},
                              {"_meta", {{"title", "Source"}}}}}}));
}

TEST(UiWorkflow, LeavesNotesOut) {
    const auto content = saved(
        {node(1, "Note"), node(2, "MarkdownNote"), node(3, "Source"), node(4, "Label (rgthree)")},
        {});
    EXPECT_EQ(converted(content).size(), 1u);
    EXPECT_EQ(needs_of(read_workflow(content.dump(), "")).nodes.size(), 1u);
}

TEST(UiWorkflow, KnowsWhereItsNodesAndModelsComeFrom) {
    json one = node(1, "Source");
    one["properties"] = {{"cnr_id", "a-pack"},
                         {"aux_id", "user/repo"},
                         {"models",
                          {{{"name", "m.safetensors"},
                            {"url", "https://hub.example/m.safetensors"},
                            {"directory", "vae"}}}}};
    const auto needs = needs_of(read_workflow(saved({one}).dump(), ""));
    EXPECT_EQ(needs.nodes.at(0).registry_id, "a-pack");
    EXPECT_EQ(needs.nodes.at(0).repository, "user/repo");
    EXPECT_EQ(needs.models.at(0).url, "https://hub.example/m.safetensors");
    EXPECT_EQ(needs.models.at(0).directory, "vae");
}

// A subgraph with a picture and a radius as its inputs: Blur, then Blur.
json with_subgraph(json instance) {
    json content = saved({node(1, "Source"), instance, node(3, "Save", {slot("images", 2)})},
                         {{1, 1, 0, 5, 0, "IMAGE"}, {2, 5, 0, 3, 0, "IMAGE"}});
    const auto link = [](int id, int from, int from_slot, int to, int to_slot) {
        return json{{"id", id},        {"origin_id", from},      {"origin_slot", from_slot},
                    {"target_id", to}, {"target_slot", to_slot}, {"type", "IMAGE"}};
    };
    content["definitions"]["subgraphs"] = {
        {{"id", "uuid-1"},
         {"name", "Twice"},
         {"inputs", {{{"name", "image"}}, {{"name", "radius"}}}},
         {"outputs", {{{"name", "out"}}}},
         {"nodes",
          {node(11, "Blur", {slot("image", 1), widget_slot("radius", 4)}, {5, "fine"}),
           node(12, "Blur", {slot("image", 2)}, {6, "fast"})}},
         {"links",
          {link(1, -10, 0, 11, 0), link(2, 11, 0, 12, 0), link(3, 12, 0, -20, 0),
           link(4, -10, 1, 11, 1)}}}};
    return content;
}

TEST(UiWorkflow, UnfoldsASubgraph) {
    const auto prompt = converted(with_subgraph(node(5, "uuid-1", {slot("image", 1)}, {7})));
    EXPECT_EQ(prompt.size(), 4u);
    EXPECT_EQ(prompt["5:11"]["inputs"],
              (json{{"image", {"1", 0}}, {"radius", 7}, {"mode", "fine"}}));
    EXPECT_EQ(prompt["5:12"]["inputs"]["image"], (json{"5:11", 0}));
    EXPECT_EQ(prompt["3"]["inputs"]["images"], (json{"5:12", 0}));
}

TEST(UiWorkflow, ASubgraphsWidgetIsLinkedOrSavedOrItsInnerNodesOwn) {
    const auto radius = [](json instance) {
        return converted(with_subgraph(std::move(instance)))["5:11"]["inputs"]["radius"];
    };
    EXPECT_EQ(radius(node(5, "uuid-1", {slot("image", 1)}, {})), 5);
    EXPECT_EQ(radius(node(5, "uuid-1", {slot("image", 1), widget_slot("radius", 1)}, {7})),
              (json{"1", 0}));
    json newer = node(5, "uuid-1", {slot("image", 1)}, {"other", 8});
    newer["properties"]["proxyWidgets"] =
        List{json::array({"12", "mode"}), json::array({"-1", "radius"})};
    EXPECT_EQ(radius(newer), 8);
}

TEST(UiWorkflow, ABypassedSubgraphIsNotUnfolded) {
    const auto prompt = converted(with_subgraph(node(5, "uuid-1", {slot("image", 1)}, {7}, 4)));
    EXPECT_EQ(prompt.size(), 2u);
    EXPECT_EQ(prompt["3"]["inputs"]["images"], (json{"1", 0}));
}

TEST(UiWorkflow, TellsOfReroutesThatGoInACircle) {
    EXPECT_THAT(fault_of(saved(
                    {node(1, "Reroute", {slot("", 2, "*")}), node(2, "Reroute", {slot("", 1, "*")}),
                     node(3, "Save", {slot("images", 3)})},
                    {{1, 1, 0, 2, 0, "*"}, {2, 2, 0, 1, 0, "*"}, {3, 2, 0, 3, 0, "IMAGE"}})),
                HasSubstr("input images of node 3 go in a circle"));
}

TEST(UiWorkflow, TellsOfASubgraphThatContainsItself) {
    auto content = with_subgraph(node(5, "uuid-1", {slot("image", 1)}, {7}));
    content["definitions"]["subgraphs"][0]["nodes"].push_back(node(9, "uuid-1"));
    EXPECT_THAT(fault_of(content), HasSubstr("subgraph Twice contains itself"));
}

TEST(UiWorkflow, TellsOfAGraphThatGrowsWithoutEnd) {
    json content = saved({node(1, "level-0")}, {});
    for (int level = 0; level < 30; ++level) {
        const auto below = "level-" + std::to_string(level + 1);
        content["definitions"]["subgraphs"].push_back(
            {{"id", "level-" + std::to_string(level)},
             {"nodes", {node(1, below), node(2, below)}}});
    }
    EXPECT_THAT(fault_of(content), HasSubstr("more than 20000 nodes"));
}

TEST(UiWorkflow, ALongChainOfReroutesIsFollowed) {
    List nodes{node(0, "Source")}, links;
    constexpr int length = 2'000;
    for (int id = 1; id <= length; ++id) {
        nodes.push_back(node(id, "Reroute", {slot("", id, "*")}));
        links.push_back({id, id - 1, 0, id, 0, "*"});
    }
    nodes.push_back(node(length + 1, "Save", {slot("images", length + 1)}));
    links.push_back({length + 1, length, 0, length + 1, 0, "IMAGE"});
    EXPECT_EQ(converted(saved(nodes, links))[std::to_string(length + 1)]["inputs"]["images"],
              (json{"0", 0}));
}

TEST(UiWorkflow, WrongTypesEverywhereAreNothingOrAnError) {
    for (const std::string text : {
             R"({"nodes": [{"id": 1, "type": "Source", "inputs": 5, "widgets_values": "x"}]})",
             R"({"nodes": [{"id": 1, "type": "Source", "inputs": [5, {"name": 3, "link": {}}]}]})",
             R"({"nodes": [{"id": 1, "type": "Source", "mode": "x", "properties": []}]})",
             R"({"nodes": [{"id": 1, "type": "Source"}], "links": [[], [1], {"id": []}, 7]})",
             R"({"nodes": [{"id": 1, "type": "Source"}], "definitions": {"subgraphs": [1, {}]}})",
             R"({"nodes": [{"id": 1, "type": "GetNode"}, {"id": 2, "type": "Source",
                 "inputs": [{"name": "size", "type": 0, "link": 1}]}],
                 "links": [[1, 1, 0, 2, 0, "*"]]})",
         }) {
        const auto prompt = json::parse(to_prompt(read_workflow(text, ""), classes_of()).text);
        EXPECT_TRUE(prompt.contains("1") || prompt.contains("2")) << text;
    }
    EXPECT_THAT(fault_of(json::parse(R"({"nodes": [{"id": []}]})")), HasSubstr("without an id"));
}

}  // namespace
}  // namespace podctl::workflow::test

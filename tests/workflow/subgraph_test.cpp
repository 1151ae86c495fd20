#include "saved.hpp"

namespace podctl::workflow::test {
namespace {

using ::testing::HasSubstr;

json inner_link(int id, int from, int from_slot, int to, int to_slot) {
    return {{"id", id},        {"origin_id", from},      {"origin_slot", from_slot},
            {"target_id", to}, {"target_slot", to_slot}, {"type", "IMAGE"}};
}

// A definition with these nodes, whose only input is an INT that leads to the links.
json definition(const std::string& id, const List& nodes, const List& links,
                const List& input_links) {
    return {{"id", id},
            {"name", id},
            {"inputs", {{{"name", "value"}, {"type", "INT"}, {"linkIds", input_links}}}},
            {"outputs", json::array()},
            {"nodes", nodes},
            {"links", links}};
}

json with_definitions(const List& nodes, const List& definitions, const List& links = {}) {
    json content = saved(nodes, links);
    content["definitions"]["subgraphs"] = definitions;
    return content;
}

TEST(Subgraph, AValueGoesIntoASocketThatIsNoWidget) {
    const auto classes = classes_of({{"Any", R"({"required": {"source": ["*"]}})"}});
    const auto prompt = converted(
        with_definitions(
            {node(5, "uuid", {}, {7})},
            {definition("uuid",
                        {node(1, "Source", {widget_slot("size", 1)}, {3}),
                         node(2, "Any", {slot("source", 2, "*")})},
                        {inner_link(1, -10, 0, 1, 0), inner_link(2, -10, 0, 2, 0)}, {1, 2})}),
        classes);
    EXPECT_EQ(prompt["5:1"]["inputs"]["size"], 7);
    EXPECT_EQ(prompt["5:2"]["inputs"]["source"], 7);
}

TEST(Subgraph, EachNodeOfATypeHasItsOwnValue) {
    const auto prompt = converted(
        with_definitions({node(5, "uuid", {}, {7}), node(6, "uuid", {}, {8}), node(7, "uuid")},
                         {definition("uuid", {node(1, "Source", {widget_slot("size", 1)}, {3})},
                                     {inner_link(1, -10, 0, 1, 0)}, {1})}));
    EXPECT_EQ(prompt["5:1"]["inputs"]["size"], 7);
    EXPECT_EQ(prompt["6:1"]["inputs"]["size"], 8);
    EXPECT_EQ(prompt["7:1"]["inputs"]["size"], 3);
}

TEST(Subgraph, AProxyBecomesAnInput) {
    json instance = node(5, "uuid", {}, {"fine"});
    instance["properties"]["proxyWidgets"] = List{json::array({"1", "mode"})};
    json content = with_definitions(
        {instance}, {definition("uuid", {node(1, "Blur", {}, {5, "fast"})}, {}, {})});
    EXPECT_EQ(converted(content)["5:1"]["inputs"]["mode"], "fine");
    // The page of 2025 does not know them.
    EXPECT_EQ(converted(content, classes_of({}, false))["5:1"]["inputs"]["mode"], "fast");
}

TEST(Subgraph, AnInputTakesThePlaceOfAPrimitiveWithin) {
    json primitive = node(2, "PrimitiveNode", {}, {4, "fixed"});
    primitive["outputs"] = List{{{"name", "INT"}, {"type", "INT"}, {"links", {1}}}};
    json instance = node(5, "uuid", {}, {9});
    instance["properties"]["proxyWidgets"] = List{json::array({"2", "value"})};
    const auto prompt = converted(with_definitions(
        {instance},
        {definition("uuid", {node(1, "Source", {widget_slot("size", 1)}, {3}), primitive},
                    {inner_link(1, 2, 0, 1, 0)}, {})}));
    EXPECT_EQ(prompt["5:1"]["inputs"]["size"], 9);
}

TEST(Subgraph, IdsThatAreTakenAreGivenAnew) {
    auto content =
        with_definitions({node(1, "Source"), node(5, "uuid", {}, {7})},
                         {definition("uuid", {node(1, "Source", {widget_slot("size", 1)}, {3})},
                                     {inner_link(1, -10, 0, 1, 0)}, {1})});
    content["last_node_id"] = 20;
    const auto prompt = converted(content);
    EXPECT_EQ(prompt["5:21"]["inputs"]["size"], 7);
    EXPECT_EQ(converted(content, classes_of({}, false))["5:1"]["inputs"]["size"], 7);
}

TEST(Subgraph, DefinitionsMayStandWithinEachOther) {
    json outer = definition("outer", {node(2, "inner", {widget_slot("value", 1)}, {4})},
                            {inner_link(1, -10, 0, 2, 0)}, {1});
    outer["definitions"]["subgraphs"] =
        List{definition("inner", {node(1, "Source", {widget_slot("size", 1)}, {3})},
                        {inner_link(1, -10, 0, 1, 0)}, {1})};
    const auto prompt = converted(with_definitions({node(5, "outer", {}, {11})}, {outer}));
    EXPECT_EQ(prompt["5:2:1"]["inputs"]["size"], 11);
}

TEST(Subgraph, OnlyInTheMainGraphItIsLeftOutAsAWhole) {
    const auto inner = definition("inner", {node(1, "Source")}, {}, {});
    const auto muted = [&](int outer_mode, int inner_mode) {
        return converted(with_definitions(
            {node(5, "outer", {}, {}, outer_mode)},
            {inner, definition("outer", {node(2, "inner", {}, {}, inner_mode)}, {}, {})}));
    };
    EXPECT_TRUE(muted(0, 2).contains("5:2:1"));
    EXPECT_TRUE(muted(0, 4).contains("5:2:1"));
    EXPECT_TRUE(muted(2, 0).empty());
}

TEST(GroupNode, IsUnfoldedInBothSpellings) {
    json content = saved(
        {node(1, "Source"), node(4, "workflow>Twice", {slot("image", 1)}, {6, "fine", 7, "fast"}),
         node(9, "Save", {slot("images", 2)})},
        {{1, 1, 0, 4, 0, "IMAGE"}, {2, 4, 0, 9, 0, "IMAGE"}});
    content["extra"]["groupNodes"]["Twice"] = {
        {"nodes",
         {node(-1, "Blur", {slot("image", nullptr)}, {1, "fast"}),
          node(-1, "Blur", {slot("image", nullptr)}, {2, "fast"})}},
        {"links", {json::array({0, 0, 1, 0, 1, "IMAGE"})}},
        {"external", json::array()}};
    for (const char* spelling : {"workflow>Twice", "workflow/Twice"}) {
        content["nodes"][1]["type"] = spelling;
        const auto prompt = converted(content);
        EXPECT_EQ(prompt["4:0"]["inputs"],
                  (json{{"image", {"1", 0}}, {"radius", 6}, {"mode", "fine"}}));
        EXPECT_EQ(prompt["4:1"]["inputs"],
                  (json{{"image", {"4:0", 0}}, {"radius", 7}, {"mode", "fast"}}));
        EXPECT_EQ(prompt["9"]["inputs"]["images"], (json{"4:1", 0}));
        EXPECT_EQ(needs_of(read_workflow(content.dump(), "")).nodes.size(), 4u);
    }
}

TEST(GroupNode, WithoutItsDefinitionIsAnUnknownClass) {
    const auto prompt = prompt_of(saved({node(4, "workflow>My group")}));
    ASSERT_EQ(prompt.unknown.size(), 1u);
    EXPECT_EQ(prompt.unknown[0].class_type, "workflow>My group");
}

TEST(Subgraph, ProxiesOfACycleAreAnErrorAndNoHang) {
    json inner = node(2, "uuid");
    inner["properties"]["proxyWidgets"] = List{json::array({"2", "value"})};
    EXPECT_THAT(
        fault_of(with_definitions({node(5, "uuid")}, {definition("uuid", {inner}, {}, {})})),
        HasSubstr("contains itself"));
}

}  // namespace
}  // namespace podctl::workflow::test

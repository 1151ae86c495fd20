#include "saved.hpp"

#include <limits>

namespace podctl::workflow::test {
namespace {

using ::testing::HasSubstr;

// The forms in which a workflow is handed over, beside the two that ComfyUI saves.

json api_of(const std::string& text) {
    const auto read = read_workflow(text, "test.json");
    EXPECT_EQ(read.format(), Format::api);
    return json::parse(read.text());
}

TEST(NonFinite, NumbersAreNull) {
    const auto read = api_of(R"({"1": {"class_type": "A", "inputs": {"a": NaN, "b": -Infinity,
        "c": [Infinity, NaN], "d": 1}}})");
    EXPECT_EQ(read["1"]["inputs"],
              json::parse(R"({"a": null, "b": null, "c": [null, null], "d": 1})"));
    const auto ui = read_workflow(R"({"nodes": [{"id": 1, "type": "Blur", "inputs": [],
        "widgets_values": [NaN, "fine"]}], "links": [], "extra": {"scale": Infinity}})",
                                  "test.json");
    EXPECT_EQ(json::parse(to_prompt(ui, classes_of()).text)["1"]["inputs"]["mode"], "fine");
    EXPECT_EQ(json::parse(ui.text())["extra"]["scale"], nullptr);
}

TEST(NonFinite, WordsStayWords) {
    const auto read = api_of(R"({"NaN": {"class_type": "A", "inputs": {
        "Infinity": "NaN, \"Infinity\" \\", "x": NaN}}})");
    EXPECT_EQ(read["NaN"]["inputs"]["Infinity"], R"(NaN, "Infinity" \)");
    for (const std::string text : {"{\"nodes\": [NaNs]}", "{\"nodes\": [xNaN]}",
                                   "{\"nodes\": [--Infinity]}", "{\"nodes\": [\"NaN]}"})
        EXPECT_EQ(podctl::test::error_of([&] { read_workflow(text, ""); }).kind(), ErrorKind::usage)
            << text;
}

TEST(ApiWorkflow, RemarksAreNoNodes) {
    const auto read = api_of(R"({"_comment": "made by hand", "_meta": {"by": "me"},
        "1": {"class_type": "A", "inputs": {}}})");
    EXPECT_EQ(read, json::parse(R"({"1": {"class_type": "A", "inputs": {}}})"));
    // What stands by another name has to be a node.
    EXPECT_THROW(read_workflow(R"({"comment": "x", "1": {"class_type": "A"}})", ""), Error);
    EXPECT_THROW(read_workflow(R"({"_comment": "nothing but this"})", ""), Error);
}

TEST(ReadWorkflow, TakesWhatIsWrappedInEitherFormat) {
    const std::string api = R"({"1": {"class_type": "A", "inputs": {}}})";
    const std::string ui = R"({"nodes": [{"id": 1, "type": "A"}], "links": []})";
    for (const std::string key : {"prompt", "workflow"}) {
        const auto around = [&](const std::string& text) {
            return read_workflow("{\"client_id\": \"x\", \"" + key + "\": " + text + "}", "");
        };
        EXPECT_EQ(json::parse(around(api).text()), json::parse(api)) << key;
        EXPECT_EQ(around(api).format(), Format::api);
        EXPECT_EQ(json::parse(around(ui).text()), json::parse(ui)) << key;
        EXPECT_EQ(around(ui).format(), Format::ui);
    }
    // The body of a request has both: what is sent counts.
    EXPECT_EQ(read_workflow("{\"prompt\": " + api + R"(, "extra_data": {"extra_pnginfo":
                            {"workflow": )" +
                                ui + "}}}",
                            "")
                  .format(),
              Format::api);
}

TEST(Limits, OfTheTextItself) {
    const auto refused = [](const std::string& text) {
        return podctl::test::error_of([&] { read_workflow(text, "test.json"); }).message();
    };
    std::string many = "{\"nodes\": [0";
    for (int i = 0; i < 1'000'001; ++i)
        many += ",0";
    EXPECT_THAT(refused(many + "]}"), HasSubstr("more than 1000000 values"));
    EXPECT_THAT(refused("{\"nodes\": [\"" + std::string(65u << 20, 'x') + "\"]}"),
                HasSubstr("too large"));
}

// A few lines ask for more than any machine has: one text, shown by a subgraph at many places.
TEST(Limits, OfValuesThatAreRepeated) {
    json content = saved({});
    for (int id = 10; id < 60; ++id)
        content["nodes"].push_back(node(id, "uuid"));
    content["definitions"]["subgraphs"] =
        List{{{"id", "uuid"},
              {"name", "uuid"},
              {"inputs", List{}},
              {"outputs", List{}},
              {"nodes", List{node(1, "Save", {}, {std::string(8u << 20, 'x')})}},
              {"links", List{}}}};
    EXPECT_THAT(fault_of(content), HasSubstr("repeats its values without measure"));
}

json with_group(std::size_t nodes, std::size_t links, int instances) {
    json content = saved({});
    for (int id = 1; id <= instances; ++id)
        content["nodes"].push_back(node(id, "workflow>G"));
    content["extra"]["groupNodes"]["G"] = {
        {"nodes", std::vector<json>(nodes, node(-1, "Source"))},
        {"links", std::vector<json>(links, json::array({0, 0, 0, 0, 0, "IMAGE"}))}};
    return content;
}

TEST(Limits, OfAGroup) {
    EXPECT_EQ(converted(with_group(1'000, 0, 1)).size(), 1'000u);
    for (const auto& content :
         {with_group(1'001, 0, 1), with_group(1, 10'001, 1), with_group(1'000, 0, 21)})
        EXPECT_THAT(fault_of(content), HasSubstr("is a group of too many nodes"));
}

TEST(Limits, OfIds) {
    const auto content = [](std::int64_t last) {
        json made = saved({node(1, "Source"), node(5, "uuid")});
        made["last_node_id"] = last;
        made["definitions"]["subgraphs"] = List{{{"id", "uuid"},
                                                 {"name", "uuid"},
                                                 {"inputs", List{}},
                                                 {"outputs", List{}},
                                                 {"nodes", List{node(1, "Source")}},
                                                 {"links", List{}}}};
        return made;
    };
    EXPECT_TRUE(converted(content(99'999'999)).contains("5:100000000"));
    EXPECT_THAT(fault_of(content(std::numeric_limits<std::int64_t>::max())),
                HasSubstr("leaves no id for a node"));
}

}  // namespace
}  // namespace podctl::workflow::test

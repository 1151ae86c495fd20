#include "saved.hpp"

// What a conversion may be told: values, names of files, and how many runs came before.
namespace podctl::workflow {
namespace {

using namespace test;
using ::testing::HasSubstr;

json sampled(const std::string& control, json seed = 7) {
    return saved({node(1, "Source", {}, {8}),
                  node(2, "Sample", {slot("image", 1)}, {seed, control, 20, "euler", 7.5})},
                 {json::array({1, 1, 0, 2, 0, "IMAGE"})});
}

json seed_after(const json& workflow, unsigned repeat, std::uint64_t seed = 1) {
    return converted(workflow, classes_of(),
                     {.seed = seed, .repeat = repeat})["2"]["inputs"]["seed"];
}

TEST(Edits, SeedsChangeAfterEachRunAsTheirControlSays) {
    EXPECT_EQ(seed_after(sampled("randomize"), 0), 7);
    EXPECT_EQ(seed_after(sampled("fixed"), 3), 7);
    const auto within = classes_of({{"Sample", R"({"required": {"image": ["IMAGE"],
                       "seed": ["INT", {"min": 0, "max": 9}], "steps": ["INT", {}],
                       "sampler": ["COMBO", {"options": ["euler", "heun"]}],
                       "cfg": ["FLOAT", {}]}})"}});
    const auto after = [&](const std::string& control, unsigned repeat) {
        return converted(sampled(control), within, {.repeat = repeat})["2"]["inputs"]["seed"];
    };
    EXPECT_EQ(after("increment", 1), 8);
    EXPECT_EQ(after("increment", 5), 9);
    EXPECT_EQ(after("decrement", 2), 5);
    EXPECT_EQ(after("decrement", 9), 0);
}

TEST(Edits, ARandomSeedIsTheSameForTheSameSeed) {
    const auto wide = classes_of({{"Sample", R"({"required": {"image": ["IMAGE"],
                       "seed": ["INT", {"min": 0, "max": 1000000000}], "steps": ["INT", {}],
                       "sampler": ["COMBO", {"options": ["euler", "heun"]}],
                       "cfg": ["FLOAT", {}]}})"}});
    const auto after = [&](unsigned repeat, std::uint64_t seed) {
        return converted(sampled("randomize"), wide,
                         {.seed = seed, .repeat = repeat})["2"]["inputs"]["seed"];
    };
    EXPECT_EQ(after(1, 5), after(1, 5));
    EXPECT_NE(after(1, 5), after(2, 5));
    EXPECT_NE(after(1, 5), after(1, 6));
    EXPECT_TRUE(after(1, 5).is_number_integer());
}

TEST(Edits, AChoiceWithAControlGoesOnToTheNext) {
    const auto workflow = [](const std::string& control) {
        return saved({node(1, "Pick", {}, {"a", control, "", 1.5})});
    };
    const auto after = [&](const std::string& control, unsigned repeat) {
        return converted(workflow(control), classes_of(),
                         {.repeat = repeat})["1"]["inputs"]["name"];
    };
    EXPECT_EQ(after("increment", 1), "b");
    EXPECT_EQ(after("increment", 2), "b");
    EXPECT_EQ(after("increment-wrap", 2), "a");
    EXPECT_EQ(after("fixed", 1), "a");
}

// The page gives the widget behind a primitive no control of its own.
TEST(Edits, APrimitivesControlCountsForWhatItFeeds) {
    const auto fed = [](const std::string& control) {
        auto primitive = node(1, "PrimitiveNode", {}, {7, control});
        primitive["outputs"] = List{{{"name", "INT"}, {"type", "INT"}, {"links", {1}}}};
        return saved({primitive, node(2, "Sample", {widget_slot("seed", 1)},
                                      {3, "randomize", 20, "euler", 7.5})},
                     {json::array({1, 1, 0, 2, 0, "INT"})});
    };
    EXPECT_EQ(seed_after(fed("fixed"), 2), 7);
    EXPECT_NE(seed_after(fed("increment"), 2), 7);
}

TEST(Edits, WithoutASavedControlSeedsAreRandomFromTheSecondRunOn) {
    const json api{
        {"1", {{"class_type", "Sample"}, {"inputs", {{"seed", 7}, {"steps", 20}, {"cfg", 7.5}}}}}};
    const auto after = [&](unsigned repeat) {
        return converted(api, classes_of(), {.repeat = repeat})["1"]["inputs"];
    };
    EXPECT_EQ(after(0)["seed"], 7);
    EXPECT_EQ(after(1)["steps"], 20);
    EXPECT_EQ(after(1)["cfg"], 7.5);
    EXPECT_NE(after(1)["seed"], 7);
}

TEST(Edits, FilesGetTheNamesThatTheyHaveAtTheServer) {
    const auto inputs = converted(saved({node(1, "Load", {}, {"me.png", true})}), classes_of(),
                                  {.files = {{"me.png", "me (1).png"}}})["1"]["inputs"];
    EXPECT_EQ(inputs["image"], "me (1).png");
}

json set_in(const std::string& target, const std::string& value) {
    auto workflow = sampled("fixed");
    workflow["nodes"][1]["title"] = "my. sampler";
    return converted(workflow, classes_of(), {.values = {{target, value}}})["2"]["inputs"];
}

TEST(Edits, AValueIsOfItsInputsType) {
    EXPECT_EQ(set_in("2.steps", "8")["steps"], 8);
    EXPECT_EQ(set_in("2.seed", "18446744073709551615")["seed"], 18446744073709551615u);
    EXPECT_EQ(set_in("2.cfg", "8")["cfg"], 8.0);
    EXPECT_EQ(set_in("2.sampler", "heun")["sampler"], "heun");
    EXPECT_EQ(set_in("my. sampler.steps", "9")["steps"], 9);
    EXPECT_EQ(set_in("Sample.steps", "9")["steps"], 9);
    // What a link gave.
    EXPECT_EQ(set_in("2.image", "null")["image"], nullptr);
}

Error wrong_value(const std::string& target, const std::string& value) {
    return podctl::test::error_of([&] { set_in(target, value); });
}

TEST(Edits, AValueThatCannotBeIsNamed) {
    const std::vector<std::array<std::string, 3>> wrong{
        {"2.steps", "eight", "2.steps=eight: it takes a whole number"},
        {"2.steps", "8.5", "whole number"},
        {"2.cfg", "nan", "it takes a number"},
        {"2.stepz", "8", "node 2 (Sample) has no input stepz"},
        {"9.steps", "8", "the workflow runs no node 9"},
        {"steps", "8", "no input is named"}};
    for (const auto& [target, value, message] : wrong) {
        const auto error = wrong_value(target, value);
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_THAT(error.message(), HasSubstr(message));
    }
    EXPECT_EQ(wrong_value("2.stepz", "8").hint(), "did you mean steps?");
    EXPECT_EQ(wrong_value("Sampl.steps", "8").hint(), "did you mean Sample?");
}

TEST(Edits, ANameThatTwoNodesHaveIsNotGuessed) {
    const auto error = podctl::test::error_of([] {
        converted(saved({node(1, "Source", {}, {8}), node(2, "Source", {}, {8})}), classes_of(),
                  {.values = {{"Source.size", "9"}}});
    });
    EXPECT_THAT(error.message(), HasSubstr("nodes 1, 2 are called so"));
}

}  // namespace
}  // namespace podctl::workflow

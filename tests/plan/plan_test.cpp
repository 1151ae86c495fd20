#include "podctl/plan/plan.hpp"

#include "podctl/base/error.hpp"
#include "podctl/template/load.hpp"

#include <gmock/gmock.h>

#include <set>

namespace podctl::plan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr const char* header = "apiVersion: podctl/v1\nname: pod\n";

tmpl::Template pod_of(const std::string& text) {
    return tmpl::parse_template(header + text, "pod.yaml", {.environment = [](const std::string&) {
                                    return std::optional<std::string>{};
                                }});
}

Plan plan_of(const std::string& text, const Resolutions& resolutions = {}) {
    const auto pod = pod_of(text);
    return build_plan(pod, places_of(pod, "/root"), resolutions);
}

std::vector<std::string> ids(const Plan& plan) {
    std::vector<std::string> all;
    for (const auto& step : plan.steps)
        all.push_back(step.id);
    return all;
}

std::size_t position(const Plan& plan, const std::string& id) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        if (plan.steps[i].id == id) return i;
    }
    ADD_FAILURE() << "no step " << id;
    return 0;
}

constexpr const char* seed = R"(
repositories: [{git: "https://github.com/a/seed.git", path: seed}]
system_packages: [libgl1]
comfyui: {path: seed/ComfyUI}
custom_nodes:
  - https://github.com/a/pack.git
  - {path: seed/extension}
  - {registry: some-pack}
models:
  - {source: "https://example.com/m.safetensors", to: checkpoints}
services:
  - {name: app, command: [python, app.py], requirements: [seed/requirements.txt]}
)";

TEST(Plan, HasTheStepsOfTheContract) {
    EXPECT_THAT(ids(plan_of(seed)),
                ::testing::UnorderedElementsAre(
                    "preflight", "system.packages", "repo:seed", "comfyui.clone", "node:pack",
                    "node:extension", "node:some-pack", "model:checkpoints/m.safetensors",
                    "python.venv", "python.resolve", "python.install", "node:pack.install",
                    "node:extension.install", "node:some-pack.install", "service:app.environment"));
}

TEST(Plan, WhatLiesInACheckoutWaitsForIt) {
    const Plan plan = plan_of(seed);
    EXPECT_THAT(plan.find("comfyui.clone")->needs, Contains("repo:seed"));
    EXPECT_THAT(plan.find("node:pack")->needs, Contains("comfyui.clone"));
    EXPECT_THAT(plan.find("node:extension")->needs, IsSupersetOf({"comfyui.clone", "repo:seed"}));
    EXPECT_THAT(plan.find("service:app.environment")->needs, Contains("repo:seed"));
}

TEST(Plan, DownloadsAndTheEnvironmentWaitForNoClone) {
    const Plan plan = plan_of(seed);
    EXPECT_THAT(plan.find("model:checkpoints/m.safetensors")->needs, ElementsAre("preflight"));
    EXPECT_THAT(plan.find("model:checkpoints/m.safetensors")->placed_after,
                Contains("comfyui.clone"));
    EXPECT_THAT(plan.find("python.venv")->needs, Not(Contains("comfyui.clone")));
}

TEST(Plan, EveryStepStandsBehindWhatItNeeds) {
    const Plan plan = plan_of(seed);
    for (const auto& step : plan.steps) {
        for (const auto& need : step.needs)
            EXPECT_LT(position(plan, need), position(plan, step.id)) << step.id;
    }
}

TEST(Plan, OnlyOneStepWritesAnEnvironmentAtATime) {
    const Plan plan = plan_of(seed);
    EXPECT_EQ(plan.find("python.install")->exclusive, plan.find("node:pack.install")->exclusive);
    EXPECT_NE(plan.find("python.install")->exclusive,
              plan.find("service:app.environment")->exclusive);
}

TEST(Plan, AServicesPodHasNoComfyUi) {
    const auto all = ids(plan_of("services: [{name: app, command: [./run]}]\n"));
    EXPECT_THAT(all, ElementsAre("preflight"));
}

TEST(Plan, AFingerprintChangesWithWhatIsAskedFor) {
    const std::string pack =
        "comfyui: {}\ncustom_nodes: [{git: \"https://github.com/a/pack.git\", ref: \"1\"}]\n";
    std::string other = pack;
    other.replace(other.find("\"1\""), 3, "\"2\"");
    EXPECT_EQ(plan_of(pack).find("node:pack")->fingerprint,
              plan_of(pack).find("node:pack")->fingerprint);
    EXPECT_NE(plan_of(pack).find("node:pack")->fingerprint,
              plan_of(other).find("node:pack")->fingerprint);
    EXPECT_EQ(plan_of(pack).find("comfyui.clone")->fingerprint,
              plan_of(other).find("comfyui.clone")->fingerprint);
}

TEST(Plan, RefusesTwoModelsThatTheHubsGiveOneName) {
    const std::string text =
        "comfyui: {}\nmodels: [{source: \"civitai:1@11\", to: loras}, {source: \"civitai:2@22\", "
        "to: loras}]\n";
    Resolutions resolutions;
    for (const auto* source : {"civitai:1@11", "civitai:2@22"}) {
        resolutions[hub::parse_source(source).text] = {
            .url = source, .name = "same.safetensors", .type = "LORA"};
    }
    try {
        plan_of(text, resolutions);
        FAIL() << "accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::template_);
        EXPECT_THAT(error.message(), ::testing::HasSubstr("loras/same.safetensors"));
    }
}

TEST(Plan, AModelsFolderComesFromTheHubsTypeWhenTheTemplateGivesNone) {
    Resolutions resolutions;
    resolutions[hub::parse_source("civitai:1@11").text] = {
        .url = "u", .name = "a.safetensors", .type = "LORA"};
    const Plan plan = plan_of("comfyui: {path: C}\nmodels: [\"civitai:1@11\"]\n", resolutions);
    const auto* step = plan.find("model:loras/a.safetensors");
    ASSERT_NE(step, nullptr);
    EXPECT_EQ(std::get<FetchModel>(step->action).target, "/root/C/models/loras/a.safetensors");
}

TEST(Plan, AHuggingFaceFileHasItsIdBeforeTheHubIsAsked) {
    const Plan plan =
        plan_of("comfyui: {}\nmodels: [{source: \"hf:org/repo/sub/a.safetensors\", to: vae}]\n");
    EXPECT_NE(plan.find("model:vae/a.safetensors"), nullptr);
}

TEST(Plan, AnOptionalPackHoldsNothingUp) {
    const Plan plan = plan_of(
        "comfyui: {}\ncustom_nodes: [{git: \"https://x.y/a.git\", optional: true}, "
        "\"https://x.y/b.git\"]\n");
    const auto* resolve = plan.find("python.resolve");
    EXPECT_THAT(resolve->needs, ::testing::AllOf(Contains("node:b"), Not(Contains("node:a"))));
    EXPECT_THAT(resolve->after, ElementsAre("node:a"));
    EXPECT_LT(position(plan, "node:a"), position(plan, "python.resolve"));
    EXPECT_TRUE(plan.find("node:a")->optional);
    EXPECT_TRUE(plan.find("node:a.install")->optional);
    EXPECT_FALSE(plan.find("node:b")->optional);
    const std::vector<std::string> wanted{"python.resolve"};
    EXPECT_NE(only(plan, wanted).find("node:a"), nullptr);
}

const std::string folder_model =
    "comfyui: {path: C}\nmodels: [{source: \"hf:o/r/vae/\", to: diffusers/x, exclude: "
    "[\"*.md\"]}]\n";

Listings listing_of(const std::vector<std::string>& paths) {
    const auto source = hub::parse_source("hf:o/r/vae/");
    hub::Folder folder{.revision = std::string(40, 'c')};
    for (const auto& path : paths)
        folder.files.push_back(hub::folder_file(std::get<hub::HuggingFaceSource>(source.location),
                                                folder.revision, path, 7, "",
                                                std::string(40, 'b')));
    return {{source.text, folder}};
}

TEST(Plan, AFolderOfAHubIsOneStep) {
    const auto pod = pod_of(folder_model);
    const Plan plan =
        build_plan(pod, places_of(pod, "/root"), {}, listing_of({"a.json", "b.md", "sub/c.json"}));
    const auto* step = plan.find("model:diffusers/x");
    ASSERT_NE(step, nullptr);
    const auto& folder = std::get<FetchFolder>(step->action);
    const auto chosen = folder.chosen(*folder.listing);
    ASSERT_EQ(chosen.files.size(), 2u);
    const auto model = folder.model_of(chosen.files[1]);
    EXPECT_EQ(model.target, "/root/C/models/diffusers/x/sub/c.json");
    EXPECT_EQ(model.source.text, "hf:o/r@" + std::string(40, 'c') + "/vae/sub/c.json");
    EXPECT_EQ(lane_of(*step), Lane::download);
}

TEST(Plan, TellsWhereTheModelsOfAStepGo) {
    const auto pod = pod_of(folder_model);
    const auto listing = listing_of({"a.json", "b.md", "sub/c.json"});
    const auto known = build_plan(pod, places_of(pod, "/root"), {}, listing);
    EXPECT_THAT(
        model_places(*known.find("model:diffusers/x")).value(),
        ElementsAre("/root/C/models/diffusers/x/a.json", "/root/C/models/diffusers/x/sub/c.json"));
    EXPECT_THAT(model_places({.id = "preflight", .action = Preflight{}}).value(), IsEmpty());
    // Only the hub could tell.
    const auto unknown = build_plan(pod, places_of(pod, "/root"), {});
    EXPECT_FALSE(model_places(*unknown.find("model:diffusers/x")));
    Step file{.id = "model:a", .action = FetchModel{}};
    EXPECT_FALSE(model_places(file));
    std::get<FetchModel>(file.action).target = "/m/a.bin";
    EXPECT_THAT(model_places(file).value(), ElementsAre("/m/a.bin"));
}

TEST(Plan, FilesOfAFolderHaveTheirPlacesToThemselves) {
    const auto pod = pod_of(
        "comfyui: {path: C}\nmodels: [{source: \"hf:o/r/vae/\", to: x}, "
        "{source: \"https://e.x/a.json\", to: x}]\n");
    EXPECT_THROW(build_plan(pod, places_of(pod, "/root"), {}, listing_of({"a.json"})), Error);
    EXPECT_NO_THROW(build_plan(pod, places_of(pod, "/root"), {}, listing_of({"b.json"})));
}

TEST(Plan, DownloadsThatMayShareAFileDoNotRunAtOnce) {
    const Plan plan = plan_of(
        "comfyui: {}\nmodels: [{source: \"hf:o/r/vae/\", to: x}, {source: \"hf:o/r/vae/a.json\", "
        "to: y}, {source: \"hf:p/r/a.json\", to: z}]\n");
    const auto exclusive = [&](const std::string& id) { return plan.find(id)->exclusive; };
    EXPECT_EQ(exclusive("model:x"), exclusive("model:y/a.json"));
    EXPECT_NE(exclusive("model:x"), exclusive("model:z/a.json"));
}

TEST(Plan, GlobsThatChooseNothingAreToldByTheStep) {
    const Plan plan = build_plan(pod_of(folder_model), places_of(pod_of(folder_model), "/root"), {},
                                 listing_of({"a.md"}));
    EXPECT_NE(plan.find("model:diffusers/x"), nullptr);
}

TEST(Plan, KeysOfAFolderAndOfAFileAreToldApart) {
    for (const auto* model : {"{source: \"hf:o/r\"}", "{source: \"hf:o/r\", to: x, name: a.json}",
                              "{source: \"hf:o/r\", to: x, unpack: true}",
                              "{source: \"hf:o/r/a.json\", to: x, include: [\"*\"]}"}) {
        const auto pod = pod_of(std::string("comfyui: {}\nmodels: [") + model + "]\n");
        EXPECT_THROW(check_keys(pod.models[0], hub::parse_source(pod.models[0].source)), Error)
            << model;
    }
}

// In less than quadratic time: else this test comes to its limit.
TEST(Plan, OfManyNodesIsMadeAndHasThemInTheirOrder) {
    constexpr std::size_t many = 14'000;
    std::string nodes;
    for (std::size_t i = 0; i < many; ++i)
        nodes += "\"https://h.example/a/p" + std::to_string(i) + "\", ";
    const Plan plan = plan_of("comfyui: {}\ncustom_nodes: [" + nodes + "]\n");
    EXPECT_EQ(position(plan, "node:p13999"), position(plan, "node:p0") + many - 1);
    EXPECT_LT(position(plan, "node:p13999"), position(plan, "python.resolve"));
}

TEST(Plan, TheRootStandsInForTheMount) {
    const auto pod = pod_of("pod: {volume: {mount: /workspace}}\n");
    EXPECT_EQ(under_root(pod, "/tmp/r", "/workspace/a/b"), "/tmp/r/a/b");
    EXPECT_EQ(under_root(pod, "/tmp/r", "a/./b/"), "/tmp/r/a/b");
    EXPECT_EQ(under_root(pod, "/tmp/r", "."), "/tmp/r");
}

TEST(Plan, OnlyTakesAStepWithAllThatItNeeds) {
    const std::vector<std::string> wanted{"node:pack"};
    EXPECT_THAT(ids(only(plan_of(seed), wanted)),
                ElementsAre("preflight", "repo:seed", "comfyui.clone", "node:pack"));
}

TEST(Plan, OnlyNamesTheStepThatWasPerhapsMeant) {
    const std::vector<std::string> wanted{"comfyui.clon"};
    try {
        only(plan_of(seed), wanted);
        FAIL() << "accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_THAT(error.hint(), ::testing::HasSubstr("comfyui.clone"));
    }
}

TEST(Plan, TheBillCountsWhatIsToBeFetched) {
    const Plan plan = plan_of(
        "comfyui: {}\nmodels: [{source: \"https://example.com/a.safetensors\", to: vae}, "
        "{source: \"https://example.com/b.zip\", to: vae, unpack: true}, "
        "{source: \"https://example.com/c.safetensors\", to: vae}]\n");
    const std::vector<Assessment> assessments{
        {"model:vae/a.safetensors", Change::create, "", Bytes{100}, Bytes{100}},
        {"model:vae", Change::create, "", Bytes{10}, Bytes{20}, Bytes{5}},
        {"model:vae/c.safetensors", Change::create, "", std::nullopt, {}},
        {"comfyui.clone", Change::create, "", std::nullopt, {}},
        {.step = "python.install", .reason = "", .packages = 214},
        {.step = "python.resolve", .reason = ""}};
    const Bill bill = bill_of(plan, assessments);
    EXPECT_EQ(bill.download, Bytes{110});
    EXPECT_EQ(bill.disk, Bytes{120});
    EXPECT_EQ(bill.store, Bytes{5});
    EXPECT_EQ(bill.unknown, 3u);
    EXPECT_EQ(bill.models, 1u);
    EXPECT_EQ(bill.repositories, 1u);
    EXPECT_EQ(bill.environments, 1u);
    EXPECT_EQ(bill.packages, 214u);
}

TEST(Plan, KnowsARequirementFileFromARequirement) {
    EXPECT_TRUE(is_requirement_file("app/requirements.txt"));
    EXPECT_FALSE(is_requirement_file("numpy>=2"));
    EXPECT_FALSE(is_requirement_file("pack @ https://example.com/pack.txt"));
}

TEST(Places, OfEnvironmentsAreTogetherOnOneDiskAndThePodsOwnAreNeverOnTheVolume) {
    const auto pod = pod_of("comfyui: {}\n");
    using enum OwnDisk::Environments;
    const auto there = places_of(pod, "/root", {.folder = "/own", .environments = on_volume});
    EXPECT_TRUE(there.keeps_environments_on_volume());
    EXPECT_EQ(there.environment, "/root/venv");
    const auto here = places_of(pod, "/root", {.folder = "/own", .environments = in_own_folder});
    EXPECT_FALSE(here.keeps_environments_on_volume());
    EXPECT_EQ(there.code, "");
    EXPECT_EQ(build_plan(pod, there, {}).find("comfyui.code"), nullptr);
    EXPECT_EQ(here.code, "/own/code");
    EXPECT_THAT(build_plan(pod, here, {}).find("comfyui.code")->needs, Contains("comfyui.clone"));
    for (const auto& path : {here.environment, here.service_environments, here.cache, here.tools,
                             here.locks, here.scratch, here.environments_journal})
        EXPECT_TRUE(path.string().starts_with("/own/")) << path;
    for (const auto& places : {there, here}) {
        for (const auto& path : {places.own_lock, places.logs, places.pids})
            EXPECT_EQ(path.parent_path(), "/own");
        for (const auto& path : {places.journal, places.lock, places.partial, places.staging,
                                 places.replaced, places.resolved, places.snapshots})
            EXPECT_TRUE(path.string().starts_with("/root/.podctl/")) << path;
    }
}

TEST(Places, OfPacksAreThePodsOwnWhereTheTemplateSaysSoAndSoIsWhatIsKnownOfThem) {
    const auto pod = pod_of(
        "comfyui: {}\npod: {shared: {custom_nodes: false}}\n"
        "custom_nodes: [{git: \"https://x.y/a.git\"}, {registry: b}]\n");
    using enum OwnDisk::Environments;
    const auto there = places_of(pod, "/root", {.folder = "/own", .environments = on_volume});
    EXPECT_TRUE(there.keeps_custom_nodes_on_volume());
    EXPECT_EQ(there.custom_nodes, "/root/ComfyUI/custom_nodes");
    const auto here = places_of(pod, "/root", {.folder = "/own", .environments = in_own_folder});
    EXPECT_FALSE(here.keeps_custom_nodes_on_volume());
    EXPECT_EQ(here.custom_nodes, "/own/comfyui/custom_nodes");
    EXPECT_EQ(here.models, "/root/ComfyUI/models");
    EXPECT_EQ(here.staging_of(here.custom_nodes / "a"), "/own/staging");
    EXPECT_EQ(here.replaced_of(here.custom_nodes / "a"), "/own/replaced");
    EXPECT_EQ(here.staging_of(here.models / "a"), "/root/.podctl/staging");
    EXPECT_EQ(here.replaced_of(here.models / "a"), "/root/.podctl/replaced");
    const auto own = [](const Plan& plan) {
        std::set<std::string> ids;
        for (const auto& step : plan.steps)
            if (is_recorded_on_own_disk(step, plan.places)) ids.insert(step.id);
        return ids;
    };
    const auto on_volume_by = [](const Plan& plan) {
        std::set<std::string> ids;
        for (const auto& step : plan.steps)
            if (changes_volume(step, plan.places)) ids.insert(step.id);
        return ids;
    };
    const auto shared = build_plan(pod, there, {});
    EXPECT_THAT(own(shared), IsEmpty());
    EXPECT_EQ(shared.find("comfyui.base"), nullptr);
    const auto apart = build_plan(pod, here, {});
    EXPECT_THAT(own(apart), UnorderedElementsAre("comfyui.base", "comfyui.code", "node:a", "node:b",
                                                 "node:a.install", "node:b.install", "python.venv",
                                                 "python.resolve", "python.install"));
    EXPECT_THAT(on_volume_by(apart), UnorderedElementsAre("preflight", "comfyui.clone"));
    EXPECT_THAT(apart.find("node:a.install")->needs, Contains("comfyui.base"));
    EXPECT_THAT(apart.find("comfyui.code")->needs, Contains("comfyui.base"));
}

// Which pods of a fleet have the environment where is nothing of what is in it.
TEST(Places, AreNoPartOfAnEnvironmentsFingerprint) {
    const auto pod = pod_of("comfyui: {}\n");
    const auto fingerprints = [&](const OwnDisk& own) {
        std::vector<std::string> all;
        for (const auto& step : build_plan(pod, places_of(pod, "/root", own), {}).steps)
            if (environment_changed_by(step)) all.push_back(step.fingerprint);
        return all;
    };
    EXPECT_EQ(
        fingerprints({}),
        fingerprints({.folder = "/own", .environments = OwnDisk::Environments::in_own_folder}));
}

}  // namespace
}  // namespace podctl::plan

#include "fingerprint.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

// A fingerprint that changes by itself does all steps of all pods again: these are of podctl 0.1.
namespace podctl::plan {
namespace {

// Of all fields, each with a value of its own.
EnvironmentSpec spec() {
    EnvironmentSpec spec;
    spec.name = "python";
    spec.settings = {.interpreter = "3.12",
                     .environment = tmpl::EnvironmentKind::system,
                     .path = "venv",
                     .inherit = false,
                     .installer = tmpl::Installer::pip,
                     .torch = "cu128",
                     .index_url = "https://a/",
                     .extra_index_urls = {"https://b/", "https://c/"},
                     .index_strategy = tmpl::IndexStrategy::first_index,
                     .find_links = {"wheels"},
                     .constraints = {"x<2"},
                     .requirements = {"x"},
                     .overrides = {"y==1"},
                     .drift = tmpl::Drift::keep,
                     .build_secrets = {"TOKEN"}};
    spec.path = "/w/pod/venvs/python";  // wherever it is on this pod
    spec.named = "/w/venv";
    spec.requirement_files = {"/w/r.txt"};
    spec.requirement_lines = {"x>=1"};
    spec.constraint_files = {"/w/c.txt"};
    spec.constraint_lines = {"x<2"};
    spec.comfyui = "/w/ComfyUI";
    spec.custom_nodes = "/w/ComfyUI/custom_nodes";
    spec.packs = std::make_shared<const Packs>(Packs{
        .names = {"a", "b"}, .optional = {"b"}, .ignored_requirements = {{"a", {"torch", "z"}}}});
    spec.left_out = {"b"};
    spec.hold_torch = false;
    return spec;
}

FetchModel model() {
    hub::ResolvedFile file{.url = "https://huggingface.co/o/r/resolve/c/m.safetensors"};
    file.sha256 = "abc";
    FetchModel model;
    model.source = hub::parse_source("hf:o/r/m.safetensors");
    model.resolved = file;
    model.folder = "loras";
    model.name = "n";
    model.sha256 = "def";
    model.layout = tmpl::Layout::civitdl;
    model.unpack = model.allow_pickle = model.trusted = true;
    model.target = "/w/m.safetensors";
    return model;
}

FetchFolder folder() {
    return {.source = hub::parse_source("hf:o/r"),
            .globs = {.include = {"*.json"}, .exclude = {"a/*", "b/*"}},
            .listing = hub::Folder{.revision = "c"},
            .allow_pickle = true,
            .target = "/w/r"};
}

std::string brief(const Action& action) {
    return fingerprint_of(action).substr(0, 16);
}

TEST(Fingerprint, OfEachStepIsWhatItWasInEarlierVersions) {
    EXPECT_EQ(brief(Preflight{.system_packages = {"git", "libgl1"},
                              .gpu = tmpl::Gpu{.count = 2, .min_vram = Bytes{5}}}),
              "a45f47c1454436b4");
    EXPECT_EQ(brief(Preflight{.system_packages = {}, .gpu = tmpl::Gpu{}}), "a62ded08a9af8e5a");
    EXPECT_EQ(brief(Preflight{}), "a6685f3b62d57bfc");
    EXPECT_EQ(brief(SystemPackages{{"git", "libgl1"}}), "cb9722d55378dab9");
    EXPECT_EQ(brief(Clone{.kind = CloneKind::custom_node,
                          .url = "https://h/a.git",
                          .ref = "v1",
                          .path = "/w/a",
                          .submodules = git::Submodules::no}),
              "5dda42724e64139c");
    EXPECT_EQ(brief(RegistryNode{.id = "a", .version = "1.2", .path = "/w/a", .trust = {"a"}}),
              "776f0f77a5712925");
    EXPECT_EQ(brief(CopyNode{.from = "/w/from", .path = "/w/to"}), "0f3e375449667a0a");
}

TEST(Fingerprint, OfAModelIsWhatItWasInEarlierVersions) {
    EXPECT_EQ(brief(model()), "56ac7468b2879764");
    EXPECT_EQ(brief(FetchModel{}), "53baa57566b5b1e6");
    EXPECT_EQ(brief(folder()), "e19dbc51aaaf8105");
    EXPECT_EQ(brief(FetchFolder{}), "e8e01894411fd487");
}

TEST(Fingerprint, OfAnEnvironmentIsWhatItWasInEarlierVersions) {
    EXPECT_EQ(brief(CreateEnvironment{spec()}), "17571c3f1a78f06c");
    EXPECT_EQ(brief(ResolveEnvironment{spec()}), "87d404845f5bff31");
    EXPECT_EQ(brief(InstallEnvironment{spec()}), "17571c3f1a78f06c");
    EXPECT_EQ(brief(BuildEnvironment{spec()}), "87d404845f5bff31");
    EXPECT_EQ(brief(InstallScript{.pack = "/w/a", .spec = spec()}), "4fc8b24ace611af6");
    EXPECT_EQ(brief(CreateEnvironment{}), "bb02e46519fb0851");
    EXPECT_EQ(brief(ResolveEnvironment{}), "020c92d26b6c0dc1");
}

}  // namespace
}  // namespace podctl::plan

#include "pod.hpp"

// What an earlier template brought, packs that are optional, and packs that come in other ways.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Leftovers : public PodTest {
protected:
    Leftovers() {
        publish_pack("old", "NODE_CLASS_MAPPINGS = {}\n");
        hub.add(test::CivitaiVersion{
            .id = 22,
            .model_id = 2,
            .model_name = "Old",
            .model_type = "LORA",
            .files = {{.id = 222, .name = "old.safetensors", .bytes = model_bytes}}});
        write_template(
            "  - \"civitai:2@22\"\n"
            "custom_nodes: [https://github.com/comfyanonymous/pack.git, "
            "https://github.com/comfyanonymous/old.git]\n");
        const auto end = provision();
        EXPECT_TRUE(end.status.ok()) << end.output;
        write_template("");
    }

    fs::path old_pack() const { return root() / "ComfyUI/custom_nodes/old"; }
    fs::path old_model() const { return root() / "ComfyUI/models/loras/old.safetensors"; }
    static std::string line_of(const Finished& end, const std::string& step) {
        for (const auto& it : end.of("plan.step"))
            if (it.value("step", "") == step) return it.value("change", "");
        return "";
    }
    bool is_in_replaced(const std::string& name) const {
        for (const auto& entry : fs::recursive_directory_iterator{root() / ".podctl/replaced"})
            if (entry.path().filename() == name) return true;
        return false;
    }
};

TEST_F(Leftovers, AreNamedAndKept) {
    const auto plan = run("plan");
    EXPECT_EQ(plan.status.code, 0) << plan.output;
    EXPECT_EQ(line_of(plan, "node:old"), "keep");
    EXPECT_EQ(line_of(plan, "model:loras/old.safetensors"), "keep");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.output, HasSubstr("no longer in the template"));
    EXPECT_TRUE(fs::exists(old_pack() / "__init__.py"));
    EXPECT_TRUE(fs::exists(old_model()));
}

TEST_F(Leftovers, AreMovedAwayByPrune) {
    const auto plan = run("plan", {"--prune"});
    EXPECT_EQ(plan.status.code, 10) << plan.output;
    EXPECT_EQ(line_of(plan, "node:old"), "remove");
    EXPECT_TRUE(fs::exists(old_pack()));

    const auto end = provision({"--prune"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_FALSE(fs::exists(old_pack()));
    EXPECT_FALSE(fs::exists(old_model()));
    EXPECT_TRUE(is_in_replaced("old"));
    EXPECT_TRUE(is_in_replaced("old.safetensors"));
    EXPECT_TRUE(fs::exists(root() / "ComfyUI/custom_nodes/pack/__init__.py"));
    EXPECT_EQ(read_file(model()), model_bytes);
    EXPECT_EQ(run("plan", {"--prune"}).status.code, 0);
}

TEST_F(Leftovers, ThatAUserHasChangedAreHisOwn) {
    write_file_atomically(old_model(), "mine");
    ASSERT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_EQ(read_file(old_model()), "mine");
}

TEST_F(Leftovers, ThatTheTemplateNamesInAnotherWayAreNone) {
    write_template(
        "repositories: [{git: https://github.com/comfyanonymous/old.git, path: "
        "ComfyUI/custom_nodes/old}]\ncustom_nodes: []\n");
    const auto end = provision({"--prune"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(fs::exists(old_pack() / "__init__.py"));
    write_template("custom_nodes: [{path: ComfyUI/custom_nodes/old, name: mine}]\n");
    ASSERT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_TRUE(fs::exists(old_pack() / "__init__.py"));
}

TEST_F(Leftovers, OutsideOfTheRootStay) {
    const auto nodes = root() / "ComfyUI/custom_nodes";
    fs::rename(nodes, dir / "elsewhere");
    fs::create_directory_symlink(dir / "elsewhere", nodes);
    ASSERT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_TRUE(fs::exists(dir / "elsewhere/old/__init__.py"));
}

TEST_F(Leftovers, StayWhileTheirOptionalSuccessorIsNotThere) {
    write_template(
        "custom_nodes: [{git: https://github.com/comfyanonymous/none.git, optional: true}]\n");
    EXPECT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_TRUE(fs::exists(old_pack()));
}

TEST_F(Leftovers, AModelThatTheUserHadBeforeIsHis) {
    const auto mine = root() / "ComfyUI/models/loras/mine.safetensors";
    write_file_atomically(mine, model_bytes);
    write_template("  - {source: \"civitai:2@22\", name: mine.safetensors}\ncustom_nodes: []\n");
    ASSERT_TRUE(provision().status.ok());
    write_template("custom_nodes: []\n");
    ASSERT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_EQ(read_file(mine), model_bytes);
    EXPECT_FALSE(fs::exists(old_model()));
}

TEST_F(Leftovers, StayWhereTheRunHasFailed) {
    write_template("custom_nodes: [https://github.com/comfyanonymous/none.git]\n");
    EXPECT_EQ(provision({"--prune"}).status.code, 4);
    EXPECT_TRUE(fs::exists(old_pack()));
    EXPECT_TRUE(fs::exists(old_model()));
}

TEST_F(Leftovers, PruneAndOnlyExcludeEachOther) {
    EXPECT_EQ(provision({"--prune", "--only", "comfyui.clone"}).status.code, 2);
}

TEST_F(Leftovers, APackThatTheUserPutThereIsNone) {
    write_file_atomically(root() / "ComfyUI/custom_nodes/mine/__init__.py", "");
    ASSERT_TRUE(provision({"--prune"}).status.ok());
    EXPECT_TRUE(fs::exists(root() / "ComfyUI/custom_nodes/mine/__init__.py"));
}

class Packs : public PodTest {};

TEST_F(Packs, AnOptionalOneThatCannotBeHadHoldsNothingUp) {
    write_template(
        "custom_nodes: [https://github.com/comfyanonymous/pack.git, "
        "{git: https://github.com/comfyanonymous/none.git, optional: true}]\n");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    const auto failed = end.of("step.failed");
    ASSERT_EQ(failed.size(), 1u) << end.output;
    EXPECT_EQ(failed[0].value("step", ""), "node:none");
    EXPECT_TRUE(failed[0].value("optional", false));
    EXPECT_TRUE(fs::exists(root() / "ComfyUI/custom_nodes/pack/__init__.py"));
    EXPECT_THAT(end.steps("step.finished"), Contains("python.install"));
}

TEST_F(Packs, AFileIsCopiedAndCopiedAgain) {
    const auto source = root() / "mine.py";
    const auto copy = root() / "ComfyUI/custom_nodes/mine.py";
    write_file_atomically(source, "NODE_CLASS_MAPPINGS = {}\n");
    write_template("custom_nodes: [{path: mine.py}]\n");
    const auto end = provision();
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(read_file(copy), "NODE_CLASS_MAPPINGS = {}\n");
    EXPECT_THAT(provision().steps("step.skipped"), Contains("node:mine.py"));
    EXPECT_EQ(run("plan").status.code, 0);

    write_file_atomically(source, "NODE_CLASS_MAPPINGS = {'x': None}\n");
    ASSERT_TRUE(provision().status.ok());
    EXPECT_EQ(read_file(copy), read_file(source));

    write_file_atomically(copy, "mine\n");
    write_file_atomically(source, "NODE_CLASS_MAPPINGS = {}\n");
    EXPECT_TRUE(provision().status.ok());
    EXPECT_EQ(read_file(copy), "mine\n");
}

TEST_F(Packs, OneOfTheImageIsCopiedFromOutsideTheMount) {
    write_file_atomically(dir / "image/baked/__init__.py", "NODE_CLASS_MAPPINGS = {}\n");
    write_template("custom_nodes: [{path: " + (dir / "image/baked").string() + "}]\n");
    const auto end = provision();
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(fs::exists(root() / "ComfyUI/custom_nodes/baked/__init__.py"));
    EXPECT_TRUE(fs::exists(dir / "image/baked/__init__.py"));
}

TEST_F(Packs, WhatTheyFetchWhenTheyRunLiesOnTheVolume) {
    const std::string notes_its_caches =
        "import os\nfor n in ('HF_HOME', 'TORCH_HOME'):\n"
        "    open(n, 'w').write(os.environ.get(n, ''))\n";
    const auto packs = root() / "ComfyUI/custom_nodes";
    publish_pack("first", "NODE_CLASS_MAPPINGS = {}\n", {{"install.py", notes_its_caches}});
    write_template("custom_nodes: [https://github.com/comfyanonymous/first.git]\n");
    ASSERT_TRUE(provision().status.ok());
    EXPECT_EQ(read_file(packs / "first/HF_HOME"), (root() / ".cache/huggingface").string());
    EXPECT_EQ(read_file(packs / "first/TORCH_HOME"), (root() / ".cache/torch").string());

    // Where all caches have a place of the user's, these have theirs in it.
    environment["XDG_CACHE_HOME"] = (dir / "caches").string();
    publish_pack("second", "NODE_CLASS_MAPPINGS = {}\n", {{"install.py", notes_its_caches}});
    write_template("custom_nodes: [https://github.com/comfyanonymous/second.git]\n");
    ASSERT_TRUE(provision().status.ok());
    EXPECT_EQ(read_file(packs / "second/HF_HOME"), "");
    EXPECT_EQ(read_file(packs / "second/TORCH_HOME"), "");
}

// Of a hub's repository, in one step.
class FolderModel : public PodTest {
protected:
    FolderModel() {
        using enum test::HuggingFaceFile::Storage;
        for (const auto* path : {"model_index.json", "vae/config.json", "README.md"})
            hub.add(test::HuggingFaceFile{"o/r", path, "{}" + std::string(path), plain});
        hub.add(test::HuggingFaceFile{"o/r", "vae/a.safetensors", test::safetensors_bytes(9'000, 7),
                                      lfs});
        use("exclude: ['*.md']");
    }
    void use(const std::string& keys) {
        write_template("  - {source: \"hf:o/r\", to: diffusers/r, " + keys +
                       "}\n"
                       "custom_nodes: []\n");
    }
    fs::path folder() const { return root() / "ComfyUI/models/diffusers/r"; }
    static constexpr const char* step = "model:diffusers/r";
};

TEST_F(FolderModel, IsBroughtInOneStepAndKept) {
    EXPECT_EQ(run("plan").status.code, 10);
    const auto end = provision();
    ASSERT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.steps("step.finished"), Contains(step));
    EXPECT_EQ(read_file(folder() / "vae/a.safetensors"), test::safetensors_bytes(9'000, 7));
    EXPECT_EQ(read_file(folder() / "vae/config.json"), "{}vae/config.json");
    EXPECT_FALSE(fs::exists(folder() / "README.md"));

    const auto asked = requests();
    const auto again = provision();
    EXPECT_THAT(again.steps("step.skipped"), Contains(step)) << again.output;
    EXPECT_EQ(requests(), asked);
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(FolderModel, AUsersFileInTheWayOfASmallOneIsNotTakenForIt) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    write_file_atomically(folder() / "model_index.json", "{}model_index.jsoX");
    EXPECT_EQ(provision().status.code, 4);
    EXPECT_EQ(read_file(folder() / "model_index.json"), "{}model_index.jsoX");
}

TEST_F(FolderModel, GoesOnWithWhatAFailedRunHasPlaced) {
    hub.alter_huggingface([](const test::Request& request, test::Response& response) {
        if (request.path.ends_with("/vae/config.json")) response = {.status = 404};
    });
    EXPECT_EQ(provision().status.code, 4);
    hub.alter_huggingface({});
    fs::remove(folder() / "model_index.json");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(fs::exists(folder() / "vae/config.json"));
}

TEST_F(FolderModel, BringsWhatIsMissingAlone) {
    ASSERT_TRUE(provision().status.ok());
    fs::remove(folder() / "vae/config.json");
    const auto sent = hub.store().body_bytes_sent();
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_TRUE(fs::exists(folder() / "vae/config.json"));
    EXPECT_EQ(hub.store().body_bytes_sent(), sent);
}

TEST_F(FolderModel, AFileThatAUserChangedIsKept) {
    ASSERT_TRUE(provision().status.ok());
    write_file_atomically(folder() / "model_index.json", "mine");
    EXPECT_TRUE(provision().status.ok());
    EXPECT_EQ(read_file(folder() / "model_index.json"), "mine");
}

TEST_F(FolderModel, WhatCameBeforeAKillIsKnownByItsContent) {
    ASSERT_TRUE(provision({"--only", "comfyui.clone"}).status.ok());
    write_file_atomically(folder() / "model_index.json", "{}model_index.json");
    write_file_atomically(folder() / "vae/a.safetensors", test::safetensors_bytes(9'000, 7));
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(hub.store().body_bytes_sent(), model_bytes.size());
}

TEST_F(FolderModel, ASmallFileThatIsNotTheHubsIsRefused) {
    hub.alter_huggingface([](const test::Request& request, test::Response& response) {
        if (request.method == "GET" && request.path.ends_with("/vae/config.json"))
            response.body = "{}vae/config.jsoX";
    });
    const auto end = provision();
    EXPECT_EQ(end.status.code, 4);
    EXPECT_THAT(end.output, HasSubstr("git blob"));
    EXPECT_FALSE(fs::exists(folder() / "vae/config.json"));
}

TEST_F(FolderModel, PicklesInItNeedTheWord) {
    hub.add(test::HuggingFaceFile{"o/r", "vae/b.bin", "x"});
    const auto end = provision();
    EXPECT_EQ(end.status.code, 4);
    EXPECT_THAT(end.output, HasSubstr("vae/b.bin"));
    use("exclude: ['*.bin', '*.md']");
    EXPECT_TRUE(provision().status.ok());
}

TEST_F(FolderModel, IsFetchedByGetAsWell) {
    const auto into = dir / "got";
    auto arguments = std::vector<std::string>{"get", "hf:o/r", into.string(), "--include", "vae/*"};
    for (const auto& [from, to] : hub.mirrors())
        arguments.insert(arguments.end(), {"--mirror", from + "=" + to});
    ASSERT_EQ(run_command(command(arguments), {}).code, 0);
    EXPECT_EQ(read_file(into / "vae/a.safetensors"), test::safetensors_bytes(9'000, 7));
    EXPECT_FALSE(fs::exists(into / "model_index.json"));
}

}  // namespace
}  // namespace podctl::e2e

#include "pod.hpp"
#include "support/wheels.hpp"

// Requirements of a pod that exclude each other.
namespace podctl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

class Requirements : public PodTest {
protected:
    Requirements() {
        test::write_index(dir / "index", {{"podctl-thing", "1.0"},
                                          {"podctl-thing", "2.0"},
                                          {"podctl-kit", "1.0", {"podctl-thing<2"}}});
        write_file_atomically(root() / "app/requirements.txt", "# the app's\npodctl-thing>=2\n");
        publish_pack("fits", "NODE_CLASS_MAPPINGS = {}\n",
                     {{"requirements.txt", "podctl-thing\n"}});
        use("custom_nodes: [https://github.com/comfyanonymous/fits.git]\n");
    }

    void use(const std::string& nodes) {
        write_template(nodes, "requirements: [app/requirements.txt], extra_index_urls: ['file://" +
                                  (dir / "index").string() + "']");
        auto text = read_file(dir / "pod.yaml");
        const auto models = text.find("models:");
        text.erase(models, text.find('\n', text.find("- {source", models)) + 1 - models);
        write_file_atomically(dir / "pod.yaml", text);
    }

    // A pack that went on to what excludes the app; its state before is tagged v1.0.
    test::GitRepository publish_clash() {
        test::GitRepository work{dir / "work/clash"};
        work.write("__init__.py", "NODE_CLASS_MAPPINGS = {}\n");
        work.commit_file("requirements.txt", "podctl-thing>=1\n");
        work.git({"tag", "v1.0"});
        work.commit_file("requirements.txt", "\n\npodctl-kit\n");
        work.publish(dir / "git/clash.git");
        return work;
    }

    json error_of(const Finished& end) const {
        EXPECT_EQ(end.status.code, 4) << end.output;
        const auto failed = end.of("step.failed");
        if (failed.size() != 1) throw std::runtime_error(end.output);
        EXPECT_EQ(failed[0].value("step", ""), "python.resolve");
        EXPECT_EQ(failed[0]["error"].value("code", ""), "conflict");
        return failed[0]["error"];
    }
    std::string pack_line(const std::string& pack, int line) const {
        return (root() / "ComfyUI/custom_nodes" / pack / "requirements.txt").string() + ":" +
               std::to_string(line) + ": ";
    }
    std::string app_line() const {
        return (root() / "app/requirements.txt").string() + ":2: podctl-thing>=2";
    }
    // Every file of the environment with its size and time.
    std::map<std::string, FileStamp> environment() const {
        std::map<std::string, FileStamp> files;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{root() / "venv"}) {
            if (entry.is_regular_file())
                files[entry.path().string()] = file_stamp(entry.path()).value();
        }
        return files;
    }
};

TEST_F(Requirements, AreResolvedAnewWhenWhatIsKeptOfThemIsDamaged) {
    ASSERT_TRUE(provision().status.ok());
    const auto locks = root() / ".podctl/environments";
    const auto whole = read_file(locks / "python.lock");
    ASSERT_THAT(whole, HasSubstr("podctl-thing"));
    for (const auto& kept : std::filesystem::directory_iterator{locks / "resolved"})
        std::filesystem::resize_file(kept.path(), 0);
    std::filesystem::remove(locks / "python.lock");
    const auto end = run("up", {"--no-launch", "--only", "python.install"});
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_EQ(read_file(locks / "python.lock"), whole);
}

TEST_F(Requirements, ThatExcludeEachOtherChangeNothing) {
    const auto first = provision();
    ASSERT_TRUE(first.status.ok()) << first.output;
    const auto before = environment();
    const auto lock = read_file(root() / ".podctl/environments/python.lock");
    publish_clash();
    use("custom_nodes: [https://github.com/comfyanonymous/fits.git, "
        "https://github.com/comfyanonymous/clash.git]\n");
    const auto error = error_of(provision());
    EXPECT_THAT(error.value("message", ""),
                AllOf(HasSubstr(app_line()), HasSubstr(pack_line("clash", 3) + "podctl-kit"),
                      HasSubstr("podctl-thing<2")));
    EXPECT_EQ(environment(), before);
    EXPECT_EQ(read_file(root() / ".podctl/environments/python.lock"), lock);

    // The template from before: nothing is left to do, since what podctl itself brought for the
    // other one does not count any more.
    use("custom_nodes: [https://github.com/comfyanonymous/fits.git]\n");
    const auto again = run("up", {"--no-launch", "--only", "python.install"});
    EXPECT_TRUE(again.status.ok()) << again.output;
    EXPECT_THAT(again.steps("step.started"), ElementsAre("preflight"));
    EXPECT_THAT(again.steps("step.skipped"), IsSupersetOf({"python.resolve", "python.install"}));
    EXPECT_EQ(environment(), before);
}

TEST_F(Requirements, ThatExcludeEachOtherAreToldWithTheVersionThatFits) {
    publish_clash();
    const std::string url = "https://github.com/comfyanonymous/clash.git";
    use("custom_nodes: [" + url + "]\nservices: [{name: app, command: [sleep, '1'], cwd: app}]\n");
    const auto end = provision();
    const auto hint = error_of(end).value("hint", "");
    EXPECT_THAT(hint, HasSubstr("python: {overrides: [\"podctl-thing>=2\"]}"));
    EXPECT_THAT(hint, HasSubstr("services[0].requirements: [app/requirements.txt]"));
    EXPECT_THAT(hint, HasSubstr("clash resolves at v1.0 (2023-11-14): set custom_nodes[0]: {git: " +
                                url + ", ref: v1.0}"));
    EXPECT_THAT(end.of("notice"),
                Contains(::testing::ResultOf([](const json& it) { return it.value("message", ""); },
                                             HasSubstr("looking for a version of clash"))));

    use("custom_nodes: [{git: '" + url + "', ref: v1.0}]\n");
    EXPECT_TRUE(provision().status.ok());
    use("custom_nodes: [{git: '" + url + "', ref: main}]\n");
    EXPECT_THAT(error_of(provision()).value("hint", ""),
                HasSubstr("set custom_nodes[0].ref: v1.0"));
}

TEST_F(Requirements, OfAPackThatTheUserPutThereCount) {
    ASSERT_TRUE(run("up", {"--no-launch", "--only", "comfyui.clone"}).status.ok());
    write_file_atomically(root() / "ComfyUI/custom_nodes/clash/requirements.txt", "podctl-kit\n");
    EXPECT_THAT(error_of(provision()).value("hint", ""),
                HasSubstr("custom_nodes/clash is not in the template"));
}

TEST_F(Requirements, OfAnOptionalPackAreLeftOutWhereTheyExcludeOthers) {
    publish_clash();
    publish_pack("kit", "NODE_CLASS_MAPPINGS = {}\n", {{"requirements.txt", "podctl-kit\n"}});
    use("custom_nodes: [https://github.com/comfyanonymous/fits.git, "
        "{git: https://github.com/comfyanonymous/clash.git, optional: true}, "
        "{git: https://github.com/comfyanonymous/kit.git, optional: true}]\n");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    const auto tells = [](const std::string& words) {
        return Contains(::testing::ResultOf([](const json& it) { return it.value("message", ""); },
                                            HasSubstr(words)));
    };
    EXPECT_THAT(end.of("notice"), tells("the pack clash is optional"));
    EXPECT_THAT(read_file(root() / ".podctl/environments/python.lock"),
                AllOf(HasSubstr("podctl-thing==2.0"), Not(HasSubstr("podctl-kit"))));

    const auto asked = requests();
    const auto again = provision();
    EXPECT_TRUE(again.status.ok()) << again.output;
    EXPECT_THAT(again.steps("step.skipped"), IsSupersetOf({"python.resolve", "python.install"}));
    EXPECT_EQ(requests(), asked);
    EXPECT_THAT(again.of("notice"), tells("these optional packs ask for"));
}

TEST_F(Requirements, OfAPackThatIsLeftOutAreNotInstalledByItsScript) {
    publish_pack(
        "kit", "NODE_CLASS_MAPPINGS = {}\n",
        {{"requirements.txt", "podctl-kit\n"}, {"install.py", "open('ran', 'w').close()\n"}});
    use("custom_nodes: [{git: https://github.com/comfyanonymous/kit.git, optional: true}]\n");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_FALSE(std::filesystem::exists(root() / "ComfyUI/custom_nodes/kit/ran"));
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(Requirements, OfAnOptionalPackThatCannotBeAskedForAreTriedAgain) {
    publish_pack(
        "far", "NODE_CLASS_MAPPINGS = {}\n",
        {{"requirements.txt", "podctl-far @ file://./far/podctl_far-1.0-py3-none-any.whl\n"}});
    use("custom_nodes: [{git: https://github.com/comfyanonymous/far.git, optional: true}]\n");
    EXPECT_TRUE(provision().status.ok());
    test::write_wheel(root() / "ComfyUI/custom_nodes/far/far", {"podctl-far", "1.0"});
    EXPECT_TRUE(provision().status.ok());
    EXPECT_THAT(read_file(root() / ".podctl/environments/python.lock"), HasSubstr("podctl-far"));
}

TEST_F(Requirements, OfAnOptionalPackAreLeftOutWhereTheyCannotBeBuilt) {
    const std::string backend =
        "import os\n"
        "def prepare_metadata_for_build_wheel(folder, settings=None):\n"
        "    os.mkdir(os.path.join(folder, 'podctl_rough-1.0.dist-info'))\n"
        "    with open(os.path.join(folder, 'podctl_rough-1.0.dist-info', 'METADATA'), 'w') as f:\n"
        "        f.write('Metadata-Version: 2.1\\nName: podctl-rough\\nVersion: 1.0\\n')\n"
        "    return 'podctl_rough-1.0.dist-info'\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        "    raise SystemExit('the compiler gave up')\n";
    publish_pack("rough", "NODE_CLASS_MAPPINGS = {}\n",
                 {{"requirements.txt", "podctl-rough @ file://./source\n"},
                  {"source/backend.py", backend},
                  {"source/pyproject.toml",
                   "[build-system]\nrequires = []\nbuild-backend = \"backend\"\n"
                   "backend-path = [\".\"]\n"}});
    use("custom_nodes: [https://github.com/comfyanonymous/fits.git, "
        "{git: https://github.com/comfyanonymous/rough.git, optional: true}]\n");
    const auto end = provision();
    EXPECT_TRUE(end.status.ok()) << end.output;
    EXPECT_THAT(end.of("notice"),
                Contains(::testing::ResultOf([](const json& it) { return it.value("message", ""); },
                                             AllOf(HasSubstr("the pack rough is optional"),
                                                   HasSubstr("compiler gave up")))));
    EXPECT_THAT(read_file(root() / ".podctl/environments/python.lock"),
                AllOf(HasSubstr("podctl-thing"), Not(HasSubstr("podctl-rough"))));
    EXPECT_EQ(run("plan").status.code, 0);
}

TEST_F(Requirements, OfAPyprojectAreInstalledToo) {
    publish_pack(
        "modern", "NODE_CLASS_MAPPINGS = {}\n",
        {{"pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"podctl-kit\"]\n"}});
    use("custom_nodes: [https://github.com/comfyanonymous/modern.git]\n");
    const auto message = error_of(provision()).value("message", "");
    EXPECT_THAT(message, AllOf(HasSubstr("modern/pyproject.toml"), HasSubstr("podctl-kit")));
    use("custom_nodes: [{git: https://github.com/comfyanonymous/modern.git, "
        "ignore_requirements: [podctl-kit]}]\n");
    EXPECT_TRUE(provision().status.ok());
}

TEST_F(Requirements, OfAPackThatIsGoneUpstreamAreToldWithoutAnotherError) {
    publish_clash();
    use("custom_nodes: [https://github.com/comfyanonymous/clash.git]\n");
    ASSERT_EQ(provision().status.code, 4);
    std::filesystem::remove_all(dir / "git/clash.git");
    EXPECT_THAT(error_of(provision()).value("hint", ""),
                AllOf(HasSubstr("overrides"), Not(HasSubstr("resolves at"))));
    const auto asked = requests();
    EXPECT_THAT(error_of(provision({"--offline"})).value("message", ""), HasSubstr(app_line()));
    EXPECT_EQ(requests(), asked);
}

// A registry with one pack, "clash", whose newest version excludes the app's requirements.
class RegistryPack : public Requirements {
protected:
    RegistryPack() { use("custom_nodes: [{registry: clash}]\n"); }

    static json version(const std::string& number, const std::string& asks,
                        const std::string& status = "NodeVersionStatusActive") {
        return {{"version", number},
                {"downloadUrl", "https://api.comfy.org/clash.zip"},
                {"dependencies", {asks}},
                {"createdAt", "2024-10-0" + number.substr(0, 1) + "T00:00:00Z"},
                {"status", status}};
    }
    test::Response answer(const test::Request& request) const {
        if (request.path == "/clash.zip") return {.body = read_file(archive)};
        if (request.path == "/nodes/clash")
            return {.body = json{{"latest_version", version("4.0", "podctl-kit", status_of_newest)}}
                                .dump()};
        if (request.path == "/nodes/clash/versions") return versions;
        return {.status = 404};
    }

    std::string status_of_newest = "NodeVersionStatusActive";
    // A wheel is a zip as good as any.
    std::filesystem::path archive = test::write_wheel(
        dir / "zip", {"clash", "4.0", {}, {{"requirements.txt", "podctl-kit\n"}}});
    test::Response versions{.body = json{version("4.0", "podctl-kit"),
                                         version("3.0", "podctl-thing", "NodeVersionStatusBanned"),
                                         version("2.0", "podctl-kit>=1"),
                                         version("1.0", "podctl-thing>1")}
                                        .dump()};
    test::HttpServer registry{[this](const test::Request& it) { return answer(it); }};
    std::vector<std::string> by_registry{"--mirror", "https://api.comfy.org/=" + registry.url("/")};
};

TEST_F(RegistryPack, IsToldWithTheVersionThatFits) {
    EXPECT_THAT(error_of(provision(by_registry)).value("hint", ""),
                HasSubstr("clash resolves at 1.0 (2024-10-01): set custom_nodes[0].version: "
                          "\"1.0\""));
}

TEST_F(RegistryPack, WhoseArchiveIsAnotherUnderTheSameVersionIsRefused) {
    by_registry.insert(by_registry.end(), {"--only", "node:clash"});
    ASSERT_TRUE(provision(by_registry).status.ok());
    const auto pack = root() / "ComfyUI/custom_nodes/clash";
    ASSERT_TRUE(std::filesystem::is_directory(pack));
    remove_tree(pack);
    archive = test::write_wheel(dir / "zip2",
                                {"clash", "4.0", {}, {{"requirements.txt", "something-else\n"}}});
    const auto again = provision(by_registry);
    EXPECT_EQ(again.status.code, 4) << again.output;
    const auto failed = again.of("step.failed");
    ASSERT_EQ(failed.size(), 1u) << again.output;
    EXPECT_EQ(failed[0]["error"].value("code", ""), "integrity");
    EXPECT_THAT(failed[0]["error"].value("message", ""), HasSubstr("not the one that it was"));
    EXPECT_FALSE(std::filesystem::exists(pack));
    by_registry.emplace_back("--force");
    EXPECT_TRUE(provision(by_registry).status.ok());
    EXPECT_EQ(read_file(pack / "requirements.txt"), "something-else\n");
}

TEST_F(RegistryPack, ThatTheRegistryFlagsNeedsTrust) {
    status_of_newest = "NodeVersionStatusFlagged";
    by_registry.insert(by_registry.end(), {"--only", "node:clash"});
    const auto refused = provision(by_registry);
    EXPECT_EQ(refused.status.code, 4) << refused.output;
    ASSERT_EQ(refused.of("step.failed").size(), 1u) << refused.output;
    EXPECT_THAT(refused.of("step.failed")[0]["error"].value("message", ""), HasSubstr("flagged"));
    by_registry.insert(by_registry.end(), {"--set", "trust=[registry:clash@4.0]"});
    EXPECT_TRUE(provision(by_registry).status.ok());
}

TEST_F(RegistryPack, WhoseVersionsDoNotComeCanBeStopped) {
    versions.stall_after = 1;
    by_registry.emplace_back("--no-launch");
    auto pod = start("up", by_registry);
    ASSERT_TRUE(pod.wait_for([](const json& it) {
        return it.value("message", "").find("looking for a version of clash") != std::string::npos;
    }));
    pod.signal(SIGINT);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 128 + SIGINT) << end.output;
}

}  // namespace
}  // namespace podctl::e2e

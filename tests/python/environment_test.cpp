#include "podctl/base/digest.hpp"

#include "support/set_env.hpp"
#include "world.hpp"

#include <thread>

namespace podctl::python {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class Environment : public World {};
INSTANTIATE_TEST_SUITE_P(Installers, Environment,
                         testing::Values(InstallerKind::uv, InstallerKind::pip), kind_name);

TEST_P(Environment, InheritsFromAnotherVenvAndBringsNothingOfItsOwn) {
    index({{"torch", "2.9.0"}, {"attrs", "1.0"}, {"attrs", "2.0"}});
    const auto base = base_with({"torch==2.9.0", "attrs==1.0"});
    const auto python = create_environment({.path = dir / "v e'nv"}, base, installer, settings, {});
    install({.pins = {{"attrs==2.0"}}}, python, installer, settings, {});

    EXPECT_EQ(says(python, "import torch; print(torch.__version__)"), "2.9.0");
    EXPECT_EQ(says(python, "import attrs; print(attrs.__version__)"), "2.0");  // its own goes first
    EXPECT_THAT(says(python, "import pip"), HasSubstr("No module named 'pip'"));
    EXPECT_EQ(probe(python, {}).version_of("torch"), "2.9.0");
}

TEST_P(Environment, SeesNothingOfTheBaseWhenItIsNotToInherit) {
    index({{"torch", "2.9.0"}});
    const auto base = base_with({"torch==2.9.0"});
    const auto python =
        create_environment({.path = dir / "venv", .inherit = false}, base, installer, settings, {});
    EXPECT_THAT(says(python, "import torch"), HasSubstr("No module named 'torch'"));
}

TEST_P(Environment, IsTheSameInEveryGenerationButForItsFolder) {
    const auto text_of = [&](const std::string& number) {
        const fs::path folder = dir / ".venv.podctl" / number;
        create_environment({.path = folder}, host_python(), installer, settings, {});
        std::string text;
        for (const auto* name : {"bin/activate", "bin/activate.csh", "bin/activate.fish"})
            text += read_file(folder / name);
        text += read_file(folder / "pyvenv.cfg");
        for (auto at = text.find(folder.string()); at != text.npos; at = text.find(folder.string()))
            text.replace(at, folder.string().size(), "FOLDER");
        return text;
    };
    const auto first = text_of("1");
    const auto activate = ". '" + (dir / ".venv.podctl/1/bin/activate").string() + "'";
    const auto shown =
        run_captured({.argv = {"sh", "-c", activate + "; echo $VIRTUAL_ENV_PROMPT"}}, {});
    EXPECT_THAT(shown.output, HasSubstr("venv"));
    EXPECT_EQ(text_of("2"), first);
}

TEST_P(Environment, ThatIsUnfinishedIsWipedAndAFinishedOneIsKept) {
    const EnvironmentRequest request{.path = dir / "venv"};
    create_environment(request, host_python(), installer, settings, {});
    EXPECT_TRUE(is_ours(request.path));
    EXPECT_EQ(finished_fingerprint(request.path), std::nullopt);
    file("venv/lib/hole.txt", "left by a killed installer");
    create_environment(request, host_python(), installer, settings, {});
    EXPECT_FALSE(fs::exists(dir / "venv/lib/hole.txt"));

    mark_finished(request.path, "fingerprint \"1\"");
    file("venv/lib/work.txt", "");
    create_environment(request, host_python(), installer, settings, {});
    EXPECT_TRUE(fs::exists(dir / "venv/lib/work.txt"));
    EXPECT_EQ(finished_fingerprint(request.path), "fingerprint \"1\"");

    file("venv/..podctl-environment.podctl-aB3dE6", "");  // a kill cut a mark short
    mark_unfinished(request.path);
    EXPECT_EQ(finished_fingerprint(request.path), std::nullopt);
    EXPECT_FALSE(fs::exists(dir / "venv/..podctl-environment.podctl-aB3dE6"));
}

TEST_P(Environment, WhoseVeryFirstMarkWasCutShortIsStillPodctls) {
    file("venv/..podctl-environment.podctl-aB3dE6", "");
    create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    EXPECT_TRUE(is_ours(dir / "venv"));
}

TEST_P(Environment, DoesNotTouchAFolderThatIsNotPodctls) {
    const auto theirs = file("venv/thesis.txt", "mine");
    const auto error = error_of([&] {
        create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    });
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_EQ(read_file(theirs), "mine");
    mark_unfinished(dir / "venv");
    EXPECT_FALSE(is_ours(dir / "venv"));
    EXPECT_THROW(mark_finished(dir / "venv", "x"), Error);
}

TEST_P(Environment, CountsAsUnfinishedWhenItsInterpreterIsGone) {
    create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    mark_finished(dir / "venv", "x");
    fs::remove(dir / "venv/bin/python");
    fs::create_symlink("/nowhere/python", dir / "venv/bin/python");
    EXPECT_EQ(finished_fingerprint(dir / "venv"), std::nullopt);
}

TEST_P(Environment, StaysUnfinishedWhenItsInstallIsInterrupted) {
    index({{"slow", "1.0"}});
    test::HttpServer server{[](const test::Request&) {
        return test::Response{
            .headers = {{"Content-Type", "text/html"}}, .body = "<a>", .stall_after = 1};
    }};
    settings.index_url = server.url("/simple");
    const auto python =
        create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    std::stop_source stop;
    std::jthread stopper{[&](std::stop_token give_up) {
        while (server.requests().empty() && !give_up.stop_requested())
            std::this_thread::yield();
        stop.request_stop();
    }};
    const auto error = error_of(
        [&] { install({.pins = {{"slow==1.0"}}}, python, installer, settings, stop.get_token()); });
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    EXPECT_TRUE(is_ours(dir / "venv"));
    EXPECT_EQ(finished_fingerprint(dir / "venv"), std::nullopt);
}

TEST_P(Environment, CanBeMadeFromAnExternallyManagedBase) {
    const auto managed = probe("/usr/bin/python3", {});
    if (!managed.externally_managed) GTEST_SKIP() << "no Python here is externally managed";
    index({{"attrs", "1.0"}});
    const auto python =
        create_environment({.path = dir / "venv"}, managed, installer, settings, {});
    install({.pins = {{"attrs==1.0"}}}, python, installer, settings, {});
    EXPECT_EQ(says(python, "import attrs; print(attrs.__version__)"), "1.0");
}

TEST(Interpreters, TellWhatTheyAre) {
    EXPECT_TRUE(fs::exists(host_python().path));
    EXPECT_THAT(host_python().version, testing::MatchesRegex("3\\.[0-9]+\\.[0-9]+"));
    EXPECT_FALSE(host_python().site_packages.empty());
    EXPECT_TRUE(host_python().has_pip);
    EXPECT_NE(host_python().version_of("PIP"), std::nullopt);
    EXPECT_EQ(host_python().version_of("surely-not-there"), std::nullopt);
}

TEST(Interpreters, ThatAreNoneAreRefusedWithTheReason) {
    EXPECT_EQ(error_of([] { probe("/bin/false", {}); }).kind(), ErrorKind::python);
    EXPECT_EQ(error_of([] { probe("/nowhere/python", {}); }).kind(), ErrorKind::python);
    const auto error = error_of([] { find_interpreter("python9.99", {}); });
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_THAT(error.message(), HasSubstr("python9.99"));
}

TEST(Interpreters, TellWhatPipIsConfiguredWith) {
    test::TempDir dir;
    write_file_atomically(dir / "pip.conf",
                          "[global]\nindex-url = https://a/simple\nfind_links =\n    /w1\n    /w2\n"
                          "[install]\nindex-url = https://b/simple\n");
    ::setenv("PIP_CONFIG_FILE", (dir / "pip.conf").c_str(), 1);
    ::setenv("PIP_EXTRA_INDEX_URL", "https://c/simple", 1);
    const auto settings = find_interpreter("python3", {}).pip_settings;
    ::setenv("PIP_CONFIG_FILE", "/dev/null", 1);
    ::unsetenv("PIP_EXTRA_INDEX_URL");
    EXPECT_EQ(settings.at("index-url"), "https://b/simple");
    EXPECT_EQ(settings.at("find-links"), "/w1 /w2");
    EXPECT_EQ(settings.at("extra-index-url"), "https://c/simple");
}

TEST(Interpreters, OfPodctlsOwnEnvironmentsAreNotTakenForTheBase) {
    test::TempDir dir;
    const auto python = create_environment({.path = dir / "venv"}, host_python(), real_uv(),
                                           {.cache = dir / "cache"}, {});
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", (python.parent_path().string() + ":" + path).c_str(), 1);
    ::setenv("VIRTUAL_ENV", (dir / "venv").c_str(), 1);
    const auto found = find_interpreter("auto", {});
    ::setenv("PATH", path.c_str(), 1);
    ::unsetenv("VIRTUAL_ENV");
    EXPECT_FALSE(is_inside(found.path, dir / "venv")) << found.path;
}

TEST(Installers, AtHandAreToldBeforeAnythingIsBrought) {
    test::TempDir dir;
    const Settings settings{.cache = dir / "cache"};
    Interpreter bare = host_python();
    bare.has_pip = bare.has_ensurepip = bare.has_venv = false;
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto tell = [&](InstallerChoice choice, const Interpreter& base, bool offline) {
        Settings asked = settings;
        asked.offline = offline;
        return installer_at_hand(choice, base, dir / "tools", asked, {});
    };
    const auto kind_of = [&](InstallerChoice choice, const Interpreter& base, bool offline) {
        return error_of([&] { tell(choice, base, offline); }).kind();
    };
    EXPECT_THAT(tell(InstallerChoice::automatic, host_python(), false),
                HasSubstr("brought by pip"));
    EXPECT_THAT(tell(InstallerChoice::automatic, host_python(), true), HasSubstr("pip of"));
    EXPECT_EQ(kind_of(InstallerChoice::uv, host_python(), true), ErrorKind::preflight);
    EXPECT_EQ(kind_of(InstallerChoice::automatic, bare, false), ErrorKind::preflight);
    bare.has_pip = true;
    EXPECT_EQ(kind_of(InstallerChoice::pip, bare, false), ErrorKind::preflight);  // no venv module
    bare.has_venv = true;
    bare.packages = {{"pip", "21.0"}};
    EXPECT_EQ(kind_of(InstallerChoice::pip, bare, false), ErrorKind::preflight);
    ::setenv("PATH", path.c_str(), 1);
    EXPECT_FALSE(fs::exists(dir / "tools"));
}

TEST(Installers, OfflineFallBackToPipAndTouchNoNetwork) {
    test::TempDir dir;
    test::HttpServer server{[](const test::Request&) { return test::Response{.status = 404}; }};
    const Settings settings{
        .cache = dir / "cache", .index_url = server.url("/simple"), .offline = true};
    const Interpreter& host = host_python();
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto found =
        find_installer(InstallerChoice::automatic, host, dir / "tools", settings, {});
    const auto error =
        error_of([&] { find_installer(InstallerChoice::uv, host, dir / "tools", settings, {}); });
    ::setenv("PATH", path.c_str(), 1);
    EXPECT_EQ(found.kind, InstallerKind::pip);
    EXPECT_EQ(error.kind(), ErrorKind::python);
    EXPECT_TRUE(server.requests().empty());
}

// No uv in PATH, and an index with one: a wheel whose program is a script of it.
class BroughtUv : public testing::Test {
protected:
    BroughtUv() {
        const test::Wheel wheel{
            "uv", "9.9.9", {}, {{"uv-9.9.9.data/scripts/uv", "#!/bin/sh\necho uv 9.9.9\n"}}};
        test::write_index(dir / "index", {wheel});
        release.sha256 = {sha256_file(test::write_wheel(dir / "same", wheel))};
        settings.cache = dir / "cache";
        settings.index_url = "file://" + (dir / "index").string();
    }
    Installer find(InstallerChoice choice) {
        host_python();
        const test::SetEnv path{"PATH", "/nowhere"};
        return find_installer(choice, host_python(), dir / "tools", settings, {}, release);
    }

    test::TempDir dir;
    Settings settings;
    UvRelease release{.version = "9.9.9", .sha256 = {}};
};

TEST_F(BroughtUv, ComesByPipWhereThereIsNone) {
    const auto found = find(InstallerChoice::automatic);
    EXPECT_EQ(found.kind, InstallerKind::uv);
    EXPECT_EQ(found.program, dir / "tools/uv/bin/uv");
    EXPECT_FALSE(fs::exists(dir / "tools/uv.partial"));
}

TEST_F(BroughtUv, IsRefusedWhereItsBytesAreOthers) {
    release.sha256 = {std::string(64, '0')};
    EXPECT_EQ(error_of([&] { find(InstallerChoice::uv); }).kind(), ErrorKind::integrity);
    EXPECT_FALSE(fs::exists(dir / "tools/uv"));
    EXPECT_EQ(find(InstallerChoice::automatic).kind, InstallerKind::pip);
}

TEST_F(BroughtUv, IsNeverBuilt) {
    fs::remove_all(dir / "index");
    test::write_source(dir / "index", "uv", "9.9.9");
    EXPECT_EQ(error_of([&] { find(InstallerChoice::uv); }).kind(), ErrorKind::python);
}

TEST_F(BroughtUv, GivesWayToTheReleaseThatPodctlKnows) {
    write_file_atomically(dir / "tools/uv/bin/uv", "#!/bin/sh\necho uv 1.0.0\n");
    fs::permissions(dir / "tools/uv/bin/uv", fs::perms::owner_all);
    settings.offline = true;
    EXPECT_EQ(find(InstallerChoice::uv).kind, InstallerKind::uv);
    EXPECT_FALSE(fs::exists(dir / "tools/uv/uv-9.9.9.dist-info"));
    settings.offline = false;
    EXPECT_EQ(find(InstallerChoice::uv).kind, InstallerKind::uv);
    EXPECT_TRUE(fs::exists(dir / "tools/uv/uv-9.9.9.dist-info"));
}

}  // namespace
}  // namespace podctl::python

#include "podctl/base/digest.hpp"

#include "support/git_server.hpp"
#include "world.hpp"

namespace podctl::python {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

// A package whose only module is a build backend (PEP 517). What it builds knows by which version.
test::Wheel backend(const std::string& version) {
    return {"backend", version, {}, {{"inhouse.py", R"py(
import os, re, zipfile
from backend import __version__
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open('pyproject.toml') as f:
        name = re.search("name = '(.*)'", f.read())[1]
    info, file = name + '-1.0.dist-info/', name + '-1.0-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(folder, file), 'w') as z:
        z.writestr(name + '.py', 'built_by = %r' % __version__)
        z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n' % name)
        z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        z.writestr(info + 'RECORD', '%s.py,,\n%sMETADATA,,\n%sWHEEL,,\n' % (name, info, info))
    return file
)py"}}};
}

class Resolve : public World {
protected:
    static Pin pin_of(const Lock& lock, const std::string& requirement) {
        for (const Pin& pin : lock.pins) {
            if (pin.requirement == requirement) return pin;
        }
        ADD_FAILURE() << requirement << " is not in\n" << lock.text();
        return {};
    }
};
INSTANTIATE_TEST_SUITE_P(Installers, Resolve,
                         testing::Values(InstallerKind::uv, InstallerKind::pip), kind_name);

TEST_P(Resolve, JoinsAllFilesInOneResolution) {
    index({{"attrs", "1.0"}, {"attrs", "2.0"}, {"attrs", "3.0"}, {"node", "1.0", {"attrs>=2"}}});
    auto both = request({"attrs<3"});
    both.requirements.push_back({.file = file("node/requirements.txt", "node\n"), .label = "node"});
    EXPECT_THAT(requirements_in(resolved(both)), UnorderedElementsAre("attrs==2.0", "node==1.0"));
}

TEST_P(Resolve, NeverReplacesTheTorchThatIsThere) {
    // The image's build is on no index; a newer one is.
    index({{"torch", "2.9.0+cu128"}, {"pack", "1.0", {"torch>=2"}}});
    const auto base = base_with({"torch==2.9.0+cu128"});
    remove_tree(dir / "index/torch");
    index({{"torch", "2.15.0"}});
    auto wanted = request({"torch", "pack"});
    wanted.inherited = base.packages;
    wanted.hold = {"torch", "torchvision"};
    EXPECT_THAT(requirements_in(resolved(wanted, base)), ElementsAre("pack==1.0"));
}

TEST_P(Resolve, PrefersAndLeavesOutWhatIsInherited) {
    index({{"attrs", "1.0"}, {"attrs", "2.0"}, {"pack", "1.0", {"attrs"}}});
    const auto base = base_with({"attrs==1.0"});
    auto wanted = request({"pack"});
    wanted.inherited = base.packages;
    EXPECT_THAT(requirements_in(resolved(wanted, base)), ElementsAre("pack==1.0"));
    wanted.requirements[0].lines = {"pack", "attrs>=2"};
    EXPECT_THAT(requirements_in(resolved(wanted, base)),
                UnorderedElementsAre("attrs==2.0", "pack==1.0"));
    wanted.inherited = {};
    wanted.requirements[0].lines = {"pack", "attrs<2"};
    EXPECT_THAT(requirements_in(resolved(wanted, base)),
                UnorderedElementsAre("attrs==1.0", "pack==1.0"));
}

TEST_P(Resolve, LetsAnOverrideEndAConflict) {
    index({{"pydantic", "1.10.0"}, {"pydantic", "2.9.0"}});
    auto wanted = request({"pydantic<2.0.0", "pydantic~=2.0"});
    wanted.overrides = {"pydantic>=2"};
    EXPECT_THAT(requirements_in(resolved(wanted)), ElementsAre("pydantic==2.9.0"));
}

TEST_P(Resolve, KeepsConstraintsOfTheTemplateAndOfPipsConfiguration) {
    index({{"attrs", "1.0"}, {"attrs", "2.0"}, {"attrs", "3.0"}});
    auto wanted = request({"attrs"});
    wanted.constraints = {"attrs<3"};
    EXPECT_THAT(requirements_in(resolved(wanted)), ElementsAre("attrs==2.0"));
    installer.pip_settings["constraint"] = file("constraint.txt", "attrs<2\n").string();
    EXPECT_THAT(requirements_in(resolved(wanted)), ElementsAre("attrs==1.0"));
}

TEST_P(Resolve, DropsWhatIsExcludedEvenBehindTheScenes) {
    index({{"cv", "1.0"}, {"cv-headless", "1.0"}, {"pack", "1.0", {"cv"}}});
    auto wanted = request({"pack", "cv", "cv-headless"});
    wanted.exclude = {"cv"};
    EXPECT_THAT(requirements_in(resolved(wanted)),
                UnorderedElementsAre("cv-headless==1.0", "pack==1.0"));
}

TEST_P(Resolve, TellsANetworkFailureFromAConflict) {
    settings.index_url = "http://127.0.0.1:9/simple";
    settings.environment = {{"UV_HTTP_RETRIES", "0"}, {"PIP_RETRIES", "1"}};
    EXPECT_EQ(error_of([&] { resolved(request({"attrs"})); }).kind(), ErrorKind::network);
}

TEST_P(Resolve, TakesLocalWheelsAndFoldersRelativeToTheirFile) {
    const auto wheel = test::write_wheel(dir / "pack dir", {"local", "1.0"});
    index({});
    const ResolveRequest wanted{.requirements = {{.file = file("pack dir/requirements.txt",
                                                               "./local-1.0-py3-none-any.whl\n")}},
                                .scratch = dir / "scratch"};
    const Lock lock = resolved(wanted);
    const auto python =
        create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    install(lock, python, installer, settings, {});
    EXPECT_EQ(says(python, "import local; print(local.__version__)"), "1.0");
}

TEST_P(Resolve, HandsOnTheIndexThatAFileNames) {
    index({{"attrs", "1.0"}});
    test::write_index(dir / "more", {{"special", "1.0"}});
    const auto option = "--extra-index-url file://" + (dir / "more").string();
    const auto lock = resolved(request({option, "special", "attrs"}));
    EXPECT_THAT(requirements_in(lock), UnorderedElementsAre("attrs==1.0", "special==1.0"));
    EXPECT_THAT(lock.options, ElementsAre(option));
    EXPECT_EQ(parse_lock(lock.text()), lock);
    const auto python =
        create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    install(lock, python, installer, settings, {});
    EXPECT_EQ(says(python, "import special; print(special.__version__)"), "1.0");
}

TEST_P(Resolve, NamesTheStrategyThatFindsAVersionOfAFurtherIndex) {
    index({{"attrs", "2.0"}});
    test::write_index(dir / "more", {{"attrs", "1.0"}});
    const auto wanted =
        request({"--extra-index-url file://" + (dir / "more").string(), "attrs>=2"});
    if (GetParam() == InstallerKind::pip) {
        EXPECT_THAT(requirements_in(resolved(wanted)), ElementsAre("attrs==2.0"));
        return;
    }
    const auto error = error_of([&] { resolved(wanted); });
    EXPECT_THAT(error.message() + error.hint(), HasSubstr("index_strategy: unsafe-best-match"));
    settings.index_strategy = "unsafe-best-match";
    EXPECT_THAT(requirements_in(resolved(wanted)), ElementsAre("attrs==2.0"));
}

TEST_P(Resolve, SettlesTorchOnItsOwnIndex) {
    index({{"torch", "2.15.0"}, {"pack", "1.0", {"torch>=2"}}});
    test::write_index(dir / "torch-index", {{"torch", "2.8.0+cu128"}, {"torch", "2.9.0+cu128"}});
    settings.torch_index_url = "file://" + (dir / "torch-index").string();
    EXPECT_THAT(requirements_in(resolved(request({"pack", "torch"}))),
                UnorderedElementsAre("pack==1.0", "torch==2.9.0+cu128"));
}

TEST_P(Resolve, OfflineAsksNoServer) {
    test::write_index(dir / "index", {{"attrs", "1.0"}});
    test::HttpServer server{test::serve_index(dir / "index")};
    settings.index_url = server.url("/");
    settings.offline = true;
    const auto error = error_of([&] { resolved(request({"attrs"})); });
    EXPECT_EQ(error.kind(), ErrorKind::network);
    EXPECT_TRUE(server.requests().empty());
    settings.find_links = {(dir / "index/attrs").string()};
    EXPECT_THAT(requirements_in(resolved(request({"attrs"}))), ElementsAre("attrs==1.0"));
    EXPECT_TRUE(server.requests().empty());
}

TEST_P(Resolve, GivesABuildTheRealPackageWhereTheImageHasIt) {
    index({backend("1.0"), backend("2.0"), {"needs-backend", "1.0", {"backend==2.0"}}});
    const auto base = base_with({"backend==2.0"});
    auto wanted = request({source_built_by("same", "backend==2.0"),
                           source_built_by("older", "backend<2"), "needs-backend"});
    wanted.inherited = base.packages;
    const Lock lock = resolved(wanted, base);
    EXPECT_THAT(lock.text(), Not(HasSubstr("backend==2.0")));  // it is still inherited
    EXPECT_THAT(lock.text(), Not(HasSubstr("podctl.")));
    const auto python = create_environment({.path = dir / "venv"}, base, installer, settings, {});
    install(lock, python, installer, settings, {});
    EXPECT_EQ(says(python,
                   "import same, older, backend; "
                   "print(same.built_by, older.built_by, "
                   "backend.__version__)"),
              "2.0 1.0 2.0");
}

TEST_P(Resolve, NamesPackageAndLineOfABuildThatFails) {
    index({{"needs-builds", "1.0", {"builds"}}});
    test::write_source(dir / "index", "builds", "2.0");  // its backend is nowhere
    const auto broken = source_that("broken", "raise SystemExit('no wheel today')");
    const auto python =
        create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    // Whether the build is wanted for the resolution or later differs.
    const auto message_for = [&](const std::string& line) {
        const auto requirements = file("packs/pack/requirements.txt", "# mine\n" + line + "\n");
        ResolveRequest wanted{.requirements = {{.file = requirements, .label = "node pack"}},
                              .scratch = dir / "scratch"};
        const auto error =
            error_of([&] { install(resolved(wanted), python, installer, settings, {}); });
        EXPECT_EQ(error.kind(), ErrorKind::python);
        EXPECT_THAT(error.message(), HasSubstr("comes as source and cannot be built"));
        return error.message();
    };
    const std::string place = (dir / "packs/pack/requirements.txt").string() + ":2";
    EXPECT_THAT(message_for("broken @ file://" + broken),
                AllOf(HasSubstr(place + ": broken @ file"), HasSubstr("(node pack)"),
                      HasSubstr("no wheel today")));
    EXPECT_THAT(message_for(broken),
                AllOf(HasSubstr(place + ": " + broken), HasSubstr("no wheel today")));
    test::git(broken, {"init", "--quiet"});
    test::git(broken, {"add", "."});
    test::git(broken, {"commit", "--quiet", "--message", "all"});
    EXPECT_THAT(message_for("git+file://" + broken),
                AllOf(HasSubstr(place + ": git+file://" + broken), HasSubstr("no wheel today")));
    EXPECT_THAT(message_for("builds"), AllOf(StartsWith("builds"), HasSubstr(place)));
    const auto indirect = message_for("needs-builds");
    EXPECT_THAT(indirect, StartsWith("builds"));
    // pip 23.0, which is Debian 12's, does not say for whom it takes up a file.
    if (installer.kind == InstallerKind::pip && host_python().version_of("pip") < "23.1") return;
    EXPECT_THAT(indirect, AllOf(HasSubstr(place), HasSubstr("needs-builds")));
}

TEST_P(Resolve, OfNothingStartsNothing) {
    installer.program = "/nowhere/installer";
    EXPECT_THAT(requirements_in(resolved(request({"# nothing"}))), IsEmpty());
    EXPECT_NO_THROW(install({}, "/nowhere/python", installer, settings, {}));
}

TEST_P(Resolve, InstallsExactlyTheLockAndChecksItsHashes) {
    index({{"attrs", "1.0"}, {"pack", "1.0", {"attrs"}}});
    const auto python = create_environment({.path = dir / "venv", .inherit = false}, host_python(),
                                           installer, settings, {});
    install({.pins = {{"pack==1.0"}}}, python, installer, settings, {});
    EXPECT_THAT(probe(python, {}).packages, ElementsAre(Package{"pack", "1.0"}));

    const auto hash = "--hash=sha256:" + std::string(64, '0');
    const auto lock = resolved(request({"attrs==1.0 " + hash, "pack"}));
    EXPECT_THAT(requirements_in(lock), UnorderedElementsAre("attrs==1.0", "pack==1.0"));
    EXPECT_THAT(pin_of(lock, "attrs==1.0").hashes, ElementsAre(hash));
    const auto error = error_of([&] { install(lock, python, installer, settings, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
}

TEST_P(Resolve, TellsWhoAsksForAPackageAndTheHashOfItsFile) {
    index({{"attrs", "1.0"}, {"pack", "1.0", {"attrs"}}});
    const auto hash =
        "--hash=sha256:" + sha256_file(dir / "index/attrs/attrs-1.0-py3-none-any.whl");
    auto wanted = request({"pack"});
    wanted.requirements.push_back(
        {.file = file("node/requirements.txt", "\nattrs\n"), .label = "node"});
    const Lock lock = resolved(wanted);
    EXPECT_THAT(pin_of(lock, "attrs==1.0").asked_by,
                ElementsAre((dir / "node/requirements.txt").string() + ":2", "pack"));
    EXPECT_THAT(pin_of(lock, "attrs==1.0").hashes, ElementsAre(hash));
    EXPECT_THAT(pin_of(lock, "pack==1.0").asked_by, ElementsAre("template"));
    EXPECT_EQ(parse_lock(lock.text()), lock);
    EXPECT_THAT(lock.requirements(), Not(HasSubstr("template")));
}

TEST_P(Resolve, RefusesAFileThatIsNotTheOneOfTheLock) {
    index({{"attrs", "1.0"}});
    const Lock lock = resolved(request({"attrs"}));
    remove_tree(dir / "index/attrs");
    index({{"attrs", "1.0", {}, {{"attrs_more.py", "import os\n"}}}});
    settings.cache = dir / "another cache";
    const auto python =
        create_environment({.path = dir / "venv"}, host_python(), installer, settings, {});
    const auto error = error_of([&] { install(lock, python, installer, settings, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::integrity);
}

TEST_P(Resolve, ShowsNoPasswordOfAnIndex) {
    settings.index_url = "http://user:hunter22@127.0.0.1:9/simple";
    settings.environment = {{"UV_HTTP_RETRIES", "0"}, {"PIP_RETRIES", "1"}};
    std::string said;
    settings.on_line = [&](const std::string& line) { said += line + "\n"; };
    const auto error = error_of([&] { resolved(request({"attrs"})); });
    EXPECT_THAT(said + error.message() + error.hint(), Not(HasSubstr("hunter22")));
}

TEST_P(Resolve, SaysThatARepositoryNeedsTheGitProgram) {
    index({});
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto error =
        error_of([&] { resolved(request({"pack @ git+https://github.com/a/pack.git"})); });
    ::setenv("PATH", path.c_str(), 1);
    EXPECT_EQ(error.kind(), ErrorKind::python);
    EXPECT_THAT(error.message(), HasSubstr("no git program"));
    EXPECT_THAT(error.hint(), HasSubstr("system_packages"));
}

class UvAlone : public World {};
INSTANTIATE_TEST_SUITE_P(Installers, UvAlone, testing::Values(InstallerKind::uv), kind_name);

TEST_P(UvAlone, WorksOfflineFromItsCache) {
    test::write_index(dir / "index", {{"attrs", "1.0"}, {"pack", "1.0", {"attrs"}}});
    test::HttpServer server{test::serve_index(dir / "index")};
    settings.index_url = server.url("/");
    const Lock lock = resolved(request({"pack"}));
    const auto first =
        create_environment({.path = dir / "first"}, host_python(), installer, settings, {});
    install(lock, first, installer, settings, {});
    const auto asked = server.requests().size();

    settings.offline = true;
    EXPECT_EQ(resolved(request({"pack"})), lock);
    const auto second =
        create_environment({.path = dir / "second"}, host_python(), installer, settings, {});
    install(lock, second, installer, settings, {});
    EXPECT_EQ(says(second, "import pack, attrs; print(attrs.__version__)"), "1.0");
    EXPECT_EQ(server.requests().size(), asked);
}

TEST_P(UvAlone, NamesAPackageThatComesAsSourceAlone) {
    index({{"attrs", "1.0"}});
    test::write_source(dir / "index", "builds", "2.0");
    const auto told = [&](const std::vector<std::string>& lines) {
        return source_only(resolved(request(lines)), host_python(), installer, settings,
                           dir / "scratch", {});
    };
    EXPECT_EQ(told({"attrs"}), std::nullopt);
    EXPECT_EQ(told({"attrs", "builds"}), "builds==2.0");
}

TEST_P(UvAlone, PrefersWhatIsInheritedWithoutMetadataToShow) {
    index({{"attrs", "1.0"}, {"attrs", "2.0"}, {"pack", "1.0", {"attrs"}}});
    auto wanted = request({"pack"});
    wanted.inherited = {{"attrs", "1.0"}};  // an .egg-info, say
    EXPECT_THAT(requirements_in(resolved(wanted)), ElementsAre("pack==1.0"));
}

TEST_P(UvAlone, KeepsConstraintsOfTheUserForBuilds) {
    index({backend("1.0"), backend("2.0"), backend("3.0")});
    const auto base = base_with({"backend==3.0"});
    settings.environment["UV_BUILD_CONSTRAINT"] = file("build.txt", "backend<2\n").string();
    auto wanted = request({source_built_by("product", "backend")});
    wanted.inherited = base.packages;
    const Lock lock = resolved(wanted, base);
    const auto python = create_environment({.path = dir / "venv"}, base, installer, settings, {});
    install(lock, python, installer, settings, {});
    EXPECT_EQ(says(python, "import product; print(product.built_by)"), "1.0");
}

// A vendor's build is on no index, and nothing can be built with what is shown of it.
TEST_P(UvAlone, GivesABuildAnotherOneWhereTheImageHasAVendorsOwn) {
    index({backend("2.0+cu128")});
    const auto base = base_with({"backend==2.0+cu128"});
    remove_tree(dir / "index/backend");
    index({backend("1.0"), backend("2.0"), {"needs-backend", "1.0", {"backend==2.0+cu128"}}});
    auto wanted = request({source_built_by("product", "backend"), "needs-backend"});
    wanted.inherited = base.packages;
    const Lock lock = resolved(wanted, base);
    EXPECT_THAT(lock.text(), Not(HasSubstr("backend==2.0+cu128")));
    const auto python = create_environment({.path = dir / "venv"}, base, installer, settings, {});
    install(lock, python, installer, settings, {});
    EXPECT_EQ(says(python, "import product; print(product.built_by)"), "2.0");
}

TEST_P(UvAlone, SaysWhatABuildImportsAndDoesNotAskFor) {
    index({});
    const auto hint_for = [&](const std::string& module) {
        const auto line = source_that("imports-" + module, "import " + module);
        return error_of([&] { resolved(request({line})); }).hint();
    };
    EXPECT_THAT(hint_for("torch"),
                AllOf(HasSubstr("imports torch"), HasSubstr("UV_NO_BUILD_ISOLATION")));
    EXPECT_THAT(hint_for("pkg_resources"), HasSubstr("setuptools<82"));
}

TEST_P(UvAlone, OverridesWhatPackagesAskOfEachOther) {
    index({{"pydantic", "1.10.0"}, {"pydantic", "2.9.0"}, {"gradio", "3.50", {"pydantic<2"}}});
    auto wanted = request({"gradio", "pydantic>=2"});
    wanted.overrides = {"pydantic>=2"};
    EXPECT_THAT(requirements_in(resolved(wanted)),
                UnorderedElementsAre("gradio==3.50", "pydantic==2.9.0"));
}

TEST_P(UvAlone, TakesTheIndexThatPipIsConfiguredWith) {
    index({{"attrs", "1.0"}});
    settings.index_url = "";
    installer.pip_settings["index-url"] = "file://" + (dir / "index").string();
    EXPECT_THAT(requirements_in(resolved(request({"attrs"}))), ElementsAre("attrs==1.0"));
}

}  // namespace
}  // namespace podctl::python

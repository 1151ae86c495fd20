#include "conflict_chain.hpp"
#include "world.hpp"

// What is said when no choice of versions is what everybody asks for, and when a line is wrong.
namespace podctl::python {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class Conflicts : public World {
protected:
    // A file of a pack, and where its line stands.
    RequirementSource pack(const std::string& name, const std::string& text) {
        return {.file = file(name + "/requirements.txt", text), .label = "node " + name};
    }
    std::string place(const std::string& pack, int line) const {
        return (dir / pack / "requirements.txt").string() + ":" + std::to_string(line) + ": ";
    }
    Conflict conflict_of(const ResolveRequest& request, const Interpreter& base = host_python()) {
        try {
            resolved(request, base);
        } catch (const Conflict& conflict) {
            return conflict;
        }
        throw std::runtime_error("no conflict");
    }
    Conflict conflict_of(std::vector<RequirementSource> sources) {
        return conflict_of({.requirements = std::move(sources), .scratch = dir / "scratch"});
    }
    Error error_with(std::vector<RequirementSource> sources) {
        return error_of(
            [&] { resolved({.requirements = std::move(sources), .scratch = dir / "scratch"}); });
    }
};
INSTANTIATE_TEST_SUITE_P(Installers, Conflicts,
                         testing::Values(InstallerKind::uv, InstallerKind::pip), kind_name);

TEST_P(Conflicts, NameBothFilesAndLines) {
    index({{"pydantic", "1.10.0"}, {"pydantic", "2.9.0"}, {"attrs", "1.0"}});
    const auto conflict =
        conflict_of({pack("ComfyUI", "# core\n\npydantic~=2.0  # models\n"),
                     pack("app", "attrs\npydantic<2.0.0; python_version >= '3.8'\n"),
                     pack("mac", "pydantic<1; sys_platform == 'darwin'\n")});
    EXPECT_THAT(
        conflict.message(),
        AllOf(StartsWith("requirements exclude each other: pydantic\n"),
              HasSubstr(place("ComfyUI", 3) + "pydantic~=2.0 (node ComfyUI)"),
              HasSubstr(place("app", 2) + "pydantic<2.0.0; python_version >= '3.8' (node app)"),
              Not(HasSubstr("attrs")), Not(HasSubstr("darwin"))));
    // The first source is ComfyUI.
    EXPECT_THAT(conflict.hint(), HasSubstr("python: {overrides: [\"pydantic~=2.0\"]}"));
    ASSERT_EQ(conflict.askers().size(), 2U);
    EXPECT_EQ(conflict.askers()[1].file, dir / "app/requirements.txt");
    EXPECT_EQ(conflict.askers()[1].line, 2);
}

TEST_P(Conflicts, BehindAPackageShowTheWholeChain) {
    index({{"pydantic", "1.10.0"}, {"pydantic", "2.9.0"}, {"gradio", "3.50.2", {"pydantic<2"}}});
    const auto conflict =
        conflict_of({pack("ComfyUI", "pydantic~=2.0\n"), pack("a", "\ngradio[oauth]==3.50.2\n")});
    EXPECT_THAT(conflict.message(),
                AllOf(HasSubstr(place("ComfyUI", 1) + "pydantic~=2.0"),
                      HasSubstr(place("a", 2) + "gradio[oauth]==3.50.2 (node a)"),
                      HasSubstr(" on pydantic<2"), Not(HasSubstr("scratch"))));
    EXPECT_THAT(conflict.hint(), HasSubstr("overrides: [\"pydantic~=2.0\"]"));
    const bool by_pip = installer.kind == InstallerKind::pip;
    EXPECT_EQ(conflict.hint().find("installer: uv") != std::string::npos, by_pip);
}

TEST_P(Conflicts, ThreeLevelsDownLeadBackToTheLine) {
    index({{"Ruamel.Yaml", "0.17"},
           {"ruamel.yaml", "0.18"},
           {"a-package-whose-name-fills-much-of-a-line-of-eighty-columns",
            "1.0",
            {"another-package-whose-name-fills-much-of-a-line>=1"}},
           {"another-package-whose-name-fills-much-of-a-line", "1.0", {"ruamel_yaml<0.18"}}});
    // PEP 503 names of the index's folders.
    std::filesystem::remove_all(dir / "index/Ruamel.Yaml");
    std::filesystem::remove_all(dir / "index/ruamel.yaml");
    index({{"ruamel-yaml", "0.17"}, {"ruamel-yaml", "0.18"}});
    const auto conflict =
        conflict_of({pack("a", "\n\nA_Package.whose_name-fills-much-of-a-line-of-eighty-columns\n"),
                     pack("b", "Ruamel.YAML>=0.18\n")});
    EXPECT_THAT(
        conflict.message(),
        AllOf(HasSubstr(place("a", 3) +
                        "A_Package.whose_name-fills-much-of-a-line-of-eighty-columns (node a)"),
              HasSubstr(place("b", 1) + "Ruamel.YAML>=0.18 (node b)"),
              HasSubstr("another-package-whose-name-fills-much-of-a-line"),
              Not(HasSubstr("scratch"))));
    EXPECT_THAT(conflict.hint(), HasSubstr("[\"Ruamel.YAML>=0.18\"]"));
}

TEST_P(Conflicts, BetweenSeveralVersionsOfAPackageAreShownToTheirEnd) {
    index({{"pydantic", "1.10.0"},
           {"pydantic", "2.9.0"},
           {"old", "1.0", {"pydantic<2"}},
           {"kit", "1.0", {"old==1.0"}},
           {"kit", "1.1", {"old[more]==1.0"}}});
    const auto conflict = conflict_of({pack("a", "kit\n"), pack("b", "pydantic~=2.0\n")});
    EXPECT_THAT(conflict.message(),
                AllOf(HasSubstr(place("a", 1) + "kit"), HasSubstr(place("b", 1) + "pydantic~=2.0"),
                      HasSubstr("depends on pydantic<2")));
}

TEST_P(Conflicts, WithTheTorchOfTheImageNameItAndKeepIt) {
    index({{"torch", "2.9.0+cu128"}, {"torch", "2.0.1"}, {"torch", "2.15.0"}});
    const auto base = base_with({"torch==2.9.0+cu128"});
    remove_tree(dir / "index/torch");
    index({{"torch", "2.0.1"}, {"torch", "2.15.0"}});
    ResolveRequest wanted{
        .requirements = {pack("ComfyUI", "torch\n"), pack("pack", "\ntorch==2.0.1\n")},
        .inherited = base.packages,
        .hold = {"torch"},
        .scratch = dir / "scratch"};
    const auto conflict = conflict_of(wanted, base);
    EXPECT_THAT(conflict.message(),
                AllOf(HasSubstr(place("pack", 2) + "torch==2.0.1 (node pack)"),
                      HasSubstr("kept as " + base.path.string() + " has it: torch==2.9.0+cu128")));
    EXPECT_THAT(conflict.hint(), AllOf(HasSubstr("overrides: [\"torch==2.9.0+cu128\"]"),
                                       HasSubstr("inherit: false")));
    // It keeps what it promises.
    wanted.overrides = {"torch==2.9.0+cu128"};
    EXPECT_THAT(resolved(wanted, base).pins, IsEmpty());
}

TEST_P(Conflicts, OfAUrlAndAPinNameBoth) {
    index({{"local", "1.0"}, {"local", "2.0"}});
    const auto wheel = (dir / "index/local/local-2.0-py3-none-any.whl").string();
    const auto conflict =
        conflict_of({pack("a", "local==1.0\n"), pack("b", "local @ file://" + wheel + "\n")});
    EXPECT_THAT(conflict.message(), AllOf(HasSubstr(place("a", 1) + "local==1.0"),
                                          HasSubstr(place("b", 1) + "local @ file://")));
}

TEST_P(Conflicts, OfTwoUrlsNameBoth) {
    index({{"local", "1.0"}, {"local", "2.0"}});
    const auto wheel = [&](const std::string& version) {
        return "local @ file://" +
               (dir / ("index/local/local-" + version + "-py3-none-any.whl")).string() + "\n";
    };
    const auto conflict = conflict_of({pack("a", wheel("1.0")), pack("b", wheel("2.0"))});
    EXPECT_THAT(conflict.message(), AllOf(HasSubstr(place("a", 1)), HasSubstr(place("b", 1))));
}

TEST_P(Conflicts, WithThePythonNameTheLine) {
    index({{"attrs", "1.0"}, {"future", "1.0", {}, {}, ">=3.99"}, {"kit", "1.0", {"future>=1"}}});
    const auto directly = conflict_of({pack("a", "attrs\nfuture\n")});
    EXPECT_THAT(directly.message(),
                AllOf(StartsWith("no version fits this Python: future"),
                      HasSubstr(place("a", 2) + "future"), HasSubstr(">=3.99")));
    EXPECT_THAT(directly.hint(), HasSubstr("python.interpreter"));
    const auto behind = conflict_of({pack("b", "attrs\nkit\n")});
    EXPECT_THAT(behind.message(), AllOf(HasSubstr(place("b", 2) + "kit"), HasSubstr(">=3.99")));
}

TEST_P(Conflicts, AreNoneWhereTheIndexLacksWhatOneLineAsks) {
    index({{"attrs", "1.0"}, {"kit", "1.0", {"missing-thing>=1"}}});
    for (const std::string line : {"no-such-thing>=1", "attrs==9.0", "kit"}) {
        const auto error = error_with({pack("a", "attrs\n" + line + "\n")});
        EXPECT_EQ(error.kind(), ErrorKind::python) << line << error.message();
        EXPECT_THAT(error.message(), HasSubstr(place("a", 2) + line));
    }
}

TEST_P(Conflicts, AreNoneWhereALineCannotBeRead) {
    index({{"attrs", "1.0"}});
    const auto error = error_with({pack("a", "attrs\n\nattrs; nonsense == '1'\n")});
    EXPECT_EQ(error.kind(), ErrorKind::python);
    EXPECT_THAT(error.message(), HasSubstr(place("a", 3)));
}

TEST_P(Conflicts, AreNoneWhereAnAddressHasNothing) {
    index({{"attrs", "1.0"}});
    test::HttpServer server{[](const test::Request&) { return test::Response{.status = 404}; }};
    const auto by_git =
        error_with({pack("a", "attrs\nthing @ git+" + server.url("/thing.git") + "@v1\n")});
    EXPECT_EQ(by_git.kind(), ErrorKind::git) << by_git.message();
    EXPECT_THAT(by_git.message(), HasSubstr(place("a", 2) + "thing @ git+http"));
    const auto bare = error_with({pack("b", "git+" + server.url("/bare.git") + "\n")});
    EXPECT_EQ(bare.kind(), ErrorKind::git) << bare.message();
    EXPECT_THAT(bare.message(), HasSubstr(place("b", 1)));
    const auto by_url = error_with(
        {pack("c", "attrs\nthing @ " + server.url("/thing-1.0-py3-none-any.whl") + "\n")});
    EXPECT_EQ(by_url.kind(), ErrorKind::not_found) << by_url.message();
    EXPECT_THAT(by_url.message(), HasSubstr(place("c", 2)));
    const auto by_path = error_with({pack("d", "./thing-1.0-py3-none-any.whl\n")});
    EXPECT_EQ(by_path.kind(), ErrorKind::not_found) << by_path.message();
    EXPECT_THAT(by_path.message(), HasSubstr(place("d", 1)));
}

TEST_P(Conflicts, AreNoneWhereAnAddressCannotBeReached) {
    index({{"attrs", "1.0"}});
    settings.environment = {{"UV_HTTP_RETRIES", "0"}, {"PIP_RETRIES", "0"}};
    for (const std::string line : {"thing @ git+http://user:hunter22@127.0.0.1:9/thing.git",
                                   "thing @ http://127.0.0.1:9/thing-1.0-py3-none-any.whl"}) {
        const auto error = error_with({pack("a", "attrs\n" + line + "\n")});
        EXPECT_EQ(error.kind(), ErrorKind::network) << error.message();
        EXPECT_THAT(error.message(), AllOf(HasSubstr(place("a", 2)), Not(HasSubstr("hunter22"))));
    }
}

// What other releases say, as they said it.
class WordsOfTheInstaller : public testing::Test {
protected:
    Reasons read(const std::vector<std::string>& asked, const std::string& words) {
        input.requirements = read_lines(asked, "a", Requirement::Kind::requirement);
        return read_reasons(words, input);
    }
    ResolutionInput input;
};

TEST_F(WordsOfTheInstaller, AreReadAcrossLinesThatOldUvWraps) {
    const auto reasons = read({"a-very-long-package-name", "pydantic>=2", "is", "solution"},
                              "  × No solution found when resolving dependencies:\n"
                              "  ╰─▶ Because gradio==3.50.2 depends on pydantic<2 (1)\n"
                              "\n"
                              "      And because we know from (1) that all, we can\n"
                              "      conclude that your requirements. And because you require\n"
                              "      a-very-long-package-name and\n"
                              "      pydantic>=2, we can conclude that your requirements are\n"
                              "      unsatisfiable.\n");
    EXPECT_THAT(reasons.packages, UnorderedElementsAre("a-very-long-package-name", "pydantic"));
    EXPECT_THAT(reasons.depended_on, ElementsAre("pydantic"));
    EXPECT_THAT(reasons.text, AllOf(HasSubstr("gradio==3.50.2"), HasSubstr("unsatisfiable.")));
}

TEST_F(WordsOfTheInstaller, AreReadBehindMarkersAndExtras) {
    EXPECT_THAT(read({"pydantic", "gradio", "kit"},
                     "  cause: Because you require kit and gradio[oauth]==3 and "
                     "pydantic{sys_platform == 'linux'}>=2.0,<3.dev0, we can conclude")
                    .packages,
                UnorderedElementsAre("kit", "gradio", "pydantic"));
}

TEST_F(WordsOfTheInstaller, AreLedBackFromTheFileThatItWasGiven) {
    const auto reasons =
        read({"kit", "pydantic>=2"},
             "Collecting other>=1 (from middle>=1.0->kit->-r /s/requirements.txt (line 1))\n"
             "Collecting unrelated (from kit->-r /s/requirements.txt (line 1))\n"
             "ERROR: Cannot install -r /s/requirements.txt (line 2) and middle because these\n"
             "\nThe conflict is caused by:\n"
             "    The user requested pydantic>=2\n"
             "    other 1.0 depends on pydantic<2\n"
             "\nTo fix this you could try to:\n1. loosen\n");
    EXPECT_THAT(reasons.packages, UnorderedElementsAre("kit", "pydantic"));
    EXPECT_THAT(reasons.text,
                AllOf(HasSubstr("Cannot install pydantic>=2 and middle"),
                      HasSubstr("other is asked for by middle>=1.0, that by kit, that by a"),
                      Not(HasSubstr("unrelated")), Not(HasSubstr("loosen"))));
}

TEST_F(WordsOfTheInstaller, MayBeAnything) {
    for (const std::string words :
         {"", "(from ", "-r ", "-r x (line ", "cause:", "Collecting (from (from a->->",
          "cause: -r requirements.txt (line 99999999999999999999999) (from -r x (line 0))"}) {
        EXPECT_THAT(read({"a"}, words).packages, testing::Each("a")) << words;
    }
}

}  // namespace
}  // namespace podctl::python

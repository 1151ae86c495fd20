#include "podctl/base/error.hpp"

#include "environment_fixture.hpp"

namespace podctl::run {
namespace {

using plan::InstallEnvironment;

// install.py of a pack, in a real environment.
class ScriptStep : public EnvironmentTest {
protected:
    ScriptStep() {
        fs::create_directories(pack);
        make_environment();
    }
    void write_script(const std::string& code) const {
        write_file_atomically(pack / "install.py", "import os, sys\n" + code + "\n");
    }
    // Each run leaves a line.
    void write_script_that_notes(const std::string& expression) const {
        write_script("with open('" + ran.string() + "', 'a') as file: print(" + expression +
                     ", file=file)");
    }
    plan::InstallScript script() const { return {pack, spec}; }
    Error failure() {
        return error_of([&] { bring(script()); });
    }
    std::string log() const { return read_file(context.places.logs / "install.pack.log"); }

    const fs::path pack = root / "custom_nodes/pack";
    const fs::path ran = dir / "ran";
};

TEST_F(ScriptStep, IsNothingWithoutAScript) {
    EXPECT_EQ(look_at(script()).change, Change::keep);
    EXPECT_EQ(look_at(script()).reason, "no install.py");
    const auto outcome = bring(script());
    EXPECT_FALSE(outcome.changed);
    EXPECT_THAT(outcome.facts, IsEmpty());
}

TEST_F(ScriptStep, RunsOnceInThePackWithItsEnvironment) {
    context.places.base = root / "ComfyUI";
    write_script_that_notes(
        "sys.prefix, os.getcwd(), os.environ['VIRTUAL_ENV'], os.environ['COMFYUI_PATH'], "
        "os.environ['PATH'].split(':')[0], os.environ.get('PIP_CONSTRAINT'), sep='|'");
    EXPECT_EQ(look_at(script()).change, Change::create);
    EXPECT_EQ(look_at(script()).reason, "install.py is to be run");
    const auto outcome = bring(script());
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(outcome.facts, ElementsAre(Key("inputs")));
    const auto words = split(trim(read_file(ran)), '|');
    ASSERT_EQ(words.size(), 6u);
    EXPECT_EQ(fs::canonical(words[0]), fs::canonical(generation()));
    EXPECT_EQ(fs::canonical(words[1]), fs::canonical(pack));
    EXPECT_EQ(words[2], spec.path.string());
    EXPECT_EQ(words[3], (root / "ComfyUI").string());
    EXPECT_EQ(words[4], (spec.path / "bin").string());
    EXPECT_EQ(words[5], "None");  // there is no torch to hold

    EXPECT_EQ(look_at(script()).change, Change::keep);
    EXPECT_EQ(look_at(script()).reason, "install.py was run");
    EXPECT_TRUE(is_finished());
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
}

TEST_F(ScriptStep, RunsAgainForAnotherScriptAndInAnotherEnvironment) {
    write_script_that_notes("1");
    bring(script());
    EXPECT_EQ(look_at(script(), "other").change, Change::create);
    write_script_that_notes("2");
    EXPECT_EQ(look_at(script()).change, Change::create);
    bring(script());
    ASSERT_EQ(look_at(script()).change, Change::keep);
    spec.requirement_lines = {"one<2"};
    done<plan::ResolveEnvironment>();
    done<InstallEnvironment>();
    EXPECT_EQ(look_at(script()).change, Change::create);
    bring(script());
    EXPECT_EQ(read_file(ran), "1\n2\n2\n");
}

// What it installs by itself is no drift, which would be mended and bring the script again.
TEST_F(ScriptStep, MayChangeTheEnvironment) {
    write_script("os.rename('" + (site() / "one-2.0.dist-info").string() + "', '" +
                 (site() / "one-1.0.dist-info").string() + "')");
    bring(script());
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
    EXPECT_EQ(look_at(script()).change, Change::keep);
}

TEST_F(ScriptStep, ThatFailsTellsItsLastLinesAndIsTriedAgain) {
    write_script("print('no compiler here')\nsys.exit(3)");
    const auto error = failure();
    EXPECT_EQ(error.kind(), ErrorKind::command_failed);
    EXPECT_THAT(error.message(), HasSubstr((pack / "install.py").string() + ": exit code 3"));
    EXPECT_THAT(error.message(), HasSubstr("no compiler here"));
    EXPECT_THAT(error.hint(), HasSubstr((context.places.logs / "install.pack.log").string()));
    EXPECT_THAT(error.hint(), HasSubstr("`install_script: false` leaves it out"));
    EXPECT_THAT(log(), HasSubstr("no compiler here"));
    EXPECT_EQ(look_at(script()).change, Change::create);
    // It came to an end, so it left no holes.
    EXPECT_TRUE(is_finished());
    write_script_that_notes("'better'");
    bring(script());
    EXPECT_EQ(look_at(script()).change, Change::keep);
}

// It may have been at its own `pip install`.
TEST_F(ScriptStep, ThatIsKilledLeavesAnEnvironmentToBeMadeAnew) {
    write_script("import signal\nos.kill(os.getpid(), signal.SIGKILL)");
    EXPECT_THAT(failure().message(), HasSubstr("killed by SIGKILL"));
    EXPECT_FALSE(is_finished());
    EXPECT_EQ(found<InstallEnvironment>().change, Change::create);
    EXPECT_EQ(look_at(script()).change, Change::create);
    done<InstallEnvironment>();
    EXPECT_EQ(version_of_one(), "2.0");
    write_script_that_notes("'whole'");
    bring(script());
    EXPECT_TRUE(is_finished());
    EXPECT_EQ(look_at(script()).change, Change::keep);
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
}

TEST_F(ScriptStep, ThatSwallowsItsErrorsIsTold) {
    write_script(
        "import traceback\ntry: raise OSError('no space')\nexcept OSError: traceback.print_exc()");
    EXPECT_TRUE(bring(script()).changed);
    EXPECT_THAT(notices(), Contains(HasSubstr("ended well but printed an error")));
    EXPECT_THAT(log(), HasSubstr("no space"));
    EXPECT_EQ(look_at(script()).change, Change::keep);
}

// What a script installs by itself must not bring another torch than the image's.
TEST_F(ScriptStep, IsHeldToTheImagesTorch) {
    spec.settings.interpreter = make_image("torch").string();
    spec.settings.inherit = true;
    write_script_that_notes(
        "open(os.environ['PIP_CONSTRAINT']).read(), os.environ['UV_CONSTRAINT'] == "
        "os.environ['PIP_CONSTRAINT']");
    bring(script());
    EXPECT_EQ(read_file(ran), "torch==2.9.0\n True\n");
}

}  // namespace
}  // namespace podctl::run

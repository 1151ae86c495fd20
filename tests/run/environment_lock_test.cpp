#include "steps/environment_lock.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/base/error.hpp"

#include "step_test.hpp"
#include "steps/environment_base.hpp"
#include "support/wheels.hpp"

#include <cstdlib>

namespace podctl::run {
namespace {

// By the real pip, from an index of small wheels.
class LockStep : public StepTest {
protected:
    LockStep() {
        ::setenv("PIP_CONFIG_FILE", "/dev/null", 1);
        test::write_index(dir / "index",
                          {{"one", "1.0"}, {"one", "2.0"}, {"two", "1.0", {"one<2"}}});
        spec.name = "python";
        spec.path = root / "venv";
        spec.settings.interpreter = "python3";
        spec.settings.installer = tmpl::Installer::pip;
        spec.settings.inherit = false;
        spec.settings.torch = "keep";
        spec.settings.index_url = "file://" + (dir / "index").string();
        spec.requirement_lines = {"one"};
        fs::create_directories(context.places.logs);
        // As python.venv has noted the interpreter before.
        const auto step = step_of(resolve());
        base_of(spec, task_of(step));
    }
    plan::ResolveEnvironment resolve() const { return {spec}; }
    std::string lock() {
        const auto step = step_of(resolve());
        return read_file(lock_file(spec, task_of(step)));
    }
    bool needs_installer() {
        const auto step = step_of(resolve());
        return needs_resolution(spec, task_of(step));
    }

    plan::EnvironmentSpec spec;
};

TEST_F(LockStep, ResolvesOnceAndRecordsFromWhat) {
    EXPECT_EQ(look_at(resolve()).reason, "not resolved yet");
    EXPECT_TRUE(needs_installer());
    const auto outcome = bring(resolve());
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(lock(), HasSubstr("one==2.0"));
    const auto step = step_of(resolve());
    EXPECT_THAT(outcome.facts,
                UnorderedElementsAre(Pair("lock", lock_digest(spec, task_of(step)).value()),
                                     Pair("inputs", inputs_digest(spec, task_of(step))),
                                     Pair("left_out", "")));
    EXPECT_EQ(look_at(resolve()).change, Change::keep);
    EXPECT_FALSE(needs_installer());

    // What was resolved for the same before is taken again without the installer.
    const auto kept = lock();
    spec.requirement_lines = {"two"};
    EXPECT_EQ(look_at(resolve()).reason, "requirements changed");
    spec.requirement_lines = {"one"};
    const auto file = lock_file(spec, task_of(step));
    write_file_atomically(file, "one==1.0\n");
    EXPECT_EQ(look_at(resolve()).reason, "the lock file was changed");
    fs::remove_all(dir / "index");
    EXPECT_TRUE(bring(resolve()).changed);
    EXPECT_EQ(lock(), kept);
    EXPECT_EQ(look_at(resolve()).change, Change::keep);
}

TEST_F(LockStep, TakesNoKeptResolutionThatHasLostLines) {
    bring(resolve());
    const auto folder = context.places.locks / "resolved";
    for (const auto& entry : fs::directory_iterator{folder}) {
        const auto text = read_file(entry.path());
        write_file_atomically(entry.path(), text.substr(text.find('\n') + 1));
    }
    spec.settings.index_url = "file://" + (dir / "none").string();
    EXPECT_THROW(bring(resolve()), Error);
}

TEST_F(LockStep, LeavesOutAnOptionalPackThatAsksForWhatCannotBeHad) {
    spec.custom_nodes = root / "custom_nodes";
    write_file_atomically(spec.custom_nodes / "nice/requirements.txt", "one==1.0\n");
    write_file_atomically(spec.custom_nodes / "odd/requirements.txt", "one==2.0\nnone\n");
    spec.packs = std::make_shared<const plan::Packs>(
        plan::Packs{.names = {"nice", "odd"}, .optional = {"odd"}, .ignored_requirements = {}});
    EXPECT_THAT(bring(resolve()).facts, Contains(Pair("left_out", "odd")));
    EXPECT_THAT(lock(), HasSubstr("one==1.0"));
    EXPECT_THAT(notices(), Contains(HasSubstr("the pack odd is optional, and is left out")));
    const auto found = look_at(resolve());
    EXPECT_EQ(found.change, Change::keep);
    EXPECT_THAT(found.notice, HasSubstr("odd; --update tries again"));
    // The step of its script knows it by the record of this one.
    context.journal.put("python.resolve", *context.journal.find(id));
    write_file_atomically(spec.custom_nodes / "odd/install.py", "");
    EXPECT_THAT(look_at(plan::InstallScript{spec.custom_nodes / "odd", spec}).reason,
                HasSubstr("its packages are left out"));
}

TEST_F(LockStep, NamesARequirementFileThatIsNotThere) {
    spec.requirement_files = {root / "none.txt"};
    const auto error = error_of([&] { bring(resolve()); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr("none.txt (the template) does not exist"));
}

}  // namespace
}  // namespace podctl::run

#include "podctl/base/error.hpp"

#include "environment_fixture.hpp"
#include "steps/environment_base.hpp"
#include "steps/environment_lock.hpp"

namespace podctl::run {
namespace {

using plan::BuildEnvironment;
using plan::CreateEnvironment;
using plan::InstallEnvironment;
using plan::ResolveEnvironment;
using ::testing::StartsWith;

// What the installers may do in different ways.
class EnvironmentByEach : public EnvironmentTest,
                          public testing::WithParamInterface<python::InstallerKind> {
protected:
    EnvironmentByEach() : EnvironmentTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Installers, EnvironmentByEach,
                         testing::Values(python::InstallerKind::uv, python::InstallerKind::pip),
                         python::kind_name);

// The rest is by uv, which is the quicker one.
class EnvironmentStep : public EnvironmentTest {
protected:
    // As if somebody had installed another version by hand.
    void replace_one() const {
        fs::rename(site() / "one-2.0.dist-info", site() / "one-1.0.dist-info");
    }
};

TEST_P(EnvironmentByEach, IsMadeAndInstalledOnce) {
    EXPECT_EQ(found<CreateEnvironment>().change, Change::create);
    EXPECT_EQ(found<CreateEnvironment>().reason, spec.path.string());
    EXPECT_TRUE(done<CreateEnvironment>().changed);
    EXPECT_FALSE(is_finished());
    done<ResolveEnvironment>();
    EXPECT_EQ(found<InstallEnvironment>().change, Change::create);
    const auto installed = done<InstallEnvironment>();
    EXPECT_TRUE(installed.changed);
    const auto locked = context.journal.find("python.resolve")->facts.at("lock");
    EXPECT_THAT(installed.facts, Contains(Pair("lock", locked)));
    EXPECT_TRUE(is_finished());
    EXPECT_EQ(version_of_one(), "2.0");

    EXPECT_EQ(found<CreateEnvironment>().change, Change::keep);
    EXPECT_THAT(found<CreateEnvironment>().reason, StartsWith("Python 3."));
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
    EXPECT_EQ(found<InstallEnvironment>().reason, "installed");
    const auto standing = generation();
    EXPECT_FALSE(done<CreateEnvironment>().changed);
    EXPECT_EQ(generation(), standing);
}

TEST_F(EnvironmentStep, IsMadeAnewForOtherSettingsAndWhereNothingIsKnownOfIt) {
    make_environment();
    EXPECT_EQ(found<CreateEnvironment>("other").change, Change::change);
    EXPECT_EQ(found<CreateEnvironment>("other").reason, "its settings changed");
    context.journal.erase("python.venv");
    EXPECT_EQ(found<CreateEnvironment>().change, Change::change);
    EXPECT_EQ(found<CreateEnvironment>().reason,
              "an environment stands there that is not known yet");
    // It is podctl's own, and of the same interpreter.
    EXPECT_FALSE(done<CreateEnvironment>().changed);
    EXPECT_EQ(found<CreateEnvironment>().change, Change::keep);
}

TEST_F(EnvironmentStep, ChangesBesideTheOneThatStandsAndGoesBackWithoutAnIndex) {
    make_environment();
    const auto first = generation();
    spec.requirement_lines = {"one<2"};
    done<ResolveEnvironment>();
    EXPECT_EQ(found<InstallEnvironment>().change, Change::change);
    EXPECT_EQ(found<InstallEnvironment>().reason, "packages are to be installed");
    EXPECT_EQ(version_of_one(), "2.0");
    done<InstallEnvironment>();
    EXPECT_EQ(version_of_one(), "1.0");
    EXPECT_NE(generation(), first);

    spec.requirement_lines = {"one"};
    fs::remove_all(index());
    fs::remove_all(context.places.cache);
    done<ResolveEnvironment>();
    done<InstallEnvironment>();
    EXPECT_EQ(generation(), first);
    EXPECT_EQ(version_of_one(), "2.0");
}

TEST_F(EnvironmentStep, KeepsTheOneThatStandsWhereAnInstallationFails) {
    make_environment();
    const auto first = generation();
    spec.requirement_lines = {"one<2"};
    done<ResolveEnvironment>();
    fs::remove_all(index());
    fs::remove_all(context.places.cache);
    const auto error = error_of([&] { done<InstallEnvironment>(); });
    EXPECT_THAT(error.message(), HasSubstr("one"));
    EXPECT_EQ(generation(), first);
    EXPECT_TRUE(is_finished());
    EXPECT_EQ(version_of_one(), "2.0");
    EXPECT_EQ(found<InstallEnvironment>().change, Change::change);
    offer_packages();
    done<InstallEnvironment>();
    EXPECT_EQ(version_of_one(), "1.0");
}

TEST_P(EnvironmentByEach, TakesNothingOfWhatAKilledRunBegan) {
    done<CreateEnvironment>();
    done<ResolveEnvironment>();
    const auto begun = python::next_generation(spec.path);
    write_file_atomically(begun / "half", "");
    // Whoever comes after the kill did not make it.
    EXPECT_TRUE(context.pythons.take_fresh(begun));
    EXPECT_EQ(found<InstallEnvironment>().change, Change::create);
    done<InstallEnvironment>();
    EXPECT_FALSE(fs::exists(begun / "half"));
    EXPECT_EQ(version_of_one(), "2.0");
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
}

TEST_F(EnvironmentStep, MendsWhatIsGoneUnlessDriftIsKept) {
    make_environment();
    fs::remove_all(site() / "one-2.0.dist-info");
    EXPECT_EQ(found<InstallEnvironment>().change, Change::change);
    EXPECT_EQ(found<InstallEnvironment>().reason, "one is gone: to be made anew");
    spec.settings.drift = tmpl::Drift::keep;
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
    EXPECT_THAT(found<InstallEnvironment>().reason, HasSubstr("kept by python.drift: one is gone"));
    spec.settings.drift = tmpl::Drift::mend;
    EXPECT_TRUE(done<InstallEnvironment>().changed);
    EXPECT_EQ(found<InstallEnvironment>().reason, "installed");
}

TEST_F(EnvironmentStep, StopsMendingWhatIsReplacedAfterEachTime) {
    make_environment();
    for (const auto* mendings : {"1", "2"}) {
        replace_one();
        EXPECT_EQ(found<InstallEnvironment>().reason, "one 1.0 in place of 2.0: to be made anew");
        EXPECT_THAT(done<InstallEnvironment>().facts, Contains(Pair("mendings", mendings)));
        EXPECT_EQ(found<InstallEnvironment>().reason, "installed");
    }
    replace_one();
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
    EXPECT_THAT(found<InstallEnvironment>().notice, HasSubstr("so it is after each mending"));
    context.options.force = true;
    EXPECT_EQ(found<InstallEnvironment>().change, Change::change);
}

// What only replaces packages leaves a pod that works.
TEST_F(EnvironmentStep, KeepsWhatCannotBeMendedWhereItWorksAsItIs) {
    make_environment();
    replace_one();
    fs::remove_all(index());
    fs::remove_all(context.places.cache);
    EXPECT_FALSE(done<InstallEnvironment>().changed);
    EXPECT_THAT(notices(), Contains(HasSubstr("could not be made anew, and is kept")));
    fs::remove_all(site() / "one-1.0.dist-info");
    EXPECT_THROW(done<InstallEnvironment>(), Error);
}

TEST_F(EnvironmentStep, OfAServiceIsOneStepForAllThree) {
    EXPECT_EQ(found<BuildEnvironment>().change, Change::create);
    EXPECT_EQ(found<BuildEnvironment>().reason, spec.path.string());
    const auto facts = done<BuildEnvironment>().facts;
    EXPECT_THAT(facts, Contains(Pair("lock", Not(IsEmpty()))));
    EXPECT_THAT(facts, Contains(Pair("inputs", Not(IsEmpty()))));
    EXPECT_EQ(version_of_one(), "2.0");
    EXPECT_EQ(found<BuildEnvironment>().change, Change::keep);
    EXPECT_EQ(found<BuildEnvironment>().reason, "installed");
    const auto first = generation();
    EXPECT_EQ(done<BuildEnvironment>().facts.at("lock"), facts.at("lock"));
    EXPECT_EQ(generation(), first);

    spec.requirement_lines = {"one<2"};
    EXPECT_EQ(found<BuildEnvironment>().reason, "requirements changed");
    done<BuildEnvironment>();
    EXPECT_EQ(version_of_one(), "1.0");
    EXPECT_EQ(found<BuildEnvironment>().change, Change::keep);
}

TEST_F(EnvironmentStep, IsMadeAnewWhenTheImagesPackagesChange) {
    const auto image = make_image();
    spec.settings.interpreter = image.string();
    spec.settings.inherit = true;
    make_environment();
    ASSERT_EQ(found<CreateEnvironment>().change, Change::keep);
    add_distribution(image, "more", "1.0");
    EXPECT_EQ(found<CreateEnvironment>().change, Change::change);
    EXPECT_EQ(found<CreateEnvironment>().reason, "the interpreter or its packages changed");
}

TEST_P(EnvironmentByEach, OfTheSystemIsTheInterpreterItself) {
    const auto image = make_image();
    spec.settings.interpreter = image.string();
    spec.settings.environment = tmpl::EnvironmentKind::system;
    // As python.venv has noted the interpreter before.
    const auto step = step_of(ResolveEnvironment{spec});
    base_of(spec, task_of(step));
    done<ResolveEnvironment>();
    EXPECT_EQ(found<InstallEnvironment>().reason, "packages are to be installed");
    EXPECT_THAT(done<InstallEnvironment>().facts, Contains(Pair("installed", Not(IsEmpty()))));
    EXPECT_EQ(says(image, "import one; print(one.__version__)"), "2.0");
    EXPECT_FALSE(fs::exists(spec.path));
    EXPECT_EQ(found<InstallEnvironment>().change, Change::keep);
    add_distribution(image, "more", "1.0");
    EXPECT_EQ(found<InstallEnvironment>().reason, "packages are to be installed");
}

}  // namespace
}  // namespace podctl::run

#include "podctl/base/error.hpp"

#include "step_test.hpp"
#include "support/set_env.hpp"

#include <cstdlib>

namespace podctl::run {
namespace {

// A package of every machine that these tests run on, and two of none.
constexpr const char* installed = "base-files";
constexpr const char* wanted = "no-such-package";
constexpr const char* other = "no-such-package-either";

// apt-get and apt-cache as scripts that note how they are called. apt-cache knows what is in
// `known`, and `apt-get update` makes that of `offered`.
class PackagesStep : public StepTest {
protected:
    PackagesStep() {
        program("apt-get",
                "echo \"$DEBIAN_FRONTEND $*\" >>calls\n"
                "case \"$*\" in\n"
                "*update) cp offered known ;;\n"
                "*) echo 'E: dpkg was interrupted'; [ ! -e broken ] || exit 100\n"
                "   if [ -e outdated ]; then rm outdated; exit 100; fi ;;\n"
                "esac\n");
        program("apt-cache", "[ \"$1\" = pkgnames ] && grep \"^$2\" known\n");
        write_file_atomically(dir / "known", "");
        write_file_atomically(dir / "offered", std::string{wanted} + "\n" + other + "\n");
    }
    void program(const std::string& name, const std::string& body) const {
        const fs::path file = dir / "bin" / name;
        write_file_atomically(file, "#!/bin/sh\ncd " + dir.path().string() + "\n" + body);
        fs::permissions(file, fs::perms::owner_all);
    }
    void know_packages() const { fs::copy_file(dir / "offered", dir / "known", overwrite); }
    std::string calls() const { return read_file_if_exists(dir / "calls").value_or(""); }
    static std::string call(const std::string& words) {
        return "noninteractive -q -o DPkg::Lock::Timeout=120 " + words + "\n";
    }
    static std::string call_to_install(const std::string& names) {
        return call("install -y --no-install-recommends -- " + names);
    }

    static constexpr auto overwrite = fs::copy_options::overwrite_existing;
    const test::SetEnv path{"PATH", ((dir / "bin").string() + ":" + std::getenv("PATH")).c_str()};
};

TEST_F(PackagesStep, AreKeptWhereAllAreInstalled) {
    const plan::SystemPackages packages{{installed}};
    EXPECT_EQ(look_at(packages).change, Change::keep);
    EXPECT_EQ(look_at(packages).reason, "installed");
    EXPECT_FALSE(bring(packages).changed);
    EXPECT_THAT(calls(), IsEmpty());
}

TEST_F(PackagesStep, AreInstalledAsFarAsTheyAreMissing) {
    know_packages();
    const plan::SystemPackages packages{{wanted, installed, other}};
    EXPECT_EQ(look_at(packages).change, Change::create);
    EXPECT_EQ(look_at(packages).reason, "missing: no-such-package, no-such-package-either");
    EXPECT_THAT(calls(), IsEmpty());
    const auto outcome = bring(packages);
    EXPECT_TRUE(outcome.changed);
    EXPECT_THAT(outcome.facts, IsEmpty());  // dpkg's own record is the one that counts
    EXPECT_EQ(calls(), call_to_install("no-such-package no-such-package-either"));
}

TEST_F(PackagesStep, GetTheListsFirstWhereAnImageHasNone) {
    bring(plan::SystemPackages{{wanted}});
    EXPECT_EQ(calls(), call("update") + call_to_install(wanted));
}

TEST_F(PackagesStep, GetNewListsWhereThoseOfTheImageAreTooOld) {
    know_packages();
    write_file_atomically(dir / "outdated", "");
    EXPECT_TRUE(bring(plan::SystemPackages{{wanted}}).changed);
    EXPECT_EQ(calls(), call_to_install(wanted) + call("update") + call_to_install(wanted));
}

// `name-` would remove a package, and `name+` or a beginning mean others.
TEST_F(PackagesStep, AreRefusedByNameBeforeAptGetsToSeeThem) {
    for (const std::string name : {"no-such", "no-such-package-", "no-such-package+"}) {
        const auto error = error_of([&] { bring(plan::SystemPackages{{wanted, name}}); });
        EXPECT_EQ(error.kind(), ErrorKind::not_found);
        EXPECT_EQ(error.message(), "apt knows no package named " + name);
    }
    EXPECT_EQ(calls(), call("update") + call("update") + call("update"));
}

TEST_F(PackagesStep, ThatCannotBeInstalledTellWhatAptSaid) {
    write_file_atomically(dir / "broken", "");
    const auto error = error_of([&] { bring(plan::SystemPackages{{wanted}}); });
    EXPECT_EQ(error.kind(), ErrorKind::command_failed);
    EXPECT_THAT(error.message(), HasSubstr("apt-get install no-such-package: exit code 100"));
    EXPECT_THAT(error.message(), HasSubstr("E: dpkg was interrupted"));
    const auto log = context.places.logs / "system.packages.log";
    EXPECT_THAT(error.hint(), HasSubstr(log.string()));
    EXPECT_THAT(read_file(log), HasSubstr("E: dpkg was interrupted"));
    // The lists were new already.
    EXPECT_EQ(calls(), call("update") + call_to_install(wanted));
    EXPECT_EQ(look_at(plan::SystemPackages{{wanted}}).change, Change::create);
    fs::remove(dir / "broken");
    EXPECT_TRUE(bring(plan::SystemPackages{{wanted}}).changed);
}

TEST_F(PackagesStep, AreNotBroughtOffline) {
    context.options.offline = true;
    const auto error = error_of([&] { bring(plan::SystemPackages{{installed, wanted}}); });
    EXPECT_EQ(error.kind(), ErrorKind::preflight);
    EXPECT_THAT(error.message(), HasSubstr("system packages are missing: no-such-package"));
    EXPECT_THAT(calls(), IsEmpty());
}

}  // namespace
}  // namespace podctl::run

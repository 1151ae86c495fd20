#include "podctl/base/url.hpp"

#include "requirement.hpp"
#include "wheel_tags.hpp"
#include "world.hpp"

// Requirement lines that lead somewhere: paths, wheels, further indexes.
namespace podctl::python {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Addresses : public World {
protected:
    // The requirements of a pack, which lie in a folder of its own.
    ResolveRequest of_pack(const std::string& text, const std::vector<std::string>& ignore = {}) {
        return {.requirements = {{.file = file("packs/pack/requirements.txt", text),
                                  .label = "node pack",
                                  .inside = dir / "packs/pack",
                                  .ignore = ignore}},
                .scratch = dir / "scratch"};
    }
    std::string place(int line) const {
        return (dir / "packs/pack/requirements.txt").string() + ":" + std::to_string(line);
    }
    Error refusal(const ResolveRequest& request) {
        return error_of([&] { resolved(request); });
    }
    // What it is read as, for the installer.
    std::string read(const std::string& line) {
        const auto found = read_source(of_pack(line).requirements.at(0));
        return found.empty() ? "" : found.at(0).for_installer;
    }
};

INSTANTIATE_TEST_SUITE_P(Installers, Addresses,
                         testing::Values(InstallerKind::uv, InstallerKind::pip), kind_name);

TEST_P(Addresses, AreRelativeToTheFileThatNamesThem) {
    const std::string folder = "file://" + (dir / "packs/pack").string();
    EXPECT_EQ(read("-e file:."), "-e " + folder + "/");
    EXPECT_EQ(read("file:./sub"), folder + "/sub");
    EXPECT_EQ(read("file:sub#egg=x"), folder + "/sub#egg=x");
    EXPECT_EQ(read("sub @ file://./sub"), "sub @ " + folder + "/sub");
}

TEST_P(Addresses, OfPackagesThatAreIgnoredArePassedOver) {
    for (const std::string line :
         {"D:\\wheels\\foo_bar-1.0-cp312-cp312-win_amd64.whl",
          "https://host.invalid/x/foo_bar-1.0-py3-none-any.whl",
          "https://host.invalid/x/foo-bar-1.0.tar.gz", "./foo_bar-1.0-py3-none-any.whl",
          "git+https://host.invalid/o/foo-bar.git@main"})
        EXPECT_THAT(read_source(of_pack(line + "\n", {"Foo.Bar"}).requirements.at(0)),
                    testing::IsEmpty())
            << line;
    EXPECT_THAT(
        refusal(of_pack("D:\\wheels\\foo_bar-1.0-cp312-cp312-win_amd64.whl\n", {"foo"})).message(),
        HasSubstr(place(1)));
}

TEST_P(Addresses, ThatAreRelativeAreInstalled) {
    test::write_wheel(dir / "packs/pack/sub", {"inhouse-tool", "1.0"});
    EXPECT_THAT(requirements_in(resolved(
                    of_pack("inhouse-tool @ file:./sub/inhouse_tool-1.0-py3-none-any.whl\n"))),
                ElementsAre(HasSubstr("inhouse-tool")));
}

TEST_P(Addresses, GoThroughTheMirror) {
    test::write_wheel(dir / "mirror/o/r", {"far", "2.0"});
    settings.mirrors =
        Mirrors{{{"https://github.example/", "file://" + dir.path().string() + "/mirror/"}}};
    const auto pins =
        requirements_in(resolved(of_pack("https://github.example/o/r/far-2.0-py3-none-any.whl\n")));
    EXPECT_THAT(pins, ElementsAre(HasSubstr("/mirror/o/r/far-2.0-py3-none-any.whl")));
}

TEST_P(Addresses, OfAnotherMachineAreToldWithTheirLine) {
    for (const std::string wheel :
         {"https://host.example/x-1.0-cp27-cp27m-linux_x86_64.whl",
          "./x-1.0-py3-none-win_amd64.whl",
          "x @ https://host.example/x-1.0-py3-none-macosx_11_0_arm64.whl"})
        EXPECT_THAT(refusal(of_pack("# mine\n" + wheel + "\n")).message(),
                    AllOf(HasSubstr(place(2)), HasSubstr("for another machine")))
            << wheel;
    EXPECT_THAT(refusal(of_pack("D:\\whl\\x-1.0-py3-none-any.whl\n")).message(),
                AllOf(HasSubstr(place(1)), HasSubstr("under Windows")));
    index({{"attrs", "1.0"}});
    EXPECT_THAT(
        requirements_in(resolved(of_pack("x @ https://host.example/x-1.0-py3-none-win_amd64.whl ; "
                                         "sys_platform == 'win32'\nattrs\n"))),
        ElementsAre("attrs==1.0"));
}

TEST_P(Addresses, OfAPackMayBePassedOver) {
    index({{"attrs", "1.0"}});
    const std::string lines = "attrs\nGone_Package==9\ngit+https://host.example/Segment_Any.git\n";
    EXPECT_THAT(requirements_in(resolved(of_pack(lines, {"gone-package", "segment-any"}))),
                ElementsAre("attrs==1.0"));
}

TEST_P(Addresses, OfAnIndexThatIsAwayFailOnlyWhatItAloneHas) {
    index({{"attrs", "1.0"}});
    std::vector<std::string> notices;
    settings.on_notice = [&](const std::string& text) { notices.push_back(text); };
    settings.environment["UV_HTTP_RETRIES"] = "0";
    settings.environment["PIP_RETRIES"] = "0";
    const std::string lines = "--extra-index-url http://127.0.0.1:1/simple\nattrs\n";
    EXPECT_THAT(requirements_in(resolved(of_pack(lines))), ElementsAre("attrs==1.0"));
    if (installer.kind == InstallerKind::pip) return;  // goes on by itself
    EXPECT_THAT(notices, ElementsAre(AllOf(HasSubstr(place(1)), HasSubstr("127.0.0.1:1/simple"))));
    EXPECT_THAT(refusal(of_pack(lines + "only-there\n")).message(),
                AllOf(HasSubstr(place(3)), HasSubstr(place(1) + ": this index cannot be asked")));
}

TEST_P(Addresses, OfConstraintsThatAreNotThereAreTold) {
    installer.pip_settings["constraint"] = "/nowhere/constraints.txt";
    EXPECT_THAT(refusal(of_pack("attrs\n")).message(),
                AllOf(HasSubstr("/nowhere/constraints.txt"), HasSubstr("PIP_CONSTRAINT")));
}

TEST(ForeignWheels, AreKnownByTheirTags) {
    const auto is_for = [](const std::string& name) {
        return foreign_wheel("https://host/a/" + name + "#sha256=0", "3.11.7").value_or("here");
    };
    EXPECT_EQ(is_for("x-1-py3-none-any.whl"), "here");
    EXPECT_EQ(is_for("x-1-py2.py3-none-any.whl"), "here");
    EXPECT_EQ(is_for("x-1-cp38-abi3-any.whl"), "here");
    EXPECT_EQ(is_for("x-1-1-cp311-cp311-any.whl"), "here");
    EXPECT_EQ(is_for("x.whl"), "here");
    EXPECT_EQ(is_for("x-1-cp312-cp312-any.whl"), "cp312-cp312-any");
    EXPECT_EQ(is_for("x-1-cp310-cp310-any.whl"), "cp310-cp310-any");
    EXPECT_EQ(is_for("x-1-cp312-abi3-any.whl"), "cp312-abi3-any");
    EXPECT_EQ(is_for("x-1-py2-none-any.whl"), "py2-none-any");
    EXPECT_EQ(is_for("x-1-py3-none-win_amd64.whl"), "py3-none-win_amd64");
    EXPECT_EQ(is_for("x-1-py3-none-manylinux_2_17_s390x.whl"), "py3-none-manylinux_2_17_s390x");
}

}  // namespace
}  // namespace podctl::python

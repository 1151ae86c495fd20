#include "pod.hpp"
#include "support/small_disk.hpp"
#include "support/wheels.hpp"

#include <fstream>

// What is found before anything is changed.
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Doctor : public PodTest {
protected:
    Doctor() {
        // pip's own settings would keep podctl from asking the index.
        environment = {{"PIP_CONFIG_FILE", "/dev/null"}, {"PIP_CERT", ""}};
        test::write_index(dir / "index",
                          {{"pypng", "0.20220715.0", {}, {{"png.py", ""}}}, {"humanize", "4.9.0"}});
    }
    static json finding(const Finished& end, const std::string& check) {
        for (const auto& it : end.of("doctor.finding"))
            if (it.value("check", "") == check) return it;
        return {};
    }
    std::vector<std::string> with_index(const std::string& url) const {
        return {"--set", "python.index_url=" + url};
    }

    test::HttpServer index{test::serve_index(dir / "index")};
};

TEST_F(Doctor, TellsThatTheMachineFitsAndChangesNothing) {
    const auto end = run("doctor", with_index(index.url("/")));
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_EQ(finding(end, "python").value("grade", ""), "ok");
    EXPECT_EQ(finding(end, "installer").value("grade", ""), "ok");
    EXPECT_EQ(finding(end, "index").value("grade", ""), "ok");
    EXPECT_EQ(finding(end, "secret CIVITAI_API_KEY").value("grade", ""), "ok");
    EXPECT_EQ(finding(end, "port " + std::to_string(port())).value("grade", ""), "ok");
    EXPECT_EQ(end.of("doctor.finished").at(0).value("fail", -1), 0);
    EXPECT_FALSE(fs::exists(root() / "ComfyUI"));
    EXPECT_FALSE(fs::exists(root() / "venv"));
}

TEST_F(Doctor, TellsEverythingThatIsInTheWayWithItsRemedy) {
    auto more = with_index("http://127.0.0.1:9/simple");
    for (const char* set :
         {"python.interpreter=python9.99", "comfyui.source=http://127.0.0.1:9/a.git"})
        more.insert(more.end(), {"--set", set});
    const auto end = run("doctor", more);
    EXPECT_EQ(end.status.code, 3) << end.output;
    EXPECT_EQ(finding(end, "python").value("grade", ""), "fail");
    EXPECT_THAT(finding(end, "python").value("message", ""), HasSubstr("python9.99"));
    std::vector<std::string> unreachable;
    for (const auto& it : end.of("doctor.finding")) {
        if (it.value("check", "") != "origin" || it.value("grade", "") != "fail") continue;
        unreachable.push_back(it.value("message", ""));
        EXPECT_NE(it.value("remedy", ""), "");
    }
    EXPECT_THAT(unreachable, ElementsAre(HasSubstr("http://127.0.0.1:9")));
}

TEST_F(Doctor, OfAFullDiskIsAFindingAndTheOthersAreToldToo) {
    const test::SmallDisk disk{root()};
    if (!disk.mounted()) GTEST_SKIP() << "no right to mount a tmpfs";
    std::ofstream{root() / "filler"} << std::string(2u << 20, 'x');
    const auto end = run("doctor", with_index(index.url("/")));
    EXPECT_EQ(end.status.code, 3) << end.output;
    EXPECT_EQ(finding(end, "volume speed").value("grade", ""), "fail");
    EXPECT_THAT(finding(end, "volume speed").value("remedy", ""), HasSubstr("free some space"));
    EXPECT_EQ(finding(end, "index").value("grade", ""), "ok");
    EXPECT_GE(end.of("doctor.finished").at(0).value("fail", -1), 1);
}

TEST_F(Doctor, OfAPodThatRunsTakesItsPortsForItsOwn) {
    auto pod = start("up");
    ASSERT_TRUE(pod.wait_for("service.ready"));
    const auto end = run("doctor", with_index(index.url("/")));
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_EQ(finding(end, "port " + std::to_string(port())).value("message", ""),
              "this pod's own, which runs");
    EXPECT_THAT(finding(end, "pod").value("message", ""), HasSubstr("ready"));
    pod.signal(SIGTERM);
    pod.finish();
}

TEST_F(Doctor, PlanDoesNotTellLessThanThereIsAndPreflightAndDoctorAgreeWithIt) {
    write_template(
        "custom_nodes: [{path: not/there}]\n"
        "pod: {image: i, container_disk: 100KB}\n");
    auto more = with_index(index.url("/"));
    more.insert(more.end(),
                {"--set", "models=[{source: \"civitai:1@11\", layout: civitdl}, {source: \"" +
                              index.url("/no-such-model.safetensors") + "\", to: vae}]"});
    environment["CIVITAI_API_KEY"] = "";
    const auto planned = run("plan", more);
    EXPECT_EQ(planned.status.code, 3) << planned.output;
    std::map<std::string, std::string> grades;
    for (const auto& it : planned.of("doctor.finding"))
        grades[it.value("check", "")] = it.value("grade", "");
    EXPECT_EQ(grades["pack there"], "fail");
    EXPECT_EQ(grades["secret CIVITAI_API_KEY"], "warn");
    EXPECT_EQ(grades["container disk"], "fail");
    const auto bill = planned.of("plan.finished").at(0);
    EXPECT_EQ(bill["unknown"]["repositories"], 1) << planned.output;
    EXPECT_EQ(bill["unknown"]["environments"], 1);
    std::string reason;
    for (const auto& it : planned.of("plan.step"))
        if (it.value("step", "").find("no-such-model") != std::string::npos)
            reason = it.value("reason", "");
    EXPECT_THAT(reason, HasSubstr("404"));

    const auto examined = run("doctor", more);
    for (const auto& [check, grade] : grades)
        EXPECT_EQ(finding(examined, check).value("grade", ""), grade) << check;

    const auto refused = provision(more);
    EXPECT_EQ(refused.status.code, 3) << refused.output;
    const auto message = refused.of("step.failed").at(0)["error"].value("message", "");
    EXPECT_THAT(message, HasSubstr("not/there"));
    EXPECT_THAT(message, HasSubstr("pod.container_disk"));
    EXPECT_THAT(refused.output, HasSubstr("secret CIVITAI_API_KEY has no value"));
    EXPECT_FALSE(fs::exists(root() / "ComfyUI"));
}

// Programs that work by path would then work in theirs (docs/volumes.md).
TEST_F(Doctor, WarnsOfARootWhoseOtherUsersMayReplaceWhatPodctlMakes) {
    fs::create_directories(root());
    for (const auto& [mode, grade] : {std::pair{0777u, "warn"}, {01777u, "ok"}, {0755u, "ok"}}) {
        fs::permissions(root(), static_cast<fs::perms>(mode));
        const auto end = run("doctor", with_index(index.url("/")));
        EXPECT_EQ(end.status.code, 0) << end.output;
        EXPECT_EQ(finding(end, "root").value("grade", ""), grade) << std::oct << mode;
    }
}

TEST_F(Doctor, UpFindsAnIndexThatCannotBeReachedBeforeAnythingIsFetched) {
    const auto end = provision(with_index("http://127.0.0.1:9/simple"));
    EXPECT_EQ(end.status.code, 3) << end.output;
    EXPECT_THAT(end.steps("step.failed"), ElementsAre("preflight"));
    EXPECT_THAT(end.of("step.failed").at(0)["error"].value("message", ""),
                HasSubstr("http://127.0.0.1:9/simple"));
    EXPECT_THAT(git_server.http().requests(), IsEmpty());
}

TEST_F(Doctor, ATorchaudioThatDoesNotLoadBesideTheImagesTorchIsTold) {
    test::write_index(dir / "index",
                      {{"torchaudio",
                        "2.11.0",
                        {},
                        {{"torchaudio/__init__.py", "raise OSError('undefined symbol')\n"}}}});
    const fs::path base = dir / "base";
    ASSERT_TRUE(run_command({.argv = {"python3", "-m", "venv", base.string()}}, {}).ok());
    fs::path site;
    for (const auto& entry : fs::directory_iterator{base / "lib"})
        site = entry.path() / "site-packages";
    write_file_atomically(site / "torch.py", "");
    write_file_atomically(site / "torch-2.9.0.dist-info/METADATA",
                          "Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0\n");
    auto more = with_index(index.url("/"));
    for (const std::string& set :
         {"python.interpreter=" + (base / "bin/python").string(),
          std::string{"python.inherit=true"}, std::string{"python.requirements=[torchaudio]"}})
        more.insert(more.end(), {"--set", set});
    const auto end = provision(more);
    EXPECT_EQ(end.status.code, 0) << end.output;
    std::vector<std::string> told;
    for (const auto& notice : end.of("notice"))
        told.push_back(notice.value("message", ""));
    EXPECT_THAT(told, Contains(HasSubstr("torchaudio==2.11.0 beside torch 2.9.0 does not load")));
    EXPECT_THAT(told, Contains(HasSubstr("undefined symbol")));
}

}  // namespace
}  // namespace podctl::e2e

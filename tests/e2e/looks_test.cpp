#include "service_pod.hpp"

#include <sys/resource.h>

// What a stranger's template may do before `up` is said, and who sees a secret after that (spec
// §6).
namespace podctl::e2e {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Put together here, so that no scanner takes this file for a leak.
const std::string token = std::string{"hf_"} + "S3cr3tTokenOfATest0123456789";

class Looks : public testing::Test {
protected:
    Finished look(const std::string& command, const std::string& yaml,
                  const std::vector<std::string>& more = {}) {
        write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: pod\n" + yaml);
        Command made{.argv = {PODCTL_BINARY, command, "pod.yaml", "--root", (dir / "root").string(),
                              "--output", "json"},
                     .working_directory = dir.path()};
        made.argv.insert(made.argv.end(), more.begin(), more.end());
        made.environment = {{"HF_TOKEN", token},
                            {"LICENCE", "l1cence-of-mine"},
                            {"HOME", dir.path().string()},
                            {"PIP_CONFIG_FILE", "/dev/null"}};
        for (const auto& [name, value] : environment)
            made.environment[name] = value;
        return Running{made}.finish();
    }
    // Everything that a server was told, in one text.
    static std::string said_to(const test::HttpServer& server) {
        std::string text;
        for (const auto& request : server.requests()) {
            text += request.method + " " + request.target + "\n";
            for (const auto& [name, value] : request.headers)
                text += name + ": " + value + "\n";
        }
        return text;
    }
    static json finding(const Finished& end, const std::string& check) {
        for (const auto& it : end.of("doctor.finding"))
            if (it.value("check", "") == check) return it;
        return {};
    }

    test::TempDir dir;
    test::HttpServer stranger{[](const test::Request&) { return test::Response{.status = 404}; }};
    std::map<std::string, std::string> environment;
};

TEST_F(Looks, AskATemplatesMirrorWithoutATokenAndTellWhoWillGetIt) {
    const std::string pod =
        "secrets: [HF_TOKEN]\nmodels: [{source: 'hf:o/r/x.safetensors', to: "
        "/workspace/m}]\n";
    const auto by_template = look(
        "plan", pod + "mirrors: {'https://huggingface.co/': '" + stranger.url("/hub/") + "'}\n");
    EXPECT_THAT(said_to(stranger), AllOf(HasSubstr("/hub/o/r"), Not(HasSubstr(token))));
    ASSERT_THAT(by_template.of("plan.finished"), SizeIs(1)) << by_template.output;
    EXPECT_EQ(by_template.of("plan.finished")[0]["secrets"],
              json::parse(R"([{"name": "HF_TOKEN", "origin": ")" + stranger.url() +
                          R"(", "by": "mirror", "mirror_of": "template"}])"));
    EXPECT_THAT(by_template.output, Not(HasSubstr(token)));

    environment["PODCTL_MIRROR"] = "https://huggingface.co/=" + stranger.url("/mine/");
    const auto by_user = look("plan", pod);
    EXPECT_THAT(said_to(stranger), HasSubstr("authorization: Bearer " + token));
    EXPECT_EQ(by_user.of("plan.finished").at(0)["secrets"][0].value("mirror_of", ""), "user");
}

TEST_F(Looks, SendNoVariablesValueToWhatATemplateNames) {
    const std::string host = stranger.url();
    for (const std::string& yaml :
         {"models: [{source: '" + host + "/${LICENCE}/x?b=1', to: /workspace/m}]\n",
          "models: [{source: ' " + host + "/x?b=${LICENCE}', to: /workspace/m}]\n",
          "models: [{source: 'hf:o/${LICENCE}/x.safetensors', to: /workspace/m}]\n"
          "mirrors: {'https://huggingface.co/': '" +
              host + "/'}\n",
          "models: [{source: 'hf:o/r/x.safetensors', to: /workspace/m}]\n"
          "mirrors: {'https://huggingface.co/': '" +
              host + "/${LICENCE}/'}\n",
          "comfyui: {source: '" + host + "/${LICENCE}/c.git'}\npython: {torch: cpu, index_url: '" +
              host + "/simple'}\n",
          "comfyui: {}\npython: {torch: cpu, index_url: '" + host +
              "/${LICENCE}/simple'}\n"
              "mirrors: {'https://github.com/': '" +
              host + "/'}\n",
          "comfyui: {}\npython: {torch: cpu}\nmirrors: {'https://github.com/': '" + host +
              "/'}\n"
              "pod: {env: {PIP_INDEX_URL: '" +
              host + "/${HF_TOKEN}/simple'}}\n"}) {
        for (const char* command : {"validate", "config", "plan", "doctor"}) {
            const auto end = look(command, yaml);
            EXPECT_NE(end.status.code, 2) << command << "\n" << yaml << end.output;
        }
        EXPECT_THAT(said_to(stranger), AllOf(Not(HasSubstr("l1cence")), Not(HasSubstr(token))))
            << yaml;
    }
}

TEST_F(Looks, RefuseASecretInASourceWithItsPlace) {
    for (const char* command : {"validate", "config", "plan", "doctor"}) {
        const auto end =
            look(command, "models: ['" + stranger.url("/x.safetensors?b=${HF_TOKEN}") + "']\n");
        EXPECT_EQ(end.status.code, 2);
        EXPECT_THAT(end.output, AllOf(HasSubstr("pod.yaml:3:10"), Not(HasSubstr(token))));
    }
    EXPECT_THAT(stranger.requests(), IsEmpty());
}

TEST_F(Looks, StartNothingThatATemplateNames) {
    const fs::path trace = dir / "started";
    const auto program = [&](const fs::path& path) {
        write_file_atomically(path, "#!/bin/sh\ntouch " + trace.string() + "\nexit 1\n");
        fs::permissions(path, fs::perms::owner_all);
        return path.string();
    };
    const std::string pod = "comfyui: {}\nmirrors: {'https://github.com/': '" + stranger.url("/") +
                            "'}\npython: {torch: cpu, index_url: '" + stranger.url("/") +
                            "', interpreter: ";
    for (const std::string& named :
         {program(dir / "root/evil.sh"), program(dir / "root/venv/bin/python3")}) {
        const auto end = look("doctor", pod + named + "}\n");
        EXPECT_THAT(finding(end, "python").value("message", ""), HasSubstr("was not started"))
            << end.output;
    }
    // What PATH has is no Python because the template says so, nor is what stands on the volume.
    program(dir / "bin/reboot");
    program(dir / "root/bin/python3");
    program(dir / "root/bin/uv");
    environment["PATH"] =
        (dir / "bin").string() + ":" + (dir / "root/bin").string() + ":" + std::getenv("PATH");
    for (const char* named : {"reboot", "auto", "python3"})
        look("doctor", pod + named + "}\n");
    for (const char* command : {"validate", "config", "plan"})
        look(command, pod + "reboot}\nservices: [{name: a, command: ['" +
                          (dir / "bin/reboot").string() + "']}]\n");
    EXPECT_FALSE(fs::exists(trace));
}

TEST_F(Looks, TellWhereASecretWasFound) {
    environment["HF_TOKEN"] = "";
    environment["HUGGING_FACE_HUB_TOKEN"] = "";
    write_file_atomically(dir / ".cache/huggingface/token", token);
    const std::string mirror =
        "mirrors: {'https://huggingface.co/': '" + stranger.url("/") + "'}\n";
    const auto listed = look("doctor", "secrets: [HF_TOKEN]\n" + mirror);
    EXPECT_THAT(finding(listed, "secret HF_TOKEN").value("message", ""),
                HasSubstr((dir / ".cache/huggingface/token").string()));
    EXPECT_THAT(said_to(stranger), Not(HasSubstr(token)));
}

TEST_F(Looks, HideAlsoWhatIsNotListed) {
    environment["RUNPOD_API_KEY"] = "rpa-0123456789";
    for (const char* command : {"config", "plan", "doctor"}) {
        const auto end =
            look(command, "models:\n  - {source: '" + stranger.url("/x?id=rpa-0123456789") +
                              "', to: /workspace/m}\n  - {source: '" +
                              stranger.url("/y?X-Amz-Signature=s1gned") +
                              "', to: /workspace/m, name: y.safetensors}\n");
        EXPECT_THAT(end.output, AllOf(Not(HasSubstr("rpa-0123")), Not(HasSubstr("s1gned"))))
            << command;
    }
}

class LeastPrivilege : public ServicePodTest {
protected:
    Command up_command(const std::vector<std::string>& more = {}) const {
        auto made = command(up(more));
        made.environment = {{"HF_TOKEN", token},
                            {"LICENCE", "l1cence-of-mine"},
                            {"RUNPOD_API_KEY", "rpa-0123456789"},
                            {"HARMLESS", "harmless"}};
        return made;
    }
    // A service that writes `what` into a file of its name, and ends.
    std::string writer(const std::string& name, const std::string& what,
                       const std::string& more = "") const {
        return fmt::format(
            "  - {{name: {0}, command: [sh, -c, \"{1} > {2}/{0}\"], restart: never{3}}}\n", name,
            what, dir.path().string(), more);
    }
    std::string seen_by(const std::string& name) const { return read_file(dir / name); }
};

TEST_F(LeastPrivilege, AServiceGetsWhatIsListedAndNothingElse) {
    write_template(writer("all", "env") + writer("one", "env", ", secrets: [LICENCE]") +
                       writer("none", "env", ", secrets: [], env: {MY_KEY: 'x${HF_TOKEN}'}"),
                   "secrets: [HF_TOKEN, LICENCE]\n");
    const auto end = Running{up_command()}.finish();
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_THAT(seen_by("all"),
                AllOf(HasSubstr("HF_TOKEN=" + token), HasSubstr("LICENCE=l1cence-of-mine"),
                      HasSubstr("HARMLESS=harmless"), Not(HasSubstr("rpa-0123"))));
    EXPECT_THAT(seen_by("one"), AllOf(HasSubstr("LICENCE="), Not(HasSubstr(token))));
    EXPECT_THAT(seen_by("none"), AllOf(HasSubstr("MY_KEY=x" + token), Not(HasSubstr("l1cence")),
                                       Not(HasSubstr("\nHF_TOKEN="))));
}

TEST_F(LeastPrivilege, NoServicesWordsShowASecretThatIsNotListed) {
    write_template("  - {name: a, command: [sh, -c, \"cat " + (dir / "words").string() +
                   "\"], restart: never}\n");
    // As a service that was told by a file; in base64 as well.
    write_file_atomically(dir / "words", "key rpa-0123456789\nbasic cnBhLTAxMjM0NTY3ODk=\n");
    const auto end = Running{up_command()}.finish();
    const auto log = read_file(own_folder(root()) / "logs/a.log");
    EXPECT_THAT(log, HasSubstr("key ***"));
    for (const auto& text : {end.output, log}) {
        EXPECT_THAT(text, AllOf(Not(HasSubstr("rpa-0123")), Not(HasSubstr("cnBhLTAxMjM0NTY3"))));
    }
}

TEST_F(LeastPrivilege, LeavesNoCoreDump) {
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_CORE, &limit);
    const std::string look = "ulimit -c; cat /proc/self/coredump_filter; true";
    write_template(writer("a", "{ " + look + "; }"));
    // AddressSanitizer takes the limit away by itself, or it would write out its shadow memory.
    const auto run = [&](const std::vector<std::string>& more) {
        auto made = up_command(more);
        made.environment["ASAN_OPTIONS"] = "disable_coredump=0";
        Running{made}.finish();
    };
    run({});
    EXPECT_THAT(seen_by("a"), testing::StartsWith("0\n00000000\n"));
    if (limit.rlim_max == 0) GTEST_SKIP() << "no core dump is allowed here";
    run({"--debug"});
    EXPECT_THAT(seen_by("a"), Not(testing::StartsWith("0\n")));
}

// A pack whose build and whose install.py write down what they see.
class Builds : public PodTest {
protected:
    static std::string note(const fs::path& file) {
        return "import os\nopen('" + file.string() +
               "', 'w').write('\\n'.join(k + '=' + v for k, v in os.environ.items()))\n";
    }
    // `python` are further keys of that section.
    Finished provision_with(const std::string& python, const std::string& more = "") {
        publish_pack("noting", "NODE_CLASS_MAPPINGS = {}\n",
                     {{"install.py", note(dir / "install.env")}});
        write_template("custom_nodes: [https://github.com/comfyanonymous/noting.git]\n" + more);
        auto text = read_file(dir / "pod.yaml");
        text.insert(text.find("python: {") + 9, python);
        write_file_atomically(dir / "pod.yaml", text);
        environment.insert({{"RUNPOD_API_KEY", "rpa-0123456789"}, {"LICENCE", "l1cence-of-mine"}});
        return provision();
    }
};

TEST_F(Builds, AndInstallScriptsSeeNoSecret) {
    const auto end =
        provision_with("", "pod: {env: {MINE: 'x-${RUNPOD_API_KEY}', PLAIN: plain}}\n");
    EXPECT_EQ(end.status.code, 0) << end.output;
    EXPECT_THAT(read_file(dir / "install.env"),
                AllOf(HasSubstr("PLAIN=plain"), HasSubstr("LICENCE="), Not(HasSubstr("rpa-0123")),
                      Not(HasSubstr("CIVITAI_API_KEY"))));
}

TEST_F(Builds, SeeTheSecretsThatAreListedForThem) {
    EXPECT_EQ(provision_with("build_secrets: [CIVITAI_API_KEY], ").status.code, 0);
    EXPECT_THAT(read_file(dir / "install.env"),
                AllOf(HasSubstr("CIVITAI_API_KEY="), Not(HasSubstr("rpa-0123"))));
}

TEST_F(Builds, OfASourceDistributionSeeNoSecret) {
    publish_pack("sdist", "NODE_CLASS_MAPPINGS = {}\n",
                 {{"requirements.txt", "./built\n"},
                  {"built/pyproject.toml",
                   "[build-system]\nrequires = []\nbuild-backend = "
                   "\"backend\"\nbackend-path = [\".\"]\n"},
                  {"built/backend.py", note(dir / "build.env") + "raise SystemExit(1)\n"}});
    write_template("custom_nodes: [https://github.com/comfyanonymous/sdist.git]\n");
    environment.insert({{"RUNPOD_API_KEY", "rpa-0123456789"}, {"LICENCE", "l1cence-of-mine"}});
    EXPECT_EQ(provision().status.code, 4);
    EXPECT_THAT(read_file(dir / "build.env"),
                AllOf(HasSubstr("LICENCE="), Not(HasSubstr("rpa-0123")),
                      Not(HasSubstr("CIVITAI_API_KEY"))));
}

}  // namespace
}  // namespace podctl::e2e

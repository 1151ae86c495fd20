#include "support.hpp"

namespace podctl::tmpl::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Validation, NeedsAVersionAndAName) {
    EXPECT_THAT(faults_of_text("pod: {}\n"),
                ElementsAre("pod.yaml:1:1: apiVersion: is missing; allowed: podctl/v1",
                            HasSubstr("name: is missing; allowed: lower-case letters")));
    EXPECT_THAT(faults_of_text("apiVersion: podctl/v2\nname: pod\n"),
                ElementsAre("pod.yaml:1:13: apiVersion: found 'podctl/v2'; allowed: podctl/v1, did "
                            "you mean 'podctl/v1'?"));
    EXPECT_THAT(faults_of_text("apiVersion:\nname: pod\n"),
                ElementsAre(HasSubstr("apiVersion: found nothing")));
}

TEST(Validation, WantsADnsLabelForAName) {
    for (const char* name : {"Pod", "a_b", "-a", "a-", "''", "a.b", "ä"}) {
        EXPECT_THAT(faults_of_text(std::string("apiVersion: podctl/v1\nname: ") + name + "\n"),
                    ElementsAre(HasSubstr("name: found")))
            << name;
    }
    EXPECT_THAT(faults_of_text("apiVersion: podctl/v1\nname: " + std::string(64, 'a') + "\n"),
                SizeIs(1));
    EXPECT_THAT(faults_of_text("apiVersion: podctl/v1\nname: " + std::string(63, 'a') + "\n"),
                IsEmpty());
}

TEST(Validation, SaysWhereAKeyBelongs) {
    EXPECT_THAT(
        faults("image: x\n"),
        ElementsAre("pod.yaml:3:1: image: is no key of a pod template; it is a key of pod"));
    EXPECT_THAT(faults("comfyui: {sha256: x}\n"),
                ElementsAre(HasSubstr("it is a key of models[]")));
    EXPECT_THAT(faults("smoke: {zzz: x}\n"), ElementsAre(HasSubstr("allowed: workflow, timeout")));
}

TEST(Validation, SaysWhichKindOfValueItFound) {
    EXPECT_THAT(faults("models: hf:a/b/c\n"),
                ElementsAre(HasSubstr("models: found 'hf:a/b/c'; allowed: a list")));
    EXPECT_THAT(faults("pod: [a]\n"),
                ElementsAre(HasSubstr("pod: found a list; allowed: a mapping")));
    EXPECT_THAT(faults("pod: {image: {a: b}}\n"),
                ElementsAre(HasSubstr("pod.image: found a mapping")));
    EXPECT_THAT(faults("pod: {command: [a, ]}\npython: {requirements: [~]}\n"),
                ElementsAre(HasSubstr("found nothing")));
    EXPECT_THAT(faults("pod: {env: {A: }}\n"), ElementsAre(HasSubstr("has no value; write \"\"")));
    EXPECT_THAT(faults("pod: {image: true}\n"),
                ElementsAre(HasSubstr("quote it if text is meant")));
}

TEST(Validation, HoldsIntegersToTheirRange) {
    for (const char* port :
         {"0", "65536", "-1", "9e3", "1.5", "0x10", "010", "''", "99999999999999999999", "[1]"}) {
        EXPECT_THAT(faults(std::string("comfyui: {port: ") + port + "}\n"),
                    ElementsAre(HasSubstr("an integer from 1 to 65535")))
            << port;
    }
    EXPECT_THAT(faults("comfyui: {port: 65535}\npod: {gpu: {count: 0}}\n"),
                ElementsAre(HasSubstr("pod.gpu.count")));
}

TEST(Validation, HoldsSizesAndDurationsToTheirUnits) {
    for (const char* size : {"100", "12G B", "-1GB", "GB", "1XB", "99999999TB"}) {
        EXPECT_THAT(faults(std::string("pod: {container_disk: ") + size + "}\n"),
                    ElementsAre(HasSubstr("a size with its unit")))
            << size;
    }
    for (const char* duration : {"120", "0s", "-1s", "1d", "soon", "''"}) {
        EXPECT_THAT(faults(std::string("smoke: {timeout: ") + duration + "}\n"),
                    ElementsAre(HasSubstr("a duration with its unit")))
            << duration;
    }
}

TEST(Validation, TakesTrueAndFalseAlone) {
    for (const char* word : {"yes", "on", "1", "'no'", "[]"}) {
        EXPECT_THAT(faults(std::string("python: {inherit: ") + word + "}\n"),
                    ElementsAre(HasSubstr("true or false")))
            << word;
    }
    EXPECT_FALSE(parse("python: {inherit: False}\n").python.inherit);
}

TEST(Validation, AllowsTenDifferentHttpPorts) {
    EXPECT_THAT(faults("pod: {ports: {http: [1,2,3,4,5,6,7,8,9,10,11]}}\n"),
                ElementsAre(HasSubstr("has 11 items; at most 10")));
    EXPECT_THAT(faults("pod: {ports: {http: [1, 2, 1]}}\n"),
                ElementsAre(HasSubstr(
                    "pod.ports.http[2]: found '1' again; pod.ports.http[0] has it, too")));
    EXPECT_THAT(faults("pod: {ports: {tcp: [22, 70000]}}\n"),
                ElementsAre(HasSubstr("pod.ports.tcp[1]")));
}

TEST(Validation, WantsAnAbsoluteMount) {
    for (const char* mount : {"workspace", "/", "/..", "''", "~/x", "\"/a\\u0001\""}) {
        EXPECT_THAT(faults(std::string("pod: {volume: {mount: ") + mount + "}}\n"),
                    ElementsAre(HasSubstr("pod.volume.mount")))
            << mount;
    }
}

TEST(Validation, KeepsEveryPathInTheMount) {
    for (const char* path : {"../x", "a/../../x", "/etc", "/workspaces/x", "~/x", "''", ".podctl",
                             "a/../.podctl/x", "/workspace/.podctl", "\"a\\nb\"", "."}) {
        const std::string yaml = std::string("comfyui: {path: ") + path + "}\n";
        EXPECT_THAT(faults(yaml), ElementsAre(HasSubstr("comfyui.path: found"))) << path;
    }
    EXPECT_THAT(faults("comfyui: {path: /workspace/a/../b}\npython: {path: ./x/../y}\n"),
                IsEmpty());
    EXPECT_THAT(faults("pod: {volume: {mount: /data}}\ncomfyui: {path: /data/x}\npython: {path: "
                       "/workspace/venv}\n"),
                ElementsAre(HasSubstr(
                    "python.path: found '/workspace/venv' (it is outside the mount '/data')")));
}

TEST(Validation, KeepsFilesOfRequirementsInTheMount) {
    EXPECT_THAT(
        faults("python: {requirements: [../r.txt, /etc/r.txt, a/r.txt, 'numpy<2', '-r x', 'a @ "
               "https://h.example/../x']}\n"),
        ElementsAre(HasSubstr("python.requirements[0]"), HasSubstr("python.requirements[1]"),
                    HasSubstr("options of pip have keys of their own")));
    EXPECT_THAT(faults("smoke: {workflow: ../x.json}\nservices: [{name: a, command: [x], cwd: "
                       "/tmp, requirements: [/r.txt]}]\n"),
                SizeIs(3));
}

TEST(Validation, KnowsTheWaysToReachARepository) {
    for (const char* url :
         {"https://h.example/a/b.git", "http://h.example/a", "ssh://git@h.example/a/b",
          "git@h.example:a/b.git", "file:///srv/a.git", "/srv/a.git", "./a.git", "repos/a"}) {
        EXPECT_THAT(faults(std::string("comfyui: {source: '") + url + "'}\n"), IsEmpty()) << url;
    }
    for (const char* url : {"ftp://h.example/a", "git://h.example/a", "https://",
                            "https://h.example", "github.com/a/b", "../../a", "-x", "comfyui-pack",
                            "a b", "git@h.example:", "ext::sh -c x"}) {
        EXPECT_THAT(faults(std::string("comfyui: {source: '") + url + "'}\n"),
                    ElementsAre(HasSubstr("comfyui.source: found")))
            << url;
    }
}

// What nobody can ask would otherwise be found out when the pod is brought up.
TEST(Validation, KnowsHostsThatNobodyCanAsk) {
    for (const std::string host : {"a~b", "exam%70le.com", "b\xC3\xBC\x63her.de", "a+b", "a..b",
                                   "[fe80::1%25eth0]", "us er@h"}) {
        for (const std::string& line :
             {"comfyui: {source: 'https://" + host + "/x/y.git'}\n",
              "repositories: [{git: 'ssh://" + host + "/x/y.git'}]\n",
              "comfyui: {}\ncustom_nodes: ['https://" + host + "/x/y']\n",
              "python: {index_url: 'https://" + host + "/simple'}\n",
              "python: {extra_index_urls: ['http://" + host + "/simple']}\n",
              "mirrors: {'https://h.example/': 'http://" + host + "/'}\n",
              "mirrors: {'https://" + host + "/': 'http://h.example/'}\n"}) {
            const auto found = faults(line);
            ASSERT_EQ(found.size(), 1u) << line;
            EXPECT_THAT(found[0], testing::StartsWith("pod.yaml:")) << line;
        }
    }
    EXPECT_EQ(faults("repositories: [{git: 'git@a~b:x/y.git'}]\n").size(), 1u);
    EXPECT_EQ(faults("comfyui: {listen: 'a..b'}\n").size(), 1u);
    EXPECT_EQ(faults("comfyui: {listen: '0.0.0.0,fe80::1%eth0'}\n").size(), 1u);
    EXPECT_THAT(faults("comfyui: {listen: '0.0.0.0,::'}\nrepositories: [{git: "
                       "'git@github.com:x/y.git'}, {git: 'ssh://git@h.example:22/z'}]\n"),
                testing::IsEmpty());
}

TEST(Validation, HoldsTextToItsFormat) {
    EXPECT_THAT(faults("secrets: [1A, a-b, OK_1]\n"), SizeIs(2));
    EXPECT_THAT(faults("system_packages: [libgl1, g++, 'libc6:i386', 'libstdc++6', a2, "
                       "'xz:kfreebsd-amd64']\n"),
                IsEmpty());
    // apt-get would remove, choose a release or a version, take a glob, a file or an option.
    for (const char* name :
         {"-y", "a b", "openssh-client-", "bash:amd64-", "bash=1.0", "bash=1-", "bash/stable",
          "lib*", "./evil.deb", "lib.*x", "Bash", "x", "a_b", "bash:", "^bash$", "x;id"})
        EXPECT_THAT(faults(std::string{"system_packages: ['"} + name + "']\n"), SizeIs(1)) << name;
    EXPECT_THAT(
        faults("comfyui: {ref: '-x'}\nrepositories: [{git: https://h.example/a, ref: 'a..b'}]\n"),
        SizeIs(2));
    EXPECT_THAT(
        faults("python: {torch: cu12, index_url: pypi.org, extra_index_urls: ['https://']}\n"),
        SizeIs(3));
    EXPECT_THAT(faults("mirrors: {github.com: 'https://m.example/', 'https://a.example/': '', "
                       "'https://b.example/': 'https://m.example'}\n"),
                SizeIs(3));
    EXPECT_THAT(faults("mirrors: {'https://a.example/': 'file:///srv/a/', 'https://b.example/': "
                       "/srv/b/, 'https://c.example/': 'git@c.example:'}\n"),
                IsEmpty());
    EXPECT_THAT(faults("services: [{name: a, command: [x], port: 1, ready: {http: health}}]\n"),
                ElementsAre(HasSubstr("begin with a slash")));
    EXPECT_THAT(faults("pod: {image: 'a b', env: {'A=B': x, 'A B': y}}\n"), SizeIs(3));
}

TEST(Validation, WantsACommandOfEveryService) {
    EXPECT_THAT(
        faults("services: [{name: a, command: []}, {name: b}, {name: c, command: run.sh}]\n"),
        ElementsAre(HasSubstr("services[0].command: is empty"),
                    HasSubstr("services[1].command: is missing"),
                    HasSubstr("services[2].command: found 'run.sh'; allowed: a list: [ITEM")));
}

}  // namespace
}  // namespace podctl::tmpl::test

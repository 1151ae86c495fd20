#include "support.hpp"

namespace podctl::tmpl::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Folders, BelongToOneOwner) {
    EXPECT_THAT(
        faults("comfyui: {path: app}\nrepositories: [{git: https://h.example/a, path: ./app/}]\n"),
        ElementsAre(HasSubstr("repositories[0].path: found './app/', which is the folder of "
                              "comfyui.path (line 3), too")));
    EXPECT_THAT(
        faults("repositories: [{git: https://h.example/a}, {git: https://h.example/x/a.git}]\n"),
        ElementsAre(HasSubstr("repositories[1]: found")));
    EXPECT_THAT(faults("repositories: [{git: https://h.example/venv}]\n"),
                ElementsAre(HasSubstr("the folder of python.path")));
    EXPECT_THAT(
        faults("python: {environment: system}\nrepositories: [{git: https://h.example/venv}]\n"),
        IsEmpty());
    EXPECT_THAT(faults("comfyui: {path: venv}\n"),
                ElementsAre(HasSubstr("python.path: found 'venv'")));
}

TEST(Folders, MayLieInAnother) {
    EXPECT_THAT(
        faults("comfyui: {path: app/ComfyUI}\nrepositories: [{git: https://h.example/app}]\n"),
        IsEmpty());
}

TEST(Folders, NeedANameThatTheUrlMayNotGive) {
    EXPECT_THAT(faults("repositories: [{git: 'https://h.example/.git'}]\n"),
                ElementsAre(HasSubstr("names no folder to clone into")));
}

TEST(Models, NeedAWordForPickles) {
    EXPECT_THAT(faults("comfyui: {}\nmodels: ['hf:a/b/c.BIN', {source: "
                       "'https://h.example/x.pt?download=true', to: x}, {source: 'civitai:1', "
                       "name: a.ckpt}]\n"),
                ElementsAre(HasSubstr("models[0]: found 'hf:a/b/c.BIN', a pickle"),
                            HasSubstr("models[1]"), HasSubstr("models[2]: found 'a.ckpt'")));
    EXPECT_THAT(faults("comfyui: {}\nmodels: [{source: 'hf:a/b/c.bin', pickle: allow}, {source: "
                       "'https://h.example/x.pt', to: x, unpack: true}]\n"),
                IsEmpty());
    EXPECT_THAT(faults("comfyui: {}\nmodels: [{source: 'hf:a/b/c.bin', pickle: yes}]\n"),
                ElementsAre(HasSubstr("models[0].pickle: found 'yes'; allowed: allow")));
    EXPECT_THAT(faults("comfyui: {}\nmodels: [{source: 'hf:a/b/c.bin', name: c.safetensors}]\n"),
                ElementsAre(HasSubstr("a pickle")));
}

TEST(Models, GoToOneFileEach) {
    EXPECT_THAT(
        faults("comfyui: {}\nmodels:\n  - {source: 'https://h.example/1', to: loras, name: "
               "a.safetensors}\n"
               "  - {source: 'https://h.example/2', to: ./x/../loras/, name: a.safetensors}\n"),
        ElementsAre(HasSubstr("models[1]: goes to the same file as models[0] (line 5)")));
    EXPECT_THAT(
        faults("comfyui: {}\nmodels: [{source: 'hf:a/b/c.gguf', to: unet}, {source: "
               "'https://h.example/c', to: /workspace/ComfyUI/models/unet, name: c.gguf}]\n"),
        SizeIs(1));
    EXPECT_THAT(faults("comfyui: {}\nmodels: ['civitai:1', 'civitai:1']\n"), SizeIs(1));
    EXPECT_THAT(faults("comfyui: {}\nmodels: [{source: 'civitai:1', to: a}, {source: 'civitai:1', "
                       "to: b}, {source: 'civitai:2', to: a}]\n"),
                IsEmpty());
}

TEST(Models, GoUnderComfyUiOrIntoTheMount) {
    for (const char* to :
         {"../x", "/etc", "models/loras", "~/x", "''", ".podctl/x", "/workspace/.podctl"}) {
        EXPECT_THAT(
            faults(std::string("comfyui: {}\nmodels: [{source: 'civitai:1', to: ") + to + "}]\n"),
            ElementsAre(HasSubstr("models[0].to: found")))
            << to;
    }
    for (const char* name : {"a/b", "..", ".hidden", "-x", "''"}) {
        EXPECT_THAT(faults(std::string("comfyui: {}\nmodels: [{source: 'civitai:1', name: ") +
                           name + "}]\n"),
                    ElementsAre(HasSubstr("models[0].name: found")))
            << name;
    }
}

TEST(Models, NeedAnAbsoluteFolderWithoutComfyUi) {
    EXPECT_THAT(faults("models: ['civitai:1', {source: 'civitai:2', to: loras}, {source: "
                       "'civitai:3', to: /workspace/m}]\n"),
                ElementsAre(HasSubstr("models[0].to: is missing; without `comfyui`"),
                            HasSubstr("models[1].to: found 'loras'; without `comfyui`")));
}

TEST(Models, WantSixtyFourHexDigits) {
    EXPECT_THAT(faults("comfyui: {}\nmodels: [{source: 'civitai:1', sha256: abc}, {source: "
                       "'civitai:2', sha256: xyz}]\n"),
                ElementsAre(HasSubstr("found 'abc' (it has 3 digits); allowed: 64 hex digits"),
                            HasSubstr("other characters")));
}

TEST(Nodes, ComeFromExactlyOnePlace) {
    EXPECT_THAT(
        faults("comfyui: {}\ncustom_nodes: [{}, {git: https://h.example/a, path: b}, {ref: x}]\n"),
        ElementsAre(HasSubstr("custom_nodes[0]: found 0 of git, registry, path; exactly one"),
                    HasSubstr("custom_nodes[1]: found 2"), HasSubstr("custom_nodes[2]: found 0")));
    EXPECT_THAT(
        faults("comfyui: {}\ncustom_nodes: [{git: https://h.example/a, version: '1'}, {registry: "
               "b, ref: x}]\n"),
        ElementsAre(HasSubstr("custom_nodes[0].version: found '1'; it goes with `registry`"),
                    HasSubstr("custom_nodes[1].ref")));
}

TEST(Nodes, HaveNamesThatDifferInMoreThanCase) {
    EXPECT_THAT(faults("comfyui: {}\ncustom_nodes: [https://h.example/a/Pack.git, {registry: "
                       "pack}, {path: x/PACK/}]\n"),
                ElementsAre(HasSubstr("custom_nodes[1]: has the name of custom_nodes[0] (line 4)"),
                            HasSubstr("custom_nodes[2]")));
    EXPECT_THAT(faults("comfyui: {}\ncustom_nodes: [https://h.example/a/Pack.git, {git: "
                       "https://h.example/b/Pack.git, name: Pack2}]\n"),
                IsEmpty());
    EXPECT_EQ(
        parse("comfyui: {}\ncustom_nodes: [{git: https://h.example/b/Pack.git, name: Pack2}]\n")
            .custom_nodes[0]
            .name,
        "Pack2");
    EXPECT_THAT(faults("comfyui: {}\ncustom_nodes: ['https://h.example/.git']\n"),
                ElementsAre(HasSubstr("custom_nodes[0].name: is missing")));
}

TEST(Nodes, NeedComfyUi) {
    EXPECT_THAT(faults("custom_nodes: [https://h.example/a]\n"),
                ElementsAre(HasSubstr("custom nodes need ComfyUI")));
}

TEST(Nodes, AreNoBareWords) {
    EXPECT_THAT(faults("comfyui: {}\ncustom_nodes: [comfyui-impact-pack]\n"),
                ElementsAre(HasSubstr("a registry id is written {registry: ID}")));
}

TEST(Nodes, OfThePodsOwnWantAnEnvironmentThatIsToo) {
    const std::string own = "comfyui: {}\npod: {shared: {custom_nodes: false}}\n";
    EXPECT_THAT(faults(own + "python: {disk: volume}\n"),
                ElementsAre(HasSubstr("python.disk: found 'volume'; packs of the pod's own")));
    EXPECT_THAT(faults(own + "python: {disk: container}\n"), IsEmpty());
    EXPECT_THAT(faults("comfyui: {}\npod: {shared: {output: false}}\npython: {disk: volume}\n"),
                IsEmpty());
}

TEST(Services, HaveNamesAndPortsOfTheirOwn) {
    EXPECT_THAT(
        faults("services:\n  - {name: a, command: [x], port: 1}\n  - {name: a, command: [x], port: "
               "1}\n"),
        ElementsAre(
            HasSubstr("services[1].name: found 'a', the name of services[0].name (line 4), too"),
            HasSubstr("services[1].port: found '1', the port of services[0].port")));
    EXPECT_THAT(faults("comfyui:\nservices: [{name: a, command: [x], port: 9000}]\n"),
                ElementsAre(HasSubstr("the port of comfyui.port, too")));
    EXPECT_THAT(faults("services: [{name: comfyui, command: [x]}]\n"),
                ElementsAre(HasSubstr("ComfyUI's own")));
    EXPECT_THAT(faults("services: [{name: podctl, command: [x]}]\n"),
                ElementsAre(HasSubstr("podctl's own")));
}

TEST(Services, WaitForServicesThatExist) {
    EXPECT_THAT(faults("services: [{name: worker, command: [x], after: [workr]}]\n"),
                ElementsAre(HasSubstr("services[0].after[0]: found 'workr', which is no service "
                                      "here, did you mean 'worker'?")));
    EXPECT_THAT(faults("services: [{name: a, command: [x], after: [comfyui]}]\n"),
                ElementsAre(HasSubstr("found 'comfyui', which is no service here; allowed: a")));
    EXPECT_THAT(faults("comfyui: {}\nservices: [{name: a, command: [x], after: [comfyui, b]}, "
                       "{name: b, command: [x]}]\n"),
                IsEmpty());
}

TEST(Services, DoNotWaitInACircle) {
    EXPECT_THAT(faults("services:\n  - {name: a, command: [x], after: [b]}\n  - {name: b, command: "
                       "[x], after: [c]}\n  - {name: c, command: [x], after: [b]}\n"),
                ElementsAre(AllOf(HasSubstr("circle: "), HasSubstr("b → c → b"))));
    EXPECT_THAT(faults("services: [{name: a, command: [x], after: [a]}]\n"),
                ElementsAre(HasSubstr("a → a")));
}

TEST(Services, NeedAPortToBeAskedByHttp) {
    EXPECT_THAT(faults("services: [{name: a, command: [x], ready: {http: /}}]\n"),
                ElementsAre(HasSubstr("has no `port` to ask")));
}

}  // namespace
}  // namespace podctl::tmpl::test

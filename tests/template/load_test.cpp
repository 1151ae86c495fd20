#include "podctl/template/load.hpp"

#include "support.hpp"
#include "support/temp_dir.hpp"

#include <fstream>

namespace podctl::tmpl::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr auto contract = R"(apiVersion: podctl/v1
name: ik-comfy-instance
pod:
  image: runpod/foocus:2.5.3
  command: []
  container_disk: 100GB
  volume: {name: TestStorage, mount: /workspace}
  ports: {http: [3000, 8888, 2999, 7777, 8889, 9000, 9001, 9002, 9003, 9004], tcp: [22]}
  env: {PYTHONUNBUFFERED: "1"}
  gpu: {count: 1, min_vram: 12GB}
secrets: [CIVITAI_API_KEY, HF_TOKEN]
system_packages: [libgl1, libglib2.0-0]
repositories:
  - {git: https://github.com/synthhaven/learn_comfyui_apps.git, path: learn_comfyui_apps}
python:
  interpreter: auto
  environment: venv
  path: venv
  inherit: true
  installer: auto
  torch: cu128
  requirements: ["websocket-client>=1.6"]
  overrides: []
comfyui:
  source: https://github.com/comfyanonymous/ComfyUI.git
  ref: v0.3.64
  path: learn_comfyui_apps/ComfyUI
  port: 9000
  listen: 0.0.0.0
  ready_timeout: 10m
  progress_page: true
  cors: "*"
  vram: gpu-only
  args: [--preview-method, auto]
models:
  - https://civitai.com/models/299933/halcyon-sdxl-photorealism?modelVersionId=610541
  - source: hf:InstantX/InstantID@57b32dfee076092ad2930c71fd6d439c2c3b1820/ip-adapter.bin
    to: instantid
    name: ip-adapter.bin
    sha256: 02B3618E36D803784166660520098089A81388E61A93EF8002AA79A5B1C546E1
    layout: flat
    unpack: false
    pickle: allow
    optional: true
custom_nodes:
  - https://github.com/cubiq/ComfyUI_IPAdapter_plus.git
  - {git: https://github.com/ltdrdata/ComfyUI-Impact-Pack.git, ref: "8.22", submodules: false, install_script: false}
  - {registry: comfyui-inspire-pack, version: "1.21"}
  - {path: learn_comfyui_apps/comfy_to_ui_extension}
services:
  - name: photomaker
    command: [python, app.py]
    cwd: learn_comfyui_apps/app
    requirements: [learn_comfyui_apps/requirements.txt]
    port: 9002
    after: [comfyui]
    restart: always
    ready: {http: /, timeout: 90s}
    env: {MODE: fast}
smoke: {workflow: learn_comfyui_apps/smoke.json, timeout: 2m}
mirrors:
  https://github.com/: https://git.example/github/
)";

Template contract_template() {
    return parse_template(contract, "pod.yaml", options());
}

TEST(Load, ReadsThePodOfTheContract) {
    const Template read = contract_template();
    EXPECT_EQ(read.name, "ik-comfy-instance");
    EXPECT_EQ(read.pod.image, "runpod/foocus:2.5.3");
    EXPECT_EQ(read.pod.container_disk, Bytes{100'000'000'000});
    EXPECT_EQ(read.pod.volume.name, "TestStorage");
    EXPECT_EQ(read.pod.volume.mount, "/workspace");
    EXPECT_THAT(read.pod.http_ports, SizeIs(10));
    EXPECT_THAT(read.pod.tcp_ports, ElementsAre(22));
    EXPECT_EQ(read.pod.env.at("PYTHONUNBUFFERED"), "1");
    ASSERT_TRUE(read.pod.gpu);
    EXPECT_EQ(read.pod.gpu->min_vram, Bytes{12'000'000'000});
    EXPECT_THAT(read.secrets, ElementsAre("CIVITAI_API_KEY", "HF_TOKEN"));
    EXPECT_THAT(read.system_packages, ElementsAre("libgl1", "libglib2.0-0"));
}

TEST(Load, ReadsPythonAndComfyUiOfTheContract) {
    const Template read = contract_template();
    EXPECT_EQ(read.python.environment, EnvironmentKind::venv);
    EXPECT_EQ(read.python.torch, "cu128");
    EXPECT_THAT(read.python.requirements, ElementsAre("websocket-client>=1.6"));
    ASSERT_TRUE(read.comfyui);
    EXPECT_EQ(read.comfyui->ref, "v0.3.64");
    EXPECT_EQ(read.comfyui->path, "learn_comfyui_apps/ComfyUI");
    EXPECT_EQ(read.comfyui->ready_timeout, 10min);
    EXPECT_EQ(read.comfyui->cors, "*");
    EXPECT_EQ(read.comfyui->vram, Vram::gpu_only);
    EXPECT_THAT(read.comfyui->args, ElementsAre("--preview-method", "auto"));
    ASSERT_THAT(read.repositories, SizeIs(1));
    EXPECT_EQ(read.repositories[0].path, "learn_comfyui_apps");
    EXPECT_TRUE(read.repositories[0].submodules);
}

TEST(Load, ReadsModelsInShortAndLongForm) {
    const Template read = contract_template();
    ASSERT_THAT(read.models, SizeIs(2));
    EXPECT_THAT(read.models[0].source, StartsWith("https://civitai.com/models/299933/"));
    EXPECT_EQ(read.models[0].layout, Layout::flat);
    EXPECT_FALSE(read.models[0].allow_pickle);
    const Model& model = read.models[1];
    EXPECT_EQ(model.to, "instantid");
    EXPECT_EQ(model.name, "ip-adapter.bin");
    EXPECT_EQ(model.sha256, "02b3618e36d803784166660520098089a81388e61a93ef8002aa79a5b1c546e1");
    EXPECT_TRUE(model.allow_pickle);
    EXPECT_TRUE(model.optional);
    EXPECT_FALSE(model.unpack);
}

TEST(Load, ReadsEveryKindOfCustomNode) {
    const Template read = contract_template();
    ASSERT_THAT(read.custom_nodes, SizeIs(4));
    EXPECT_EQ(read.custom_nodes[0].name, "ComfyUI_IPAdapter_plus");
    EXPECT_TRUE(std::get<GitNode>(read.custom_nodes[0].source).submodules);
    EXPECT_EQ(read.custom_nodes[1].name, "ComfyUI-Impact-Pack");
    EXPECT_EQ(std::get<GitNode>(read.custom_nodes[1].source).ref, "8.22");
    EXPECT_FALSE(std::get<GitNode>(read.custom_nodes[1].source).submodules);
    EXPECT_FALSE(read.custom_nodes[1].install_script);
    EXPECT_EQ(std::get<RegistryNode>(read.custom_nodes[2].source).version, "1.21");
    EXPECT_EQ(read.custom_nodes[2].name, "comfyui-inspire-pack");
    EXPECT_EQ(read.custom_nodes[3].name, "comfy_to_ui_extension");
    EXPECT_EQ(std::get<PathNode>(read.custom_nodes[3].source).path,
              "learn_comfyui_apps/comfy_to_ui_extension");
}

TEST(Load, ReadsServicesSmokeAndMirrors) {
    const Template read = contract_template();
    ASSERT_THAT(read.services, SizeIs(1));
    const Service& service = read.services[0];
    EXPECT_THAT(service.command, ElementsAre("python", "app.py"));
    EXPECT_THAT(*service.requirements, ElementsAre("learn_comfyui_apps/requirements.txt"));
    EXPECT_EQ(service.port, 9002);
    EXPECT_THAT(service.after, ElementsAre("comfyui"));
    EXPECT_EQ(service.restart, Restart::always);
    EXPECT_EQ(service.ready.http, "/");
    EXPECT_EQ(service.ready.timeout, 90s);
    EXPECT_EQ(service.env.at("MODE"), "fast");
    EXPECT_EQ(read.smoke.timeout, 2min);
    EXPECT_THAT(read.mirrors, ElementsAre(std::pair<std::string, std::string>(
                                  "https://github.com/", "https://git.example/github/")));
}

TEST(Load, FillsTheDefaultsOfWhatIsNotThere) {
    const Template read = parse("");
    EXPECT_FALSE(read.comfyui);
    EXPECT_FALSE(read.pod.gpu);
    EXPECT_EQ(read.pod.volume.mount, "/workspace");
    EXPECT_EQ(read.python.torch, "auto");
    EXPECT_THAT(read.models, IsEmpty());
    EXPECT_EQ(read.smoke.timeout, 120s);
}

TEST(Load, ReadsTheStoreOfModels) {
    EXPECT_FALSE(parse("").store);
    EXPECT_EQ(parse("store: {path: /shared/store}\n").store->path, "/shared/store");
    EXPECT_EQ(parse("store: {path: store}\n").store->path, "store");
    EXPECT_THAT(faults("store: {path: ../store}\n"), SizeIs(1));
    EXPECT_THAT(faults("store: {}\n"), ElementsAre(HasSubstr("store.path")));
}

TEST(Load, TakesAnEmptySectionForAllItsDefaults) {
    EXPECT_EQ(parse("comfyui:\n").comfyui->port, 9000);
    EXPECT_EQ(parse("comfyui: {}\n").comfyui->path, "ComfyUI");
    EXPECT_EQ(parse("pod: {gpu: }\n").pod.gpu->count, 1);
    EXPECT_EQ(parse("python:\nmodels:\nmirrors:\n").python.path, "venv");
}

TEST(Load, KeepsTheTextOfPlainNumbersWhereTextIsMeant) {
    const Template read =
        parse("comfyui: {ref: 8.20, args: [--fp, 16, true]}\npod: {env: {N: 1e3, B: no}}\n");
    EXPECT_EQ(read.comfyui->ref, "8.20");
    EXPECT_THAT(read.comfyui->args, ElementsAre("--fp", "16", "true"));
    EXPECT_EQ(read.pod.env.at("N"), "1e3");
    EXPECT_EQ(read.pod.env.at("B"), "no");
}

TEST(Load, TellsAnEmptyRequirementsListFromNone) {
    const Template read =
        parse("services: [{name: a, command: [x], requirements: []}, {name: b, command: [x]}]\n");
    EXPECT_TRUE(read.services[0].requirements);
    EXPECT_FALSE(read.services[1].requirements);
}

TEST(Load, NamesARepositoryFolderAfterItsUrl) {
    const Template read = parse(
        "repositories: [{git: 'git@host.example:org/apps.git'}, {git: https://h.example/x/y/}]\n");
    EXPECT_EQ(read.repositories[0].path, "apps");
    EXPECT_EQ(read.repositories[1].path, "y");
}

TEST(Load, ReportsAllErrorsAtOnceInTheOrderOfTheLines) {
    const auto found =
        faults("comfyui:\n  port: many\n  vram: hihg\npodd: {}\npython: {torch: cuda}\n");
    ASSERT_THAT(found, SizeIs(4));
    EXPECT_EQ(found[0],
              "pod.yaml:4:9: comfyui.port: found 'many'; allowed: an integer from 1 to 65535");
    EXPECT_EQ(found[1],
              "pod.yaml:5:9: comfyui.vram: found 'hihg'; allowed: auto, gpu-only, high, normal, "
              "low, none "
              "or cpu, did you mean 'high'?");
    EXPECT_EQ(found[2], "pod.yaml:6:1: podd: is no key of a pod template, did you mean 'pod'?");
    EXPECT_THAT(found[3],
                HasSubstr("python.torch: found 'cuda'; allowed: auto, cpu, keep or a tag"));
}

TEST(Load, PutsEveryDiagnosticInTheErrorsMessage) {
    try {
        parse("comfyui: {port: 0, listenn: x}\n");
        FAIL() << "a faulty template was read";
    } catch (const TemplateError& error) {
        EXPECT_EQ(error.kind(), ErrorKind::template_);
        EXPECT_THAT(error.message(), HasSubstr("comfyui.port"));
        EXPECT_THAT(error.message(), HasSubstr("did you mean 'listen'?"));
    }
}

TEST(Load, ReadsAFileAndNamesItInErrors) {
    const podctl::test::TempDir dir;
    std::ofstream(dir / "a.yaml") << "apiVersion: podctl/v1\nname: A\n";
    try {
        load_template(dir / "a.yaml", options());
        FAIL() << "a faulty template was read";
    } catch (const TemplateError& error) {
        EXPECT_EQ(error.diagnostics()[0].file, (dir / "a.yaml").string());
        EXPECT_EQ(error.diagnostics()[0].line, 2);
        EXPECT_EQ(error.diagnostics()[0].column, 7);
    }
}

TEST(Load, SaysWhichFileDoesNotExist) {
    const podctl::test::TempDir dir;
    try {
        load_template(dir / "none.yaml", options());
        FAIL() << "a file that is not there was read";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::not_found);
        EXPECT_THAT(error.message(), HasSubstr("none.yaml"));
    }
}

TEST(Load, RefusesAFileThatIsNoTemplateBySizeAlone) {
    const podctl::test::TempDir dir;
    std::ofstream(dir / "model.safetensors") << std::string((1 << 20) + 1, 'x');
    try {
        load_template(dir / "model.safetensors", options());
        FAIL() << "a large file was read";
    } catch (const TemplateError& error) {
        EXPECT_THAT(error.message(), HasSubstr("larger than 1 MiB"));
    }
}

}  // namespace
}  // namespace podctl::tmpl::test

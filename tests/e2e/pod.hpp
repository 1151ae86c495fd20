#pragma once

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"
#include "podctl/base/process.hpp"
#include "podctl/http/http.hpp"

#include "own_folder.hpp"
#include "support/event_schema.hpp"
#include "support/git_server.hpp"
#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// The built binary, from outside.
namespace podctl::e2e {

using nlohmann::json;

struct Finished {
    ExitStatus status;
    std::vector<json> events;
    std::string output;  // everything, stdout and stderr

    std::vector<json> of(const std::string& event) const {
        std::vector<json> found;
        for (const auto& it : events)
            if (it.value("event", "") == event) found.push_back(it);
        return found;
    }
    std::vector<std::string> steps(const std::string& event) const {
        std::vector<std::string> found;
        for (const auto& it : of(event))
            found.push_back(it.value("step", ""));
        return found;
    }
};

// A running podctl whose events are read as they come, and compared with the schema.
class Running {
public:
    explicit Running(const Command& command) : child_(spawn(command)) {}

    // Reads until an event fits. nullopt: the output ended without it.
    std::optional<json> wait_for(const std::function<bool(const json&)>& fits) {
        for (;;) {
            while (read_events_ < events_.size()) {
                const json& event = events_[read_events_++];
                if (fits(event)) return event;
            }
            if (!read_more()) return std::nullopt;
        }
    }
    std::optional<json> wait_for(const std::string& name) {
        return wait_for([&](const json& it) { return it.value("event", "") == name; });
    }
    pid_t pid() const { return child_.pid(); }
    void signal(int number) { ::kill(child_.pid(), number); }
    // Returns once it is dead: until then it holds its root.
    void kill() {
        signal(SIGKILL);
        siginfo_t end{};
        ::waitid(P_PID, static_cast<id_t>(child_.pid()), &end, WEXITED | WNOWAIT);
    }
    Finished finish() {
        while (read_more()) {
        }
        return {child_.wait(), events_, output_};
    }

private:
    bool read_more() {
        pollfd ready{child_.output_fd(), POLLIN, 0};
        // Generous: the machine may be busy with other tests.
        if (::poll(&ready, 1, 120'000) <= 0)
            throw std::runtime_error("no output for two minutes:\n" + output_);
        char block[65536];
        const auto size = ::read(child_.output_fd(), block, sizeof block);
        if (size <= 0) return false;
        output_.append(block, static_cast<std::size_t>(size));
        splitter_.feed({block, static_cast<std::size_t>(size)});
        return true;
    }

    Child child_;
    std::string output_;
    std::vector<json> events_;
    std::size_t read_events_ = 0;
    LineSplitter splitter_{[this](std::string_view line) {
        json event = json::parse(line, nullptr, false);
        if (!event.is_object()) return;
        // Whatever a test runs, podctl prints nothing but what it says that it prints.
        if (event.contains("event")) {
            EXPECT_EQ(test::event_fault(event), "") << line;
        }
        events_.push_back(std::move(event));
    }};
};

// A pod in small: a ComfyUI that is the quickstart's stand-in, packs, a hub, and a root to bring
// them to.
class PodTest : public testing::Test {
protected:
    PodTest() {
        publish_comfyui();
        publish_pack("pack", R"(
class PackNode:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "test"
    def run(self):
        return ()

NODE_CLASS_MAPPINGS = {"PackNode": PackNode}
)");
        hub.add(test::CivitaiVersion{
            .id = 11,
            .model_id = 1,
            .model_name = "Tiny: Model",
            .model_type = "Checkpoint",
            .files = {{.id = 111, .name = "tiny.safetensors", .bytes = model_bytes}}});
        write_template("");
    }

    void publish_comfyui() {
        const test::GitRepository work{dir / "work/ComfyUI"};
        std::filesystem::copy(
            std::filesystem::path{PODCTL_SOURCE_DIR} / "templates/quickstart/comfyui", work.path(),
            std::filesystem::copy_options::recursive);
        test::GitRepository{work}.commit();
        work.publish(dir / "git/ComfyUI.git");
    }

    void publish_pack(const std::string& name, const std::string& init,
                      const std::map<std::string, std::string>& files = {}) {
        test::GitRepository work{dir / "work" / name};
        work.write("__init__.py", init);
        for (const auto& [file, content] : files)
            work.write(file, content);
        work.commit();
        work.publish(dir / "git" / (name + ".git"));
    }

    // The template with further lines at its end, and further settings of its environment.
    void write_template(const std::string& more, const std::string& python = "") {
        write_file_atomically(dir / "pod.yaml", R"(apiVersion: podctl/v1
name: pod
secrets: [CIVITAI_API_KEY]
python: {inherit: false, torch: keep)" + (python.empty() ? "" : ", " + python) +
                                                    R"(}
comfyui:
  source: https://github.com/comfyanonymous/ComfyUI.git
  port: )" + std::to_string(port()) + R"(
  listen: 127.0.0.1
  cors: "*"
  ready_timeout: 2m
models:
  - {source: "civitai:1@11", layout: civitdl}
)" + (more.empty() ? "custom_nodes: [https://github.com/comfyanonymous/pack.git]\n" : more));
    }

    Command command(std::vector<std::string> arguments) const {
        Command made{.argv = {PODCTL_BINARY}};
        made.argv.insert(made.argv.end(), arguments.begin(), arguments.end());
        made.environment = environment;
        made.environment.emplace("CIVITAI_API_KEY", test::Hub::civitai_key);
        made.environment.emplace("UV_CACHE_DIR", shared_cache().string());
        made.working_directory = dir.path();
        return made;
    }
    // `name` with the template, the root and the mirrors; --output json.
    std::vector<std::string> with_template(const std::string& name,
                                           std::vector<std::string> more = {}) const {
        std::vector<std::string> arguments{
            name,       "pod.yaml",
            "--root",   root().string(),
            "--output", "json",
            "--mirror", "https://github.com/comfyanonymous/=" + git_server.prefix()};
        for (const auto& [from, to] : hub.mirrors())
            arguments.insert(arguments.end(), {"--mirror", from + "=" + to});
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    Running start(const std::string& name, const std::vector<std::string>& more = {}) const {
        return Running{command(with_template(name, more))};
    }
    Finished run(const std::string& name, const std::vector<std::string>& more = {}) const {
        return start(name, more).finish();
    }
    Finished provision(const std::vector<std::string>& more = {}) const {
        auto arguments = more;
        arguments.emplace_back("--no-launch");
        return run("up", arguments);
    }

    std::filesystem::path root() const { return dir / "root"; }
    std::filesystem::path own() const { return own_folder(root()); }
    std::filesystem::path model() const {
        return root() / "ComfyUI/models/checkpoints/Tiny, Model/tiny-mid_1-vid_11.safetensors";
    }
    std::size_t requests() const {
        return git_server.http().requests().size() + hub.civitai().requests().size() +
               hub.huggingface().requests().size() + hub.store().requests().size();
    }

    // A port that nobody listens on now.
    static std::uint16_t port() {
        static const std::uint16_t found =
            test::HttpServer{[](const auto&) { return test::Response{}; }}.port();
        return found;
    }
    // Packages are fetched once for all tests.
    static std::filesystem::path shared_cache() {
        return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "e2e-cache";
    }

    std::map<std::string, std::string> environment;  // more of it for podctl
    test::TempDir dir;
    const std::string model_bytes = test::safetensors_bytes(300'000);
    test::Hub hub;
    test::GitServer git_server{dir / "git"};
};

}  // namespace podctl::e2e

#include "podctl/base/process_stat.hpp"

#include "service_pod.hpp"

#include <sys/stat.h>

namespace podctl::e2e {
namespace {

using ::testing::HasSubstr;

// podctl as a container's entrypoint, in the place of the image's own start script, which it runs.
class ImageStart : public Pid1Test {
protected:
    // As RunPod's /start.sh: a daemon of another session, and then it sleeps for ever.
    void write_script(const std::string& end = "exec sleep infinity") const {
        const auto path = dir / "start.sh";
        write_file_atomically(path, "#!/bin/sh\nset -e\n(setsid sleep 0 &)\n" + end + "\n");
        ::chmod(path.c_str(), 0755);
    }
    Running start_as_entrypoint() const {
        return start_as_pid_1({"--image-start", (dir / "start.sh").string()});
    }
    // podctl, seen from outside of its namespace.
    static pid_t init_of(const Running& pod) { return children_of(pod.pid()).at(0); }
    static bool is_finished(const json& event) {
        return event.value("event", "") == "run.finished";
    }
    static bool is_staying(const json& event) {
        return event.value("message", "").find("the container stays") != std::string::npos;
    }
    static void wait_for_children(pid_t parent, std::size_t count) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (children_of(parent).size() != count && std::chrono::steady_clock::now() < until) {
        }
        EXPECT_EQ(children_of(parent).size(), count);
    }
};

TEST_F(ImageStart, RunsBesideThePodAndEndsWithIt) {
    write_script();
    write_template(listener("web"));
    auto pod = start_as_entrypoint();
    ASSERT_TRUE(pod.wait_for(is_launched));
    const auto init = init_of(pod);
    wait_for_children(init, 2);  // the script and the service; what became an orphan is reaped
    const auto children = children_of(init);
    ::kill(init, SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
    for (const auto child : children)
        EXPECT_FALSE(read_process(child));
}

TEST_F(ImageStart, KeepsTheContainerOfAPodThatFailed) {
    write_script();
    write_template(service("task", {"--exit", "3"}, "restart: never"));
    auto pod = start_as_entrypoint();
    const auto finished = pod.wait_for(is_finished);
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->value("exit_code", 0), 5);
    ASSERT_TRUE(pod.wait_for(is_staying));
    const auto init = init_of(pod);
    wait_for_children(init, 1);
    // The root is free for another try from within.
    EXPECT_EQ(on_pod({"up", "pod.yaml", "--no-launch"}).status.code, 0);
    ::kill(init, SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 5);
}

TEST_F(ImageStart, KeepsTheContainerOfATemplateThatIsWrong) {
    write_script();
    write_file_atomically(dir / "pod.yaml", "apiVersion: podctl/v1\nname: pod\nservice: []\n");
    auto pod = start_as_entrypoint();
    ASSERT_TRUE(pod.wait_for(is_staying));
    ::kill(init_of(pod), SIGTERM);
    const auto end = pod.finish();
    EXPECT_EQ(end.status.code, 2);
    EXPECT_THAT(end.output, HasSubstr("did you mean"));
}

TEST_F(ImageStart, ThatEndsByItselfIsToldAndEndsNothing) {
    write_script("exit 7");
    write_template(listener("web"));
    auto pod = start_as_entrypoint();
    ASSERT_TRUE(pod.wait_for([](const json& event) {
        return event.value("message", "").find("start.sh ended: exit code 7") != std::string::npos;
    }));
    ::kill(init_of(pod), SIGTERM);
    EXPECT_EQ(pod.finish().status.code, 128 + SIGTERM);
}

TEST_F(ImageStart, ThatIsNotThereIsToldAndNothingWaitsForIt) {
    write_template(service("task", {"--exit", "3"}, "restart: never"));
    const auto end = start_as_entrypoint().finish();
    EXPECT_EQ(end.status.code, 5);
    EXPECT_THAT(end.output, HasSubstr("start.sh: no such program"));
}

}  // namespace
}  // namespace podctl::e2e

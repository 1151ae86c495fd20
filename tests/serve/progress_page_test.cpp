#include "podctl/serve/progress_page.hpp"

#include "podctl/base/digest.hpp"
#include "podctl/http/http.hpp"
#include "podctl/machine/machine.hpp"

#include "pod_fixture.hpp"
#include "progress_server.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include <regex>

namespace podctl::serve {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A client that says what it likes, when it likes.
class Client {
public:
    explicit Client(std::uint16_t port)
        : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw system_error("cannot connect", errno);
    }
    void say(std::string_view text) {
        EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    // All until the server hangs up.
    std::string hear() {
        std::string heard;
        pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        while (::poll(&ready, 1, 60'000) == 1) {
            char block[4096];
            const auto size = ::read(socket_.get(), block, sizeof block);
            if (size <= 0) return heard;
            heard.append(block, static_cast<std::size_t>(size));
        }
        throw std::runtime_error("the server neither answers nor hangs up");
    }

private:
    Fd socket_;
};

plan::Plan plan_of(const std::vector<std::string>& ids) {
    plan::Plan plan;
    for (const auto& id : ids)
        plan.steps.emplace_back().id = id;
    return plan;
}

class ProgressPageTest : public ::testing::Test {
protected:
    ProgressPageTest() {
        pod.name = "my pod";
        pod.comfyui.emplace();
        pod.comfyui->listen = "127.0.0.1";
        pod.comfyui->port = port;
    }

    // A page that is open, because python.venv runs.
    ProgressPage& open() {
        page.emplace(pod, events);
        page->follow(plan_of({"preflight", "python.venv", "model:checkpoints/a.safetensors"}));
        page->emit(event::StepStarted{"python.venv"});
        return *page;
    }
    bool is_free() const { return machine::port_is_free(pod.comfyui->listen, port); }
    http::Response get(const std::string& path, const std::string& accept = "text/html",
                       const std::string& method = "GET") {
        return http.send({.url = "http://127.0.0.1:" + std::to_string(port) + path,
                          .method = method,
                          .headers = {{"Accept", accept}}});
    }
    json state() { return json::parse(get("/", "application/json").body); }

    const std::uint16_t port = free_port();
    tmpl::Template pod;
    test::RecordingSink events;
    http::Client http;
    std::optional<ProgressPage> page;
};

TEST_F(ProgressPageTest, OpensOnceAStepOtherThanPreflightHasSomethingToDo) {
    page.emplace(pod, events);
    page->follow(plan_of({"preflight", "python.venv"}));
    page->emit(event::StepStarted{"preflight"});
    page->emit(event::StepSkipped{"python.venv", "there"});
    EXPECT_TRUE(is_free());
    page->emit(event::StepStarted{"python.resolve"});
    EXPECT_FALSE(is_free());
    page.reset();
    EXPECT_TRUE(is_free());
    EXPECT_THAT(events.all<event::StepStarted>(), SizeIs(2));  // it passes them on
}

TEST_F(ProgressPageTest, StaysAfterAFailureAndTellsOfIt) {
    open().emit(event::StepFailed{"python.venv", ErrorKind::python, "secret words", "more", false});
    EXPECT_FALSE(state().contains("failure"));
    page->close();  // as before a launch
    page->emit(event::LaunchFailed{"comfyui: exit code 1", ""});
    page->emit(event::RunFinished{.ok = false, .exit_code = 5});
    EXPECT_TRUE(is_free());
    page->stay();
    const auto told = state();
    EXPECT_EQ(told["failure"]["exit_code"], 5);
    EXPECT_THAT(told["failure"].value("hint", ""), HasSubstr("podctl status"));
    EXPECT_EQ(told["steps"].back()["id"], "launch");
    EXPECT_EQ(told["steps"].back()["state"], "failed");
    EXPECT_THAT(told.dump(), Not(HasSubstr("secret words")));
    page->close();
    EXPECT_TRUE(is_free());
}

TEST_F(ProgressPageTest, DoesNotStayWhereTheTemplateWantsNoPage) {
    pod.comfyui->progress_page = false;
    open().stay();
    EXPECT_TRUE(is_free());
}

TEST_F(ProgressPageTest, StaysAwayWhereTheTemplateOrTheRunWantsNone) {
    page.emplace(pod, events);
    page->emit(event::StepStarted{"python.venv"});  // nobody launches after this
    EXPECT_TRUE(is_free());
    pod.comfyui->progress_page = false;
    open();
    EXPECT_TRUE(is_free());
    pod.comfyui.reset();
    open();
    EXPECT_TRUE(machine::port_is_free("127.0.0.1", port));
    EXPECT_THAT(events.all<event::Notice>(), IsEmpty());
}

TEST_F(ProgressPageTest, DoesNotOpenAgain) {
    open().close();
    page->emit(event::StepStarted{"comfyui.clone"});
    EXPECT_TRUE(is_free());
}

TEST_F(ProgressPageTest, GivesThePageAndNothingElse) {
    open();
    const auto whole = get("/?token=x");
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.body, progress_page_html());
    EXPECT_EQ(whole.header("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(whole.header("cache-control"), "no-store");
    for (const auto* path : {"/system_stats", "/ws", "/index.html", "/%2e%2e/etc/passwd", "//"}) {
        const auto other = get(path, "application/json");
        EXPECT_EQ(other.status, 503) << path;
        EXPECT_EQ(other.header("retry-after"), "5") << path;
    }
    EXPECT_EQ(get("/prompt", "*/*", "POST").status, 503);
    EXPECT_EQ(get("/", "*/*", "POST").status, 405);
}

TEST_F(ProgressPageTest, AnswersHeadWithoutABody) {
    open();
    Client client{port};
    client.say("HEAD / HTTP/1.1\r\nHost: pod\r\n\r\n");
    const auto heard = client.hear();
    EXPECT_THAT(heard, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(heard, HasSubstr("Content-Length: " + std::to_string(progress_page_html().size())));
    EXPECT_TRUE(heard.ends_with("\r\n\r\n"));
}

TEST_F(ProgressPageTest, TellsWhereEachStepStands) {
    open();
    page->emit(event::StepStarted{"model:checkpoints/a.safetensors"});
    page->emit(event::StepProgress{"model:checkpoints/a.safetensors", 250, 1'000});
    page->emit(event::StepRetrying{"python.venv", 2, milliseconds{5'000}, "no answer"});
    page->emit(event::StepFailed{"node:x", ErrorKind::network, "<b>404</b>", "correct it", true});
    page->emit(event::Notice{"node:y", "changed by hand"});
    page->emit(event::Notice{"node:y", "changed by hand"});
    const auto told = state();
    EXPECT_EQ(told["pod"], "my pod");
    const auto& steps = told["steps"];
    ASSERT_THAT(steps, SizeIs(4));
    EXPECT_EQ(steps[0]["state"], "waiting");
    EXPECT_EQ(steps[1]["state"], "running");
    EXPECT_EQ(steps[1]["message"], "trying again in 5.0s");
    EXPECT_EQ(steps[2]["progress"]["done"], 250);
    EXPECT_EQ(steps[2]["progress"]["total"], 1'000);
    EXPECT_EQ(steps[3]["message"], "a server could not be reached, or the connection broke");
    EXPECT_EQ(steps[3]["hint"], "podctl's own output says more");
    EXPECT_EQ(steps[3]["optional"], true);
    EXPECT_EQ(told["downloads"]["done"], 250);
    ASSERT_THAT(told["notices"], SizeIs(1));
    EXPECT_EQ(told["notices"][0]["step"], "node:y");
    page->emit(event::StepFinished{"python.venv", milliseconds{1'500}, true});
    EXPECT_EQ(state()["steps"][1]["state"], "done");
    EXPECT_EQ(state()["steps"][1]["seconds"], 1.5);
    EXPECT_FALSE(state()["steps"][1].contains("message"));
}

TEST_F(ProgressPageTest, TellsStepsThatAreNotRunFromThoseThatAreThere) {
    open();
    page->emit(event::StepSkipped{"node:x", "at 123"});
    page->emit(
        event::StepSkipped{"node:y", "comfyui.clone failed", event::StepSkipped::Why::not_run});
    const auto steps = state()["steps"];
    ASSERT_THAT(steps, SizeIs(5));
    EXPECT_EQ(steps[3]["state"], "skipped");
    EXPECT_EQ(steps[4]["state"], "not_run");
    EXPECT_EQ(steps[4]["message"], "a step that it needs has failed");
}

// The port may be open to the world, and what podctl says may quote what only its user should see.
TEST_F(ProgressPageTest, TellsStrangersNothingThatErrorsAndNoticesQuote) {
    open();
    const std::string secret = "root:*:20228 in /workspace/secret";
    for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind) {
        const auto step = "node:" + std::to_string(kind);
        page->emit(event::StepFailed{step, static_cast<ErrorKind>(kind), secret, secret});
        EXPECT_FALSE(state()["steps"].back().value("message", "").empty()) << kind;
    }
    page->emit(event::StepRetrying{"a", 2, milliseconds{1}, secret});
    page->emit(event::StepSkipped{"b", secret});
    page->emit(event::StepSkipped{"c", secret, event::StepSkipped::Why::not_run});
    page->emit(event::Notice{"d", secret});
    page->emit(event::Notice{"", secret});
    page->emit(event::NodeFailed{"e", secret});
    page->emit(event::ServiceOutput{"f", secret});
    page->emit(event::ServiceRestarting{"g", 1, milliseconds{1}, secret});
    page->emit(event::StepStarted{"repo:/workspace/secret/there"});
    const auto body = get("/", "application/json").body;
    EXPECT_THAT(body, Not(HasSubstr("root:")));
    EXPECT_THAT(body, Not(HasSubstr("/workspace")));
    EXPECT_THAT(body, HasSubstr("repo:there"));
}

TEST_F(ProgressPageTest, TakesNamesThatAreNoUtf8OrLongOrTurned) {
    open();
    page->emit(event::StepStarted{"node:\xff\x1b[2J\xE2\x80\xAE"});
    page->emit(event::StepStarted{std::string(1'000'000, 'x')});
    const auto answer = get("/", "application/json");
    EXPECT_LT(answer.body.size(), 20'000u);
    const auto steps = json::parse(answer.body)["steps"];
    EXPECT_EQ(steps[3]["id"], "node:\\xff\\x1b[2J\\u202e");
    EXPECT_THAT(steps[4].value("id", ""), StartsWith("xxx"));
}

TEST_F(ProgressPageTest, ListensWhereComfyUiWill) {
    pod.comfyui->listen = "127.0.0.1, 127.0.0.2";
    open();
    for (const std::string address : {"127.0.0.1", "127.0.0.2"}) {
        EXPECT_EQ(http.send({.url = "http://" + address + ":" + std::to_string(port)}).status, 200);
    }
    page->close();
    EXPECT_TRUE(is_free());
}

TEST_F(ProgressPageTest, LeavesThePortToTheNextWhateverItsVisitorsDo) {
    open();
    EXPECT_EQ(get("/").status, 200);
    Client idle{port}, dawdling{port};
    dawdling.say("GET / HTT");
    page->close();
    const auto next = machine::listen_on(pod.comfyui->listen, port);
    EXPECT_THAT(next, SizeIs(1));
    EXPECT_EQ(idle.hear(), "");
    EXPECT_EQ(dawdling.hear(), "");
}

TEST_F(ProgressPageTest, ThatCannotBeOpenedIsANoticeAndNoMore) {
    const auto taken = machine::listen_on("127.0.0.1", port);
    open().emit(event::StepFinished{"python.venv", {}, true});
    EXPECT_THAT(events.all<event::StepFinished>(), SizeIs(1));
    ASSERT_THAT(events.all<event::Notice>(), SizeIs(1));
    EXPECT_THAT(events.all<event::Notice>()[0].message, HasSubstr(std::to_string(port)));
}

// The server alone, with little patience.
class ProgressServerTest : public ::testing::Test {
protected:
    std::string get() {
        Client client{port};
        client.say("GET / HTTP/1.1\r\nHost: pod\r\nAccept: application/json\r\n\r\n");
        return client.hear();
    }

    const std::uint16_t port = free_port();
    ProgressServer server{machine::listen_on("127.0.0.1", port), [] { return "{}"; },
                          std::chrono::seconds{1}};
};

TEST_F(ProgressServerTest, HangsUpOnAClientThatFallsSilent) {
    Client client{port};
    client.say("GET / HTTP/1.1\r\nHo");
    EXPECT_THAT(get(), HasSubstr("200 OK"));  // nobody waits for it
    client.hear();
}

TEST_F(ProgressServerTest, HasTimeForTheNewestOfVeryManyClients) {
    std::list<Client> idle;
    for (int i = 0; i < 200; ++i)
        idle.emplace_back(port);
    EXPECT_THAT(get(), HasSubstr("200 OK"));
    EXPECT_EQ(idle.front().hear(), "");
}

TEST_F(ProgressServerTest, RefusesEndlessHeaders) {
    Client client{port};
    client.say("GET / HTTP/1.1\r\nHost: pod\r\nCookie: " + std::string(100'000, 'x'));
    EXPECT_THAT(client.hear(), ::testing::AnyOf(HasSubstr("HTTP/1.1 4"), IsEmpty()));
    EXPECT_THAT(get(), HasSubstr("200 OK"));
}

TEST_F(ProgressServerTest, DoesNotTakeTheBodyOfWhatItRefuses) {
    Client client{port};
    client.say("POST /upload/image HTTP/1.1\r\nHost: pod\r\nContent-Length: 9000000000\r\n\r\n");
    EXPECT_THAT(client.hear(), StartsWith("HTTP/1.1 503"));
}

TEST_F(ProgressServerTest, SaysWhoseScriptAndStyleMayBeUsed) {
    Client client{port};
    client.say("GET / HTTP/1.1\r\nHost: pod\r\n\r\n");
    const auto heard = client.hear();
    const std::string html{progress_page_html()};
    for (const std::string tag : {"script", "style"}) {
        std::smatch found;
        ASSERT_TRUE(std::regex_search(heard, found, std::regex{tag + "-src 'sha256-([^']*)'"}));
        const auto from = html.find("<" + tag + ">") + tag.size() + 2;
        const auto text = html.substr(from, html.find("</" + tag + ">") - from);
        EXPECT_EQ(found[1], sha256_base64(text)) << tag;
    }
    EXPECT_THAT(heard, HasSubstr("default-src 'none'"));
}

TEST(ProgressPageHtml, IsSmallAndNeedsNothingFromElsewhere) {
    const std::string html{progress_page_html()};
    EXPECT_LT(html.size(), 20'000u);
    for (const auto* other : {"://", "src=", "@import", "url(", "innerHTML", "style=", "onclick"})
        EXPECT_EQ(html.find(other), std::string::npos) << other;
}

}  // namespace
}  // namespace podctl::serve

#include "podctl/base/file.hpp"

#include "contact.hpp"
#include "fixture.hpp"
#include "library.hpp"
#include "support/proxies.hpp"
#include "support/raw_server.hpp"
#include "support/set_env.hpp"

#include <fmt/format.h>
#include <git2.h>
#include <sys/socket.h>

#include <chrono>
#include <future>
#include <thread>

// Servers that mean harm: they never end, or lead elsewhere.
namespace podctl::git {
namespace {

namespace fs = std::filesystem;
using test::Request;
using test::Response;
using testing::HasSubstr;

std::string packet(const std::string& text) {
    return fmt::format("{:04x}{}", text.size() + 4, text);
}

const std::string any_id(40, 'a');

// libgit2 looks for its home once: not in a test that has a home of its own for a while.
class LibraryFirst : public testing::Environment {
    void SetUp() override { ensure_library(); }
};
const auto* const library_first = testing::AddGlobalTestEnvironment(new LibraryFirst);

class HostileServer : public GitTest {
protected:
    // What a clone says, which has to come in time; a stop ends it otherwise.
    Error clone_error(const std::string& url) {
        std::stop_source stop;
        auto running = std::async(std::launch::async, [&] {
            return error_of([&] { clone(request(url), network, {}, stop.get_token()); });
        });
        if (running.wait_for(std::chrono::seconds(60)) == std::future_status::timeout) {
            ADD_FAILURE() << "does not end";
            stop.request_stop();
        }
        EXPECT_FALSE(fs::exists(there()));
        return running.get().value_or(Error{ErrorKind::internal, "none"});
    }
    static std::string as_scheme(const test::RawServer& server, const std::string& scheme) {
        return scheme + server.url("/pack.git").substr(4);
    }
    // Says `start`, then `block` as long as anybody listens.
    static auto endless(std::string start, std::string block) {
        return [start = std::move(start), block = std::move(block)](test::RawConnection& client) {
            if (!client.send(start)) return;
            while (client.send(block)) {
            }
        };
    }
    static std::string many(const std::string& text) {
        std::string block;
        while (block.size() < (1u << 20))
            block += text;
        return block;
    }
};

std::string http_answer(const std::string& service) {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-" + service +
           "\r\nConnection: close\r\n\r\n";
}

TEST_F(HostileServer, ThatAdvertisesRefsWithoutAnEndIsLeft) {
    const std::string start = packet(any_id + " HEAD" + std::string(1, '\0') + "shallow\n");
    const std::string block = many(packet(any_id + " refs/heads/" + std::string(200, 'n') + "\n"));
    const test::RawServer http{endless(
        http_answer("advertisement") + packet("# service=git-upload-pack\n") + "0000" + start,
        block)};
    EXPECT_THAT(clone_error(http.url("/pack.git")).message(),
                HasSubstr("more than 64 MiB before its pack"));
    const test::RawServer git{endless(start, block)};
    EXPECT_THAT(clone_error(as_scheme(git, "git")).message(),
                HasSubstr("more than 64 MiB before its pack"));
}

TEST_F(HostileServer, ThatAcknowledgesWithoutAnEndIsLeft) {
    const std::string refs = packet(any_id + " HEAD" + std::string(1, '\0') +
                                    "multi_ack_detailed side-band-64k shallow\n") +
                             packet(any_id + " refs/heads/main\n") + "0000";
    for (const std::string& word : {packet("NAK\n"), packet("ACK " + any_id + " common\n"),
                                    packet("shallow " + any_id), packet("\2Counting objects\n")}) {
        const test::RawServer http{[&](test::RawConnection& client) {
            if (client.read_head().starts_with("GET")) {
                client.send(http_answer("advertisement") + packet("# service=git-upload-pack\n") +
                            "0000" + refs);
                return;
            }
            endless(http_answer("result"), many(word))(client);
        }};
        const auto error = clone_error(http.url("/pack.git"));
        EXPECT_NE(error.kind(), ErrorKind::interrupted) << word;
        const test::RawServer git{endless(refs, many(word))};
        EXPECT_NE(clone_error(as_scheme(git, "git")).kind(), ErrorKind::interrupted) << word;
    }
}

TEST_F(HostileServer, WhosePackHasMoreObjectsThanAnyIsLeft) {
    const std::string refs = packet(any_id + " HEAD" + std::string(1, '\0') + "ofs-delta\n") +
                             packet(any_id + " refs/heads/main\n") + "0000";
    // The header alone would have libgit2 take 32 GiB.
    const std::string pack = std::string("PACK\0\0\0\2\xff\xff\xff\xff", 12);
    const test::RawServer git{[&](test::RawConnection& client) {
        client.send(refs);
        if (client.read_to("done\n")) endless(packet("NAK\n") + pack, many("x"))(client);
    }};
    const auto error = clone_error(as_scheme(git, "git"));
    EXPECT_EQ(error.kind(), ErrorKind::git) << error.message();
}

TEST_F(HostileServer, ThatNeverCeasesEndsAtAStop) {
    std::stop_source stop;
    const test::RawServer git{endless("", many(packet(any_id + " refs/heads/x\n")))};
    auto running = std::async(std::launch::async, [&] {
        return error_of(
            [&] { clone(request(as_scheme(git, "git")), network, {}, stop.get_token()); });
    });
    while (git.connections() == 0)
        std::this_thread::yield();
    stop.request_stop();
    ASSERT_EQ(running.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(running.get()->kind(), ErrorKind::interrupted);
}

// libssh2 waits by itself, and knows nothing of stops.
TEST_F(HostileServer, ThatIsSilentOverSshEndsAtAStop) {
    std::stop_source stop;
    const test::RawServer silent{[&](test::RawConnection& client) {
        char byte = 0;
        // podctl's greeting: from here on it waits for ours.
        static_cast<void>(::recv(client.fd(), &byte, 1, MSG_PEEK));
        stop.request_stop();
        client.wait_until_gone();
    }};
    auto running = std::async(std::launch::async, [&] {
        return error_of(
            [&] { clone(request(as_scheme(silent, "ssh")), network, {}, stop.get_token()); });
    });
    EXPECT_EQ(running.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    const auto error = running.get();
    EXPECT_EQ(error->kind(), ErrorKind::interrupted) << error->message();
    int timeout = 0;
    git_libgit2_opts(GIT_OPT_GET_SERVER_TIMEOUT, &timeout);
    EXPECT_EQ(timeout, 60'000);
}

// A repository of the internet (by a proxy, which resolves its name) with one submodule.
class LeadingSubmodule : public HostileServer {
protected:
    Error error_for(const std::string& url) {
        test::GitRepository parent{dir / "parent"};
        parent.write(".gitmodules", "[submodule \"s\"]\npath = s\nurl = " + url + "\n");
        fs::create_directories(parent.path() / "s");
        parent.git({"update-index", "--add", "--cacheinfo", "160000," + third + ",s"});
        parent.commit();
        parent.publish(served() / "parent.git");
        const test::ForwardProxy proxy{
            {{"hub.example:80", parse_url(server.prefix())->port.value()}}};
        const test::SetEnv set{"http_proxy", proxy.url().c_str()};
        const test::SetEnv none{"no_proxy", "127.0.0.1"};
        auto error = clone_error("http://hub.example/parent.git");
        fs::remove_all(dir / "parent");
        fs::remove_all(served() / "parent.git");
        return error;
    }

    test::GitServer server{served()};
};

TEST_F(LeadingSubmodule, IsNotFollowedIntoThisMachinesNetworks) {
    test::RawServer inner{[](test::RawConnection& client) { client.wait_until_gone(); }};
    const std::string http = inner.url("/pack.git");
    for (const std::string& url : {http, "ssh" + http.substr(4), std::string{"git@127.0.0.1:x.git"},
                                   std::string{"http://169.254.169.254/latest"}}) {
        const auto error = error_for(url);
        EXPECT_EQ(error.kind(), ErrorKind::not_found) << url << ": " << error.message();
        EXPECT_THAT(error.message(), HasSubstr("networks around this machine")) << url;
    }
    EXPECT_EQ(inner.connections(), 0u);
}

TEST_F(LeadingSubmodule, DoesNotComeByAnUnguardedWay) {
    EXPECT_THAT(error_for("git://git.invalid/x.git").message(), HasSubstr("not guarded"));
    EXPECT_THAT(error_for("file://" + bare().string()).message(), HasSubstr("local disk"));
}

TEST_F(LeadingSubmodule, MayBeWhereTheUsersMirrorIs) {
    mirrors = Mirrors{{{"git://git.invalid/", server.prefix()}}};
    EXPECT_EQ(error_for("https://git.invalid/x.git").kind(), ErrorKind::network);
    test::GitRepository parent{dir / "parent"};
    parent.write(".gitmodules", "[submodule \"s\"]\npath = s\nurl = git://git.invalid/pack.git\n");
    fs::create_directories(parent.path() / "s");
    parent.git({"update-index", "--add", "--cacheinfo", "160000," + third + ",s"});
    parent.commit();
    parent.publish(served() / "parent.git");
    const test::ForwardProxy proxy{{{"hub.example:80", parse_url(server.prefix())->port.value()}}};
    const test::SetEnv set{"http_proxy", proxy.url().c_str()};
    const test::SetEnv none{"no_proxy", "127.0.0.1"};
    clone_it("http://hub.example/parent.git");
    EXPECT_EQ(read_head(there() / "s")->commit, third);
}

TEST_F(HostileServer, HasNoControlCharacterInItsUrl) {
    for (const std::string url :
         {"git://127.0.0.1:1/x\n0000", "git://127.0.0.1:1/x%0a", "ssh://git@127.0.0.1:1/x%0D%0A",
          "git@127.0.0.1:x\ry", "http://127.0.0.1:1/x\ny"}) {
        const auto error = clone_error(url);
        EXPECT_EQ(error.kind(), ErrorKind::git) << url;
        EXPECT_THAT(error.message(), HasSubstr("control character")) << url;
    }
}

TEST(ServersBytes, AreBoundedBeforeThePackAndInIt) {
    const test::TempDir dir;
    Contact contact{std::stop_token{}};
    contact.begin(Reach::anywhere, dir.path());
    contact.received(64u << 20);
    EXPECT_THROW(contact.received(1), Error);
    contact.begin(Reach::anywhere, dir.path());
    contact.pack_begins();
    contact.received(std::size_t{1} << 35);
    EXPECT_THROW(contact.received((std::size_t{1} << 35) + 1), Error);
}

}  // namespace
}  // namespace podctl::git

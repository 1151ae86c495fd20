#include "podctl/base/thread.hpp"
#include "podctl/base/wait.hpp"
#include "podctl/serve/control.hpp"

#include "control_listener.hpp"
#include "control_protocol.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <thread>

namespace podctl::serve {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr std::size_t max_clients = 64;
// To send a request, and to take an answer.
constexpr milliseconds client_patience = 5s;
// Before the next try where no client can be accepted: no descriptor is free, say.
constexpr milliseconds accept_interval = 1s;

struct Client {
    enum class State { asks, waits_for_restart, stays, is_answered };

    Fd socket;
    State state = State::asks;
    std::string received = {}, to_send = {};
    int restart = 0;
    Clock::time_point deadline = Clock::now() + client_patience;

    bool has_deadline() const {
        return state == State::asks || state == State::is_answered || !to_send.empty();
    }
    bool is_finished() const { return state == State::is_answered && to_send.empty(); }

    void answer(const std::string& line, State next) {
        to_send = line + "\n";
        state = next;
        deadline = Clock::now() + client_patience;
        send();
    }

    // False: it cannot be sent.
    bool send() {
        while (!to_send.empty()) {
            const auto sent = ::send(socket.get(), to_send.data(), to_send.size(), MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN || errno == EINTR;
            to_send.erase(0, static_cast<std::size_t>(sent));
        }
        return true;
    }

    // False: it has gone, or says more than a request. One that only sends no more gets its answer.
    bool receive() {
        std::array<char, protocol::max_request> block;
        while (true) {
            const auto got = ::recv(socket.get(), block.data(), block.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return errno == EAGAIN;
            if (got == 0) return state == State::asks && received.find('\n') != received.npos;
            if (state != State::asks) return false;
            received.append(block.data(), static_cast<std::size_t>(got));
            if (received.size() > protocol::max_request) return false;
        }
    }
};

}  // namespace

class ControlServer::Server {
public:
    Server(const std::filesystem::path& state, PodControl& control, std::function<void()> end_pod)
        : control_{control},
          end_pod_{std::move(end_pod)},
          wake_{"cannot serve the control socket"},
          listener_{state} {
        thread_ = start_thread(
            [this](const std::stop_token& stop) {
                while (!stop.stop_requested())
                    turn();
            },
            [](const std::exception_ptr&) {});
    }

    ~Server() {
        thread_.request_stop();
        wake_.wake();
        thread_.join();
        for (auto& client : clients_)
            tell_the_end(client);
    }

private:
    // Where something lacks (memory) the clients of the moment are let go of; the pod stays within
    // reach.
    void turn() {
        try {
            wait();
            control_.take_changes();
            serve_all();
            accept();
        } catch (const std::exception&) {
            for (const auto& client : clients_)
                control_.forget(client.restart);
            clients_.clear();
            accept_at_ = Clock::now() + accept_interval;
        }
    }

    void serve_all() {
        for (auto client = clients_.begin(); client != clients_.end();) {
            if (serve(*client)) {
                ++client;
            } else {
                control_.forget(client->restart);
                client = clients_.erase(client);
            }
        }
    }

    bool can_accept() const { return clients_.size() < max_clients && Clock::now() >= accept_at_; }

    Deadline next_deadline() const {
        Deadline next;
        const auto consider = [&](Clock::time_point at) { next = next ? std::min(*next, at) : at; };
        if (Clock::now() < accept_at_) consider(accept_at_);
        for (const auto& client : clients_)
            if (client.has_deadline()) consider(client.deadline);
        return next;
    }

    void wait() {
        std::vector<Awaited> awaited{{.fd = wake_.fd()},
                                     {.fd = control_.changes_fd()},
                                     {.fd = can_accept() ? listener_.fd() : -1}};
        for (const auto& client : clients_)
            awaited.push_back({.fd = client.socket.get(),
                               .until = client.to_send.empty() ? Awaited::Until::readable
                                                               : Awaited::Until::either});
        wait_for_any(awaited, next_deadline());
    }

    void accept() {
        try {
            while (can_accept()) {
                Fd socket = listener_.accept();
                if (!socket) return;
                clients_.push_back({.socket = std::move(socket)});
            }
        } catch (const Error&) {
            accept_at_ = Clock::now() + accept_interval;
        }
    }

    // False: it is done with, or has to go.
    bool serve(Client& client) {
        if (!client.receive() || !client.send()) return false;
        if (client.has_deadline() && Clock::now() >= client.deadline) return false;
        if (client.state == Client::State::asks) {
            const auto end = client.received.find('\n');
            if (end != std::string::npos) take(client, client.received.substr(0, end));
        }
        if (client.state == Client::State::waits_for_restart) {
            if (const auto restarted = control_.outcome(client.restart))
                client.answer(protocol::answer(*restarted), Client::State::is_answered);
        }
        return !client.is_finished();
    }

    void take(Client& client, const std::string& line) {
        using enum Client::State;
        using Command = protocol::Request::Command;
        try {
            const auto request = protocol::request_of(line);
            switch (request.command) {
                case Command::status:
                    return client.answer(protocol::answer(control_.status()), is_answered);
                case Command::restart:
                    client.restart = control_.ask_restart(request.service);
                    client.state = waits_for_restart;
                    return;
                case Command::end:
                    if (control_.status().phase != PodStatus::Phase::ending && !asked_to_end_)
                        end_pod_();
                    asked_to_end_ = true;
                    return client.answer(protocol::done(), stays);
                case Command::end_at_once:
                    end_pod_();
                    return client.answer(protocol::done(), stays);
                case Command::watch:
                    // Of one that has failed the end has come: its caller need not wait for it.
                    if (control_.status().phase == PodStatus::Phase::failed) {
                        client.state = is_answered;
                        return;
                    }
                    return client.answer(protocol::done(), stays);
            }
        } catch (const std::exception& caught) {
            client.answer(protocol::failed(as_error(caught)), is_answered);
        }
    }

    void tell_the_end(Client& client) {
        if (client.state != Client::State::waits_for_restart) return;
        const auto failure = control_.failure();
        client.answer(
            protocol::failed(failure ? *failure
                                     : Error{ErrorKind::launch, "the pod has ended meanwhile"}),
            Client::State::is_answered);
    }

    PodControl& control_;
    std::function<void()> end_pod_;
    const WakeUp wake_;
    std::list<Client> clients_;
    // Goes before the clients: one that waits for the end makes a socket of its own then.
    ControlListener listener_;
    Clock::time_point accept_at_{};
    bool asked_to_end_ = false;
    std::jthread thread_;
};

ControlServer::ControlServer(const std::filesystem::path& state, PodControl& control,
                             std::function<void()> end_pod) {
    try {
        server_ = std::make_unique<Server>(state, control, std::move(end_pod));
    } catch (const Error& error) {
        control.emit(event::Notice{
            "", error.message() + ": `podctl restart` and `podctl down` cannot reach this pod"});
    }
}

ControlServer::~ControlServer() = default;

}  // namespace podctl::serve

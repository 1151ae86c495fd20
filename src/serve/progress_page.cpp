#include "podctl/serve/progress_page.hpp"

#include "podctl/machine/machine.hpp"

#include "progress_board.hpp"
#include "progress_server.hpp"

#include <fmt/format.h>

namespace podctl::serve {

ProgressPage::ProgressPage(const tmpl::Template& pod, EventSink& next)
    : pod_(pod), next_(next), board_(std::make_unique<ProgressBoard>(pod.name)) {}

ProgressPage::~ProgressPage() {
    close();
}

void ProgressPage::follow(const plan::Plan& plan) {
    if (!pod_.comfyui || !pod_.comfyui->progress_page) return;
    const std::scoped_lock lock{mutex_};
    if (state_ != State::idle) return;
    state_ = State::following;
    std::vector<std::string> steps;
    for (const auto& step : plan.steps)
        steps.push_back(step.id);
    board_->expect(steps);
}

void ProgressPage::emit(const Event& event) {
    {
        const std::scoped_lock lock{mutex_};
        if (state_ != State::idle) board_->observe(event, Meter::Clock::now());
        if (state_ == State::following && opens_with(event)) open();
    }
    next_.emit(event);
}

bool ProgressPage::opens_with(const Event& event) const {
    const auto* started = std::get_if<event::StepStarted>(&event);
    return started && started->step != "preflight";
}

void ProgressPage::open() {
    const auto& comfyui = *pod_.comfyui;
    try {
        auto listeners = machine::listen_on(comfyui.listen, comfyui.port);
        if (!listeners.empty()) {
            server_ = std::make_unique<ProgressServer>(
                std::move(listeners), [this] { return board_->json(Meter::Clock::now()); });
            state_ = State::open;
            return;
        }
        next_.emit(event::Notice{
            "", fmt::format("no progress page: port {} was taken meanwhile", comfyui.port)});
    } catch (const Error& error) {
        next_.emit(event::Notice{"", "no progress page: " + error.message()});
    }
    state_ = State::closed;
}

void ProgressPage::stay() {
    const std::scoped_lock lock{mutex_};
    const bool may_open = state_ == State::following || state_ == State::closed;
    if (may_open) open();
}

std::uint16_t ProgressPage::port() {
    const std::scoped_lock lock{mutex_};
    return state_ == State::open ? pod_.comfyui->port : std::uint16_t{0};
}

void ProgressPage::close() {
    std::unique_ptr<ProgressServer> server;
    {
        const std::scoped_lock lock{mutex_};
        if (state_ != State::idle) state_ = State::closed;
        server = std::move(server_);
    }
}

}  // namespace podctl::serve

#pragma once

#include "podctl/event/event.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/template/template.hpp"

#include <cstdint>
#include <memory>
#include <mutex>

namespace podctl::serve {

class ProgressBoard;
class ProgressServer;

// A page at ComfyUI's address and port that shows how the provisioning goes, until ComfyUI takes
// the port over. It learns of that from the events, which all go on to `next`; what it shows is for
// everybody who reaches the port, so they are to come redacted. Nothing that goes wrong with the
// page, and nothing that its visitors do, is more to the run than a notice.
class ProgressPage : public EventSink {
public:
    ProgressPage(const tmpl::Template& pod, EventSink& next);
    ~ProgressPage() override;
    ProgressPage(const ProgressPage&) = delete;
    ProgressPage& operator=(const ProgressPage&) = delete;

    // What comes now is that plan, and a launch after it. The page opens once a step of it other
    // than preflight, which looks whether the port is free, has something to do; never where the
    // template has no ComfyUI or says `progress_page: false`.
    void follow(const plan::Plan& plan);
    void emit(const Event& event) override;
    // For a run that has failed, and whose process stays: the page opens, once more where it was
    // closed, and says so until it is closed. Nothing where the template wants no page.
    void stay();
    // When it returns nobody listens at the port, and nobody will. Takes no longer than a request
    // that is being answered.
    void close();
    // Where it stands now; 0: nowhere.
    std::uint16_t port();

private:
    bool opens_with(const Event& event) const;
    void open();

    const tmpl::Template& pod_;
    EventSink& next_;
    std::mutex mutex_;
    // idle: nothing is launched after what comes.
    enum class State { idle, following, open, closed } state_ = State::idle;
    std::unique_ptr<ProgressBoard> board_;
    std::unique_ptr<ProgressServer> server_;
};

}  // namespace podctl::serve

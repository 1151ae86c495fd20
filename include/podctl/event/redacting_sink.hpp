#pragma once

#include "podctl/event/event.hpp"
#include "podctl/event/redact.hpp"

#include <utility>

namespace podctl {

// What an event says, without the secrets, and no longer than a person reads.
Event redacted(Event event, const Redactor& redact);

// Passes events on without the secrets.
class RedactingSink : public EventSink {
public:
    RedactingSink(EventSink& next, Redactor redact) : next_(next), redact_(std::move(redact)) {}
    void emit(const Event& event) override { next_.emit(redacted(event, redact_)); }

private:
    EventSink& next_;
    Redactor redact_;
};

}  // namespace podctl

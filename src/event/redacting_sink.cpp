#include "podctl/event/redacting_sink.hpp"

#include "podctl/base/overloaded.hpp"
#include "podctl/base/shorten.hpp"

#include <algorithm>

namespace podctl {

Event redacted(Event event, const Redactor& redact) {
    // Shortened afterwards: half a secret would not be known for one.
    const auto clean = [&](std::string& text) { text = shorten_message(redact(text)); };
    // `get` names a step by its source, whose URL may hold a password.
    std::visit(
        [&](auto& it) {
            if constexpr (requires { it.step; }) clean(it.step);
            if constexpr (requires { it.detail; }) clean(it.detail);
            if constexpr (requires { it.path; }) clean(it.path);
            if constexpr (requires { it.template_path; }) clean(it.template_path);
            if constexpr (requires { it.root; }) clean(it.root);
        },
        event);
    std::visit(
        overloaded{[&](event::ServiceReady& it) { clean(it.url); },
                   [&](event::StepSkipped& it) { clean(it.reason); },
                   [&](event::StepFailed& it) {
                       clean(it.message);
                       clean(it.hint);
                   },
                   [&](event::StepRetrying& it) { clean(it.reason); },
                   [&](event::LaunchFailed& it) {
                       clean(it.message);
                       clean(it.hint);
                   },
                   [&](event::Notice& it) { clean(it.message); },
                   [&](event::ServiceRestarting& it) { clean(it.reason); },
                   [&](event::ServiceOutput& it) { clean(it.line); },
                   [&](event::NodeFailed& it) { clean(it.reason); },
                   [&](event::WorkflowFinished& it) {
                       for (auto* text : {&it.url, &it.workflow, &it.prompt_id})
                           clean(*text);
                       for (auto& its : it.nodes)
                           for (auto* text : {&its.id, &its.class_type, &its.title})
                               clean(*text);
                       for (auto& its : it.outputs)
                           for (auto* text : {&its.node, &its.class_type, &its.file, &its.url,
                                              &its.path, &its.text, &its.type, &its.format})
                               clean(*text);
                       for (auto& its : it.faults) {
                           for (auto* text : {&its.node, &its.class_type, &its.input, &its.message,
                                              &its.hint, &its.details})
                               clean(*text);
                           std::ranges::for_each(its.also, clean);
                       }
                   },
                   [](auto&) {}},
        event);
    return event;
}

}  // namespace podctl

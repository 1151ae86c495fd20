#include "events.hpp"

// What is told of a workflow that has run (docs/run.md).
namespace podctl::cli {

namespace {

const char* word_of_workflow_state(event::WorkflowNode::State state) {
    using State = event::WorkflowNode::State;
    switch (state) {
        case State::not_run:
            return "not_run";
        case State::cached:
            return "cached";
        case State::ran:
            return "ran";
        case State::failed:
            return "failed";
    }
    return "";
}

}  // namespace

template <>
const std::vector<std::string>& words_of<event::WorkflowNode::State>() {
    static const auto words =
        words_up_to(event::WorkflowNode::State::failed, word_of_workflow_state);
    return words;
}

template <>
const Fields<event::WorkflowNode>& fields_of() {
    using It = event::WorkflowNode;
    static const Fields<It> fields{
        {{"node", &It::id, "Its id."},
         {"class_type", &It::class_type, "Its class."},
         {"title", &It::title, "Its title."},
         {"state", &It::state, "What became of it; cached: ComfyUI had its result already."},
         {"seconds", &It::took, "How long it took; 0 where ComfyUI has told of nothing."}}};
    return fields;
}

template <>
const Fields<event::WorkflowOutput>& fields_of() {
    using It = event::WorkflowOutput;
    static const auto size = [](std::uint32_t pixels) {
        return pixels > 0 ? std::optional{pixels} : std::nullopt;
    };
    static const Fields<It> fields{
        {{"node", &It::node, "The node that made it, by its id."},
         {"class_type", &It::class_type, "That node's class."},
         {"file", &It::file, "Its name below ComfyUI's folder; empty for a text."},
         {"url", &It::url, "Where ComfyUI serves it; empty for a text."},
         {"type", &It::type, "ComfyUI's folder, output or temp; text for a text."},
         {"format", &It::format, "What it is: png, mp4, …; empty: not known."},
         {"size", [](const It& it) { return Bytes{it.size}; }, "Its size."},
         {"path", [](const It& it) { return said(it.path); }, "Where it was saved.",
          Unknown::left_out},
         {"text", [](const It& it) { return said(it.text); }, "What a node has shown.",
          Unknown::left_out},
         {"width", [](const It& it) { return it.width > 0 ? size(it.width) : std::nullopt; },
          "Of a picture, in pixels.", Unknown::left_out},
         {"height", [](const It& it) { return it.width > 0 ? size(it.height) : std::nullopt; },
          "Of a picture, in pixels.", Unknown::left_out}}};
    return fields;
}

template <>
const Fields<event::WorkflowFault>& fields_of() {
    using It = event::WorkflowFault;
    static const Fields<It> fields{
        {{"node", &It::node, "The node by its id; empty where it is of none."},
         {"class_type", &It::class_type, "That node's class."},
         {"input", &It::input, "The input that it is about; may be empty."},
         {"message", &It::message, "What is wrong."},
         {"hint", &It::hint, "What to do about it; may be empty."},
         {"details", &It::details, "More lines, a traceback say; may be empty."},
         {"also", &It::also, "Other nodes of which the same is to be said."}}};
    return fields;
}

template <>
const EventTable<event::WorkflowFinished>& event_table() {
    using It = event::WorkflowFinished;
    static const EventTable<It> table{
        {{"workflow.finished", "run", "A workflow has ended, well or not."},
         {"smoke.finished", "smoke", "The smoke test of a workflow has ended."}},
        [](const It& it) -> std::size_t { return it.as == It::As::run ? 0 : 1; },
        {{"step", &It::step, "The step, by its stable id."},
         {"ok", [](const It& it) { return it.faults.empty(); }, "Whether there are no faults."},
         {"url", &It::url, "The ComfyUI that ran it."},
         {"workflow", &It::workflow, "Its file."},
         {"prompt_id", &It::prompt_id, "The id that ComfyUI gave it; empty: it was never queued."},
         {"seed", &It::seed, "What random choices were made by."},
         {"nodes", &It::nodes, "Its nodes."},
         {"outputs", &It::outputs, "What it made."},
         {"faults", &It::faults, "What was wrong."}}};
    return table;
}

}  // namespace podctl::cli

#include "events.hpp"

// What `up`, `get`, `run` and `smoke` tell while they work.
namespace podctl::cli {

namespace {

// Other things than bytes have no rate.
std::optional<BytesPerSecond> rate_of(const Reading& reading) {
    if (reading.unit != "bytes") return std::nullopt;
    return BytesPerSecond{static_cast<std::uint64_t>(reading.rate)};
}

template <typename S>
std::string step_of_service(const S& it) {
    return "service:" + it.service;
}

template <typename S>
Rows<S> reading_rows(Reading (*of)(const S&)) {
    return {{"done", [of](const S& it) { return of(it).done; }, "How much of it is done."},
            {"total", [of](const S& it) { return of(it).total; }, "Of how much; null: not known."},
            {"unit", [of](const S& it) { return of(it).unit; },
             "What is counted: bytes, files, nodes and so on."},
            {"rate", [of](const S& it) { return rate_of(of(it)); },
             "How fast it comes, over the last seconds; null where no bytes are counted."},
            {"eta", [of](const S& it) { return of(it).eta; },
             "When it will be done, from now; null: not known."},
            {"detail", [of](const S& it) { return of(it).detail; },
             "What is being done now; may be empty."}};
}

constexpr auto about_step = "The step, by its stable id.";
constexpr auto about_took = "How long it took.";
constexpr auto about_wait = "How long it waits before.";

template <typename S>
Rows<S> service_rows() {
    return {{"service", &S::service, "Its name; ComfyUI's is comfyui."},
            {"step", step_of_service<S>, "service: and its name."}};
}

struct ErrorSaid {
    ErrorKind kind;
    std::string message, hint;
};

}  // namespace

template <>
const std::vector<std::string>& words_of<ErrorKind>() {
    static const auto words =
        words_up_to(ErrorKind::internal, [](ErrorKind it) { return to_string(it); });
    return words;
}

template <>
const Fields<Reading>& fields_of() {
    static const Fields<Reading> fields{
        reading_rows<Reading>([](const Reading& it) { return it; })};
    return fields;
}

template <>
const Fields<ErrorSaid>& fields_of() {
    static const Fields<ErrorSaid> fields{
        {{"code", &ErrorSaid::kind, "What kind of error it is."},
         {"message", &ErrorSaid::message, "What happened, and where."},
         {"hint", &ErrorSaid::hint, "What to do about it; may be empty."}}};
    return fields;
}

template <>
const EventTable<event::RunStarted>& event_table() {
    using It = event::RunStarted;
    static const EventTable<It> table{
        {"run.started", "up, get, run, smoke", "The first event of a run."},
        {{"template", &It::template_path,
          "The template, as it was named; of other commands what they do."},
         {"root", &It::root,
          "The folder that everything is brought to; of run and smoke the ComfyUI."},
         {"version", &It::version, "podctl's version."}}};
    return table;
}

template <>
const EventTable<event::StepStarted>& event_table() {
    using It = event::StepStarted;
    static const EventTable<It> table{
        {"step.started", "up, get, run, smoke",
         "A step has something to do, and begins. The step launch begins with the first service."},
        {{"step", &It::step, about_step}}};
    return table;
}

template <>
const EventTable<MeasuredProgress>& event_table() {
    using It = MeasuredProgress;
    static const EventTable<It> table{
        {"step.progress", "up, get, run, smoke",
         "How far a step is: at most once a second for each, and once before its end."},
        joined<It>({{"step", &It::step, about_step}},
                   reading_rows<It>([](const It& it) { return it.reading; }))};
    return table;
}

template <>
const EventTable<Overall>& event_table() {
    using It = Overall;
    static const EventTable<It> table{
        {"run.progress", "up, get",
         "How far all files together are, while two or more of them come: at most once a second."},
        {{"done", [](const It& it) { return Bytes{it.bytes.done}; }, "What has come."},
         {"total",
          [](const It& it) {
              return it.bytes.total ? std::optional{Bytes{*it.bytes.total}} : std::nullopt;
          },
          "Of how much; null as long as some file's size is not known."},
         {"rate", [](const It& it) { return rate_of(it.bytes); }, "How fast all of it comes."},
         {"eta", [](const It& it) { return it.bytes.eta; },
          "When all will be there, from now; null: not known."},
         {"files", &It::files, "Files of which bytes came, or are coming."},
         {"files_done", &It::files_done, "Those that are done."}}};
    return table;
}

template <>
const EventTable<event::StepSkipped>& event_table() {
    using It = event::StepSkipped;
    static const EventTable<It> table{
        {{"step.skipped", "up", "Nothing is to be done: what the step makes is there."},
         {"step.not_run", "up",
          "The step did not run, since one that it needs has failed, or did not run itself."}},
        [](const It& it) -> std::size_t { return it.why == It::Why::kept ? 0 : 1; },
        {{"step", &It::step, about_step},
         {"reason", &It::reason, "What shows that it is there, or which step has failed."}}};
    return table;
}

template <>
const EventTable<event::StepFinished>& event_table() {
    using It = event::StepFinished;
    static const EventTable<It> table{
        {"step.finished", "up, get, run, smoke", "A step has done what it had to."},
        {{"step", &It::step, about_step},
         {"seconds", &It::took, about_took},
         {"changed", &It::changed, "Whether something is other than it was before."}}};
    return table;
}

template <>
const EventTable<event::StepFailed>& event_table() {
    using It = event::StepFailed;
    static const EventTable<It> table{
        {"step.failed", "up, get, run, smoke", "A step has failed for good."},
        {{"step", &It::step, about_step},
         {"error",
          [](const It& it) {
              return ErrorSaid{it.kind, it.message, it.hint};
          },
          "What went wrong."},
         {"optional", &It::optional, "Whether the run can end well all the same."}}};
    return table;
}

template <>
const EventTable<event::StepRetrying>& event_table() {
    using It = event::StepRetrying;
    static const EventTable<It> table{
        {"step.retrying", "up, get", "Something went wrong that may pass; it is tried again."},
        {{"step", &It::step, about_step},
         {"attempt", &It::attempt, "The attempt that comes now; the first one was 1."},
         {"wait", &It::wait, about_wait},
         {"reason", &It::reason, "What went wrong."}}};
    return table;
}

template <>
const EventTable<event::FileReady>& event_table() {
    using It = event::FileReady;
    static const EventTable<It> table{
        {"file.ready", "get", "A file that was asked for is at its place."},
        {{"step", &It::step, about_step},
         {"path", &It::path, "Where it is."},
         {"size", [](const It& it) { return Bytes{it.size}; }, "Its size."},
         {"sha256", &It::sha256, "Its digest; empty where it was not looked at."}}};
    return table;
}

template <>
const EventTable<event::ServiceStarted>& event_table() {
    using It = event::ServiceStarted;
    static const EventTable<It> table{
        {"service.started", "up", "A service's process has begun."},
        joined(service_rows<It>(), {{"pid", &It::pid, "Its process id."}})};
    return table;
}

template <>
const EventTable<event::ServiceReady>& event_table() {
    using It = event::ServiceReady;
    static const EventTable<It> table{
        {"service.ready", "up", "A service answers."},
        joined(service_rows<It>(),
               {{"url", &It::url, "Where it answers; empty where it has no port."},
                {"seconds", &It::took, "How long that took from its start."}})};
    return table;
}

template <>
const EventTable<event::ServiceExited>& event_table() {
    using It = event::ServiceExited;
    static const EventTable<It> table{
        {"service.exited", "up", "A service's process has ended: by itself, or by a signal."},
        joined(
            service_rows<It>(),
            {{"code",
              [](const It& it) { return it.signal == 0 ? std::optional{it.code} : std::nullopt; },
              "Its exit code, where it ended by itself.", Unknown::left_out},
             {"signal",
              [](const It& it) { return it.signal != 0 ? std::optional{it.signal} : std::nullopt; },
              "The number of the signal that ended it.", Unknown::left_out}})};
    return table;
}

template <>
const EventTable<event::ServiceRestarting>& event_table() {
    using It = event::ServiceRestarting;
    static const EventTable<It> table{
        {"service.restarting", "up", "A service is going to be started again."},
        joined(service_rows<It>(), {{"attempt", &It::attempt, "How many times in a row."},
                                    {"wait", &It::wait, about_wait},
                                    {"reason", &It::reason, "Why."}})};
    return table;
}

template <>
const EventTable<event::NodeFailed>& event_table() {
    using It = event::NodeFailed;
    static const EventTable<It> table{
        {"node.failed", "up", "ComfyUI could not import a custom node pack."},
        {{"node", &It::node, "The pack's name."},
         {"step", [](const It& it) { return "node:" + it.node; }, "node: and its name."},
         {"reason", &It::reason, "What ComfyUI has said."}}};
    return table;
}

template <>
const EventTable<event::ServiceOutput>& event_table() {
    using It = event::ServiceOutput;
    static const EventTable<It> table{
        {"log", "up, logs", "A line that a service has printed; of logs its time is that line's."},
        joined(service_rows<It>(), {{"line", &It::line, "The line, without its end."}})};
    return table;
}

template <>
const EventTable<event::Notice>& event_table() {
    using It = event::Notice;
    static const EventTable<It> table{
        {"notice", "up, get, run, smoke", "Something to know that is no failure."},
        {{"step", [](const It& it) { return said(it.step); },
          "The step that it belongs to, if to one.", Unknown::left_out},
         {"message", &It::message, "What there is to know."}}};
    return table;
}

template <>
const EventTable<Error>& event_table() {
    static const EventTable<Error> table{
        {"error", "every command", "An error that belongs to no step has ended the command."},
        {{"error",
          [](const Error& it) {
              return ErrorSaid{it.kind(), it.message(), it.hint()};
          },
          "What went wrong."}}};
    return table;
}

template <>
const EventTable<event::RunFinished>& event_table() {
    using It = event::RunFinished;
    static const EventTable<It> table{
        {"run.finished", "up, get, run, smoke", "The last event of a run."},
        {{"ok", &It::ok, "Whether all of it went well."},
         {"exit_code", &It::exit_code, "podctl's exit code."},
         {"seconds", &It::took, about_took},
         {"downloaded_bytes", [](const It& it) { return Bytes{it.downloaded_bytes}; },
          "What was downloaded; of run what was saved."}}};
    return table;
}

}  // namespace podctl::cli

#include "events.hpp"

#include <algorithm>

// What plan, doctor, status, restart and down print.
namespace podctl::cli {

template <>
const std::vector<std::string>& words_of<plan::Change>() {
    static const std::vector<std::string> words{"keep", "create", "change", "remove"};
    return words;
}

template <>
const std::vector<std::string>& words_of<run::Finding::Grade>() {
    static const auto words = words_up_to(run::Finding::Grade::fail,
                                          [](run::Finding::Grade it) { return run::word_of(it); });
    return words;
}

template <>
const std::vector<std::string>& words_of<serve::ServiceState>() {
    static const auto words = words_up_to(
        serve::ServiceState::stopped, [](serve::ServiceState it) { return serve::to_string(it); });
    return words;
}

namespace {

using serve::PodStatus;

enum class SecretBy { hub, mirror };
enum class MirrorOf { user, template_ };

std::vector<std::string> phase_words() {
    auto words = words_up_to(PodStatus::Phase::left_behind,
                             [](PodStatus::Phase it) { return serve::to_string(it); });
    words.emplace_back("stopped");
    return words;
}

std::chrono::milliseconds age_of(TimePoint time, TimePoint now) {
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(now - time),
                    std::chrono::milliseconds{0});
}

// "sha256:…", as they stand behind --hash=.
std::vector<std::string> digests_of(const python::Pin& pin) {
    std::vector<std::string> digests;
    for (const auto& hash : pin.hashes)
        digests.push_back(hash.substr(hash.find('=') + 1));
    return digests;
}

template <typename T>
std::optional<T> unless_zero(T value) {
    return value != 0 ? std::optional{value} : std::nullopt;
}

std::optional<PodStatus> living(const StatusTold& it) {
    return it.pod && !it.pod->version.empty() ? it.pod : std::nullopt;
}

std::vector<StatusService> services_of(const StatusTold& it) {
    std::vector<StatusService> services;
    if (it.pod)
        for (const auto& service : it.pod->services)
            services.push_back({service, it.now});
    return services;
}

}  // namespace

template <>
const std::vector<std::string>& words_of<SecretBy>() {
    static const std::vector<std::string> words{"hub", "mirror"};
    return words;
}

template <>
const std::vector<std::string>& words_of<MirrorOf>() {
    static const std::vector<std::string> words{"user", "template"};
    return words;
}

template <>
const EventTable<plan::Assessment>& event_table() {
    using It = plan::Assessment;
    static const EventTable<It> table{
        {"plan.step", "plan, up --dry-run", "What a step would do."},
        {{"step", &It::step, "The step, by its stable id."},
         {"change", &It::change, "What it would do; remove: of what no step names any more."},
         {"reason", &It::reason, "Why."},
         {"download_bytes", &It::download, "What it would download, where that is known.",
          Unknown::left_out}}};
    return table;
}

template <>
const EventTable<PlannedPackage>& event_table() {
    using It = PlannedPackage;
    static const EventTable<It> table{
        {"plan.package", "plan -v", "A Python package that an environment has or would get."},
        {{"step", &It::step, "The step that installs it."},
         {"requirement", [](const It& it) { return it.pin.requirement; },
          "name==version, or name @ url."},
         {"asked_by", [](const It& it) { return it.pin.asked_by; },
          "Who asks for it: file:line, and other packages."},
         {"hashes", [](const It& it) { return digests_of(it.pin); },
          "Digests of the files that may be taken for it, each with its algorithm."}}};
    return table;
}

template <>
const Fields<run::Recipient>& fields_of() {
    using It = run::Recipient;
    static const Fields<It> fields{
        {{"name", &It::secret, "The secret's name."},
         {"origin", &It::origin, "Who gets it."},
         {"by",
          [](const It& it) { return it.by == It::By::hub ? SecretBy::hub : SecretBy::mirror; },
          "Whether that is a hub or stands in for one."},
         {"mirror_of",
          [](const It& it) -> std::optional<MirrorOf> {
              if (it.by == It::By::hub) return std::nullopt;
              return it.by == It::By::users_mirror ? MirrorOf::user : MirrorOf::template_;
          },
          "Who has named the mirror.", Unknown::left_out}}};
    return fields;
}

template <>
const Fields<PlanUnknown>& fields_of() {
    using It = PlanUnknown;
    static const Fields<It> fields{
        {{"models", [](const It& it) { return it.bill.models; }, "Models."},
         {"repositories", [](const It& it) { return it.bill.repositories; }, "Repositories."},
         {"archives", [](const It& it) { return it.bill.archives; }, "Archives of the registry."},
         {"environments", [](const It& it) { return it.bill.environments; }, "Environments."},
         {"packages", [](const It& it) { return it.bill.packages; },
          "Packages of those environments whose lock is known."}}};
    return fields;
}

template <>
const EventTable<PlanFinished>& event_table() {
    using It = PlanFinished;
    static const EventTable<It> table{
        {"plan.finished", "plan, up --dry-run", "What all steps together would do."},
        {{"create", &It::create, "Steps that would make something."},
         {"change", &It::change, "Steps that would change something."},
         {"keep", &It::keep, "Steps with nothing to do."},
         {"remove", &It::remove, "What would be moved away."},
         {"download_bytes", [](const It& it) { return it.bill.download; },
          "What would be downloaded, as far as it is known."},
         {"disk_bytes", [](const It& it) { return it.bill.disk; },
          "What would lie on the volume in addition, at least."},
         {"store_bytes", [](const It& it) { return it.bill.store; },
          "The same on the disk of the store, where that is another one."},
         {"unknown_sizes", [](const It& it) { return it.bill.unknown; },
          "Steps whose size nobody knows."},
         {"unknown", [](const It& it) { return PlanUnknown{it.bill}; }, "What these are."},
         {"secrets", &It::recipients, "Who would be given which secret."}}};
    return table;
}

template <>
const EventTable<run::Finding>& event_table() {
    using It = run::Finding;
    static const EventTable<It> table{
        {"doctor.finding", "doctor, plan", "What one look at the machine has found."},
        {{"check", &It::check, "What was looked at, as gpu, volume or port 9000."},
         {"grade", &It::grade, "ok; warn: to be looked at; fail: up would refuse."},
         {"message", &It::message, "What was found."},
         {"remedy", [](const It& it) { return said(it.remedy); },
          "What to do about a warning or a failure.", Unknown::left_out}}};
    return table;
}

template <>
const EventTable<DoctorFinished>& event_table() {
    using It = DoctorFinished;
    static const EventTable<It> table{{"doctor.finished", "doctor", "All findings, counted."},
                                      {{"ok", &It::ok, "Those that are well."},
                                       {"warn", &It::warn, "Those to be looked at."},
                                       {"fail", &It::fail, "Those in the way."}}};
    return table;
}

template <>
const Fields<StatusHolder>& fields_of() {
    using It = StatusHolder;
    static const Fields<It> fields{
        {{"host", [](const It& it) { return it.holder.host; }, "The machine that it runs on."},
         {"pid", [](const It& it) { return it.holder.pid; }, "Its process id there."},
         {"seconds", [](const It& it) { return age_of(it.holder.since, it.now); },
          "For how long it has held the volume."}}};
    return fields;
}

template <>
const std::vector<std::string>& words_of<serve::PodStep::State>() {
    static const auto words =
        words_up_to(serve::PodStep::State::failed,
                    [](serve::PodStep::State it) { return serve::to_string(it); });
    return words;
}

template <>
const Fields<serve::PodStep>& fields_of() {
    using It = serve::PodStep;
    static const Fields<It> fields{
        {{"step", &It::step, "The step, by its stable id."},
         {"state", &It::state,
          "skipped: nothing was to be done; not_run: one that it needs failed."},
         {"seconds", &It::took, "How long it took, or has been running."},
         {"progress", &It::progress, "How far it is; null: it tells of none."}}};
    return fields;
}

template <>
const Fields<serve::LastRun::Failure>& fields_of() {
    using It = serve::LastRun::Failure;
    static const Fields<It> fields{
        {{"step", &It::step, "The step; launch for the services; empty: it belongs to none."},
         {"message", &It::message, "What happened, and where."},
         {"hint", &It::hint, "What to do about it; may be empty."}}};
    return fields;
}

template <>
const Fields<StatusLastRun>& fields_of() {
    using It = StatusLastRun;
    static const Fields<It> fields{
        {{"template", [](const It& it) { return it.run.template_path; }, "Its template."},
         {"version", [](const It& it) { return it.run.version; }, "The podctl that ran."},
         {"ago",
          [](const It& it) { return age_of(it.run.end ? it.run.end->at : it.run.started, it.now); },
          "How long ago it ended, or began where its end is not known."},
         {"took",
          [](const It& it) {
              return it.run.end ? std::optional{age_of(it.run.started, it.run.end->at)}
                                : std::nullopt;
          },
          "How long it took; null: it was killed, or its machine has stopped."},
         {"exit_code",
          [](const It& it) {
              return it.run.end ? std::optional{it.run.end->exit_code} : std::nullopt;
          },
          "How it ended; null: that is not known."},
         {"failures", [](const It& it) { return it.run.failures; }, "What it failed by."}}};
    return fields;
}

template <>
const Fields<serve::FailedNode>& fields_of() {
    using It = serve::FailedNode;
    static const Fields<It> fields{{{"node", &It::node, "The pack's folder."},
                                    {"reason", &It::reason, "What ComfyUI's log says of it."}}};
    return fields;
}

template <>
const Fields<StatusService>& fields_of() {
    using It = StatusService;
    static const Fields<It> fields{
        {{"name", [](const It& it) { return it.service.name; }, "Its name."},
         {"state", [](const It& it) { return it.service.state; }, "What it does now."},
         {"pid", [](const It& it) { return unless_zero(it.service.pid); },
          "Its process id; null: it does not run."},
         {"port", [](const It& it) { return unless_zero(it.service.port); },
          "Its port; null: it has none."},
         {"url", [](const It& it) { return it.service.url; },
          "Where it answers; empty where it has no port."},
         {"restarts", [](const It& it) { return std::max(0, it.service.starts - 1); },
          "How many times it was started again."},
         {"uptime",
          [](const It& it) {
              return it.service.pid != 0 ? std::optional{age_of(it.service.started, it.now)}
                                         : std::nullopt;
          },
          "For how long it has run; null: it does not."},
         {"last_exit", [](const It& it) { return it.service.last_exit; },
          "How it ended the last time; empty: it never has."}}};
    return fields;
}

template <>
const EventTable<StatusTold>& event_table() {
    using It = StatusTold;
    static const EventTable<It> table{
        {"status", "status", "What a pod does now, and its services."},
        {{"root", &It::root, "The pod's root."},
         {"local", &It::local, "The pod's own folder."},
         {"volume_holder",
          [](const It& it) {
              return it.volume_holder ? std::optional{StatusHolder{*it.volume_holder, it.now}}
                                      : std::nullopt;
          },
          "The podctl that works on the volume, this pod's or another's; null: none does."},
         {{.name = "phase",
           .type = {.kind = FieldKind::word, .words = phase_words()},
           .meaning = "What the pod does; left behind: podctl was killed, and services still run; "
                      "stopped: no pod runs."},
          [](const It& it) {
              return Json(it.pod ? std::string{serve::to_string(it.pod->phase)} : "stopped");
          }},
         {"pid", [](const It& it) { return it.pod ? unless_zero(it.pod->pid) : std::nullopt; },
          "podctl's process id; null: it does not run."},
         {"version",
          [](const It& it) {
              const auto pod = living(it);
              return pod ? said(pod->version) : std::nullopt;
          },
          "The version of the podctl that runs.", Unknown::left_out},
         {"template",
          [](const It& it) {
              const auto pod = living(it);
              return pod ? std::optional{pod->template_path} : std::nullopt;
          },
          "Its template.", Unknown::left_out},
         {"uptime",
          [](const It& it) {
              const auto pod = living(it);
              return pod ? std::optional{age_of(pod->started, it.now)} : std::nullopt;
          },
          "For how long it has run.", Unknown::left_out},
         {"last_run",
          [](const It& it) {
              return it.last_run ? std::optional{StatusLastRun{*it.last_run, it.now}}
                                 : std::nullopt;
          },
          "The run before, where none is on; null: one is on, or there was none."},
         {"steps",
          [](const It& it) { return it.pod ? it.pod->steps : std::vector<serve::PodStep>{}; },
          "The steps of its provisioning that have begun, in that order."},
         {"services", services_of, "Its services."},
         {"failed_nodes",
          [](const It& it) {
              return it.pod ? it.pod->failed_nodes : std::vector<serve::FailedNode>{};
          },
          "Packs that ComfyUI could not import, and goes on without."}}};
    return table;
}

template <>
const EventTable<ServiceRestarted>& event_table() {
    using It = ServiceRestarted;
    static const EventTable<It> table{
        {"service.restarted", "restart", "A service was started again, and is ready."},
        {{"service", [](const It& it) { return it.service.name; }, "Its name."},
         {"step", [](const It& it) { return "service:" + it.service.name; },
          "service: and its name."},
         {"pid", [](const It& it) { return it.service.pid; },
          "Its process id now; 0: it has ended."},
         {"url", [](const It& it) { return it.service.url; },
          "Where it answers; empty where it has no port."}}};
    return table;
}

template <>
const EventTable<DownFinished>& event_table() {
    using It = DownFinished;
    static const EventTable<It> table{{"down", "down", "Nothing of the pod runs any more."},
                                      {{"root", &It::root, "The pod's root."},
                                       {"changed", &It::changed, "Whether anything ran before."}}};
    return table;
}

}  // namespace podctl::cli

#pragma once

#include "podctl/download/store_care.hpp"
#include "podctl/event/event.hpp"
#include "podctl/event/meter.hpp"
#include "podctl/plan/plan.hpp"
#include "podctl/python/python.hpp"
#include "podctl/run/doctor.hpp"
#include "podctl/run/lock.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/serve/control.hpp"
#include "podctl/serve/last_run.hpp"
#include "podctl/template/catalog.hpp"
#include "podctl/template/load.hpp"

#include "../put.hpp"
#include "event_fields.hpp"

#include <optional>
#include <string>
#include <tuple>
#include <vector>

// Every kind of event that podctl prints with --output json. What is not in the list at the end
// cannot be printed; what is in it needs a table (event_tables*.cpp), and is in the schema and on
// the page by that.
namespace podctl::cli {

// step.progress, with what was measured.
struct MeasuredProgress {
    std::string step;
    Reading reading;
};

struct PlannedPackage {
    std::string step;
    python::Pin pin;
};
struct PlanFinished {
    std::size_t create = 0, change = 0, keep = 0, remove = 0;
    plan::Bill bill;
    std::vector<run::Recipient> recipients;
};
struct PlanUnknown {
    plan::Bill bill;
};

struct DoctorFinished {
    std::size_t ok = 0, warn = 0, fail = 0;
};

// A pod that is asked about; without `pod` there is none.
struct StatusTold {
    std::filesystem::path root, local;
    std::optional<run::LockHolder> volume_holder;
    std::optional<serve::PodStatus> pod;
    std::optional<serve::LastRun> last_run;  // the one before, where none is on
    TimePoint now;
};
// Parts of it: an age is told, not a time.
struct StatusService {
    const serve::RunningService& service;
    TimePoint now;
};
struct StatusLastRun {
    serve::LastRun run;
    TimePoint now;
};
struct StatusHolder {
    const run::LockHolder& holder;
    TimePoint now;
};

struct ServiceRestarted {
    serve::RunningService service;
};
struct DownFinished {
    std::filesystem::path root;
    bool changed = false;
};

struct StoreModel {
    enum class Is { there, removed } is = Is::there;
    download::StoreEntry entry;
};
struct StoreChecked {
    download::StoreEntry entry;
    std::optional<download::StoreDamage> damage;
};
// Each action counts something else.
struct StoreFinished {
    std::filesystem::path path;
    std::optional<std::size_t> models = {};
    std::optional<Bytes> bytes = {};
    std::optional<std::size_t> unused_models = {};
    std::optional<Bytes> unused_bytes = {};
    std::optional<std::size_t> damaged = {};
    std::optional<bool> dry_run = {};
    std::optional<std::size_t> removed = {}, leftovers = {};
    std::optional<Bytes> freed = {};
    std::optional<std::size_t> kept_as_new = {}, kept_as_unseen = {};
};

struct ModelLines {
    std::string name, yaml;
};

struct GalleryTemplate {
    std::string name, summary;
};
struct TemplateWritten {
    std::string name, path;
};
struct EffectiveTemplate {
    std::string path, yaml;
};
struct TemplateRemark {
    enum class Grade { error, hint } grade = Grade::error;
    tmpl::Diagnostic diagnostic;
};
struct TemplateValid {
    std::string path;
    std::size_t hints = 0;
};

// In the order of the page.
using JsonEvents =
    std::tuple<event::RunStarted, event::StepStarted, MeasuredProgress, Overall, event::StepSkipped,
               event::StepFinished, event::StepFailed, event::StepRetrying, event::FileReady,
               event::ServiceStarted, event::ServiceReady, event::ServiceExited,
               event::ServiceRestarting, event::NodeFailed, event::ServiceOutput, event::Notice,
               Error, event::RunFinished, event::WorkflowFinished, plan::Assessment, PlannedPackage,
               PlanFinished, run::Finding, DoctorFinished, StatusTold, ServiceRestarted,
               DownFinished, TemplateRemark, TemplateValid, EffectiveTemplate, GalleryTemplate,
               TemplateWritten, tmpl::CatalogEntry, ModelLines, StoreModel, StoreChecked,
               StoreFinished>;

// Their tables, and what stands in those of more than one file.
template <>
const Fields<Reading>& fields_of();
template <>
const EventTable<event::RunStarted>& event_table();
template <>
const EventTable<event::StepStarted>& event_table();
template <>
const EventTable<MeasuredProgress>& event_table();
template <>
const EventTable<Overall>& event_table();
template <>
const EventTable<event::StepSkipped>& event_table();
template <>
const EventTable<event::StepFinished>& event_table();
template <>
const EventTable<event::StepFailed>& event_table();
template <>
const EventTable<event::StepRetrying>& event_table();
template <>
const EventTable<event::FileReady>& event_table();
template <>
const EventTable<event::ServiceStarted>& event_table();
template <>
const EventTable<event::ServiceReady>& event_table();
template <>
const EventTable<event::ServiceExited>& event_table();
template <>
const EventTable<event::ServiceRestarting>& event_table();
template <>
const EventTable<event::NodeFailed>& event_table();
template <>
const EventTable<event::ServiceOutput>& event_table();
template <>
const EventTable<event::Notice>& event_table();
template <>
const EventTable<Error>& event_table();
template <>
const EventTable<event::RunFinished>& event_table();
template <>
const EventTable<event::WorkflowFinished>& event_table();
template <>
const EventTable<plan::Assessment>& event_table();
template <>
const EventTable<PlannedPackage>& event_table();
template <>
const EventTable<PlanFinished>& event_table();
template <>
const EventTable<run::Finding>& event_table();
template <>
const EventTable<DoctorFinished>& event_table();
template <>
const EventTable<StatusTold>& event_table();
template <>
const EventTable<ServiceRestarted>& event_table();
template <>
const EventTable<DownFinished>& event_table();
template <>
const EventTable<TemplateRemark>& event_table();
template <>
const EventTable<TemplateValid>& event_table();
template <>
const EventTable<EffectiveTemplate>& event_table();
template <>
const EventTable<GalleryTemplate>& event_table();
template <>
const EventTable<TemplateWritten>& event_table();
template <>
const EventTable<tmpl::CatalogEntry>& event_table();
template <>
const EventTable<ModelLines>& event_table();
template <>
const EventTable<StoreModel>& event_table();
template <>
const EventTable<StoreChecked>& event_table();
template <>
const EventTable<StoreFinished>& event_table();

template <typename S, typename List>
inline constexpr bool is_one_of = false;
template <typename S, typename... Listed>
inline constexpr bool is_one_of<S, std::tuple<Listed...>> = (std::same_as<S, Listed> || ...);
template <typename S>
concept JsonEvent = is_one_of<S, JsonEvents>;

// The event as one line of JSON, without its end of line.
template <JsonEvent S>
std::string event_line(const S& it, const std::string& time = utc_now()) {
    return json_line(event_table<S>().json(it, time));
}
// The same on stdout.
template <JsonEvent S>
void put_event(const S& it) {
    put_json(event_table<S>().json(it, utc_now()));
}

// All of the list.
std::vector<EventShape> event_shapes();
// The JSON Schema (draft 2020-12) of a line, and the page about it, each with a newline at its end.
std::string event_schema();
std::string event_reference();

}  // namespace podctl::cli

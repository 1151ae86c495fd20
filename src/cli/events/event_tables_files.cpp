#include "events.hpp"

// What validate, config, templates, init, models and store print.
namespace podctl::cli {

template <>
const std::vector<std::string>& words_of<TemplateRemark::Grade>() {
    static const std::vector<std::string> words{"error", "hint"};
    return words;
}

template <>
const std::vector<std::string>& words_of<download::LinkKind>() {
    static const auto words = words_up_to(
        download::LinkKind::copy, [](download::LinkKind it) { return download::to_string(it); });
    return words;
}

template <>
const std::vector<std::string>& words_of<download::StoredPlace::State>() {
    static const std::vector<std::string> words{"linked", "gone", "unseen"};
    return words;
}

namespace {

// Lines and columns count from 1.
std::optional<int> counted_place(int number) {
    return number > 0 ? std::optional{number} : std::nullopt;
}

}  // namespace

template <>
const EventTable<TemplateRemark>& event_table() {
    using It = TemplateRemark;
    static const EventTable<It> table{
        {"template.diagnostic", "every command that reads a template",
         "One thing that is wrong with a template, or a hint. All of them come before the error "
         "that ends the command."},
        {{"grade", &It::grade, "error, or hint: it can be used all the same."},
         {"file", [](const It& it) { return it.diagnostic.file; }, "The file that it stands in."},
         {"line", [](const It& it) { return counted_place(it.diagnostic.line); },
          "The line, from 1; null: it stands in none, as --set and what is missing."},
         {"column", [](const It& it) { return counted_place(it.diagnostic.column); },
          "The column, from 1; null: as line."},
         {"key", [](const It& it) { return it.diagnostic.key; },
          "The key, as models[2].sha256; empty: it is about none."},
         {"message", [](const It& it) { return it.diagnostic.message; },
          "What was found, and what is allowed or meant."}}};
    return table;
}

template <>
const EventTable<TemplateValid>& event_table() {
    using It = TemplateValid;
    static const EventTable<It> table{
        {"validate.finished", "validate", "The template is valid."},
        {{"template", &It::path, "The template, as it was named."},
         {"hints", &It::hints, "How many template.diagnostic came with the grade hint."}}};
    return table;
}

template <>
const EventTable<EffectiveTemplate>& event_table() {
    using It = EffectiveTemplate;
    static const EventTable<It> table{{"config", "config", "The effective template."},
                                      {{"template", &It::path, "The template, as it was named."},
                                       {"yaml", &It::yaml, "What it comes to, without secrets."}}};
    return table;
}

template <>
const EventTable<GalleryTemplate>& event_table() {
    using It = GalleryTemplate;
    static const EventTable<It> table{
        {"templates.template", "templates", "A template of the gallery."},
        {{"name", &It::name, "Its name, for init."}, {"summary", &It::summary, "What it is for."}}};
    return table;
}

template <>
const EventTable<TemplateWritten>& event_table() {
    using It = TemplateWritten;
    static const EventTable<It> table{
        {"init", "init", "A template of the gallery was written. With -o - it is printed instead."},
        {{"name", &It::name, "Its name in the gallery."}, {"path", &It::path, "The file."}}};
    return table;
}

template <>
const Fields<tmpl::CatalogFile>& fields_of() {
    using It = tmpl::CatalogFile;
    static const Fields<It> fields{
        {{"source", &It::source, "Where it is from, as models[].source has it."},
         {"to", &It::to, "The folder under models/."},
         {"bytes", &It::size, "Its size; null: only the hub knows."},
         {"exact", &It::size_is_exact, "Whether that is exact."},
         {"unpack", &It::unpack, "Whether it is an archive that is unpacked."},
         {"pickle", &It::allow_pickle, "Whether it is a pickle: loading it runs its code."},
         {"name", [](const It& it) { return said(it.name); }, "Its name; null: the source's own."},
         {"sha256", [](const It& it) { return said(it.sha256); },
          "Its digest; null: the hub's own."},
         {"layout", [](const It& it) { return said(it.layout); }, "Its layout; null: flat."}}};
    return fields;
}

namespace {

struct CatalogVram {
    std::optional<Bytes> least, comfortable;
};

}  // namespace

template <>
const Fields<CatalogVram>& fields_of() {
    using It = CatalogVram;
    static const Fields<It> fields{
        {{"min_bytes", &It::least, "What people get by with; null: not known."},
         {"comfortable_bytes", &It::comfortable,
          "What leaves nothing to wish for; null: not known."}}};
    return fields;
}

template <>
const EventTable<tmpl::CatalogEntry>& event_table() {
    using It = tmpl::CatalogEntry;
    static const EventTable<It> table{
        {"models.model", "models", "A model of the catalog."},
        {{"name", &It::name, "Its name, for models[].catalog."},
         {"title", &It::title, "Its title."},
         {"tasks",
          [](const It& it) {
              TextMap tasks;
              for (const auto& use : it.uses)
                  tasks[use.task] = use.how;
              return tasks;
          },
          "What it is for: the task, and how it does it."},
         {"files", &It::files, "Its files."},
         {"bytes", &It::size, "The size of all of them; null: not known."},
         {"vram",
          [](const It& it) {
              return CatalogVram{it.least_vram, it.comfortable_vram};
          },
          "The GPU memory that it needs."},
         {"licence", &It::licence, "Its licence."},
         {"needs", &It::needs, "Models of the catalog that it goes with."},
         {"custom_nodes", &It::custom_nodes, "Repositories of the packs that load it."},
         {"note", &It::note, "What else there is to know; may be empty."}}};
    return table;
}

template <>
const EventTable<ModelLines>& event_table() {
    using It = ModelLines;
    static const EventTable<It> table{
        {"models.lines", "models --yaml", "The lines of a template for a model of the catalog."},
        {{"name", &It::name, "The model."}, {"yaml", &It::yaml, "The lines."}}};
    return table;
}

template <>
const Fields<download::StoredPlace>& fields_of() {
    using It = download::StoredPlace;
    static const Fields<It> fields{
        {{"path", &It::path, "Where it is linked to."},
         {"kind", &It::kind, "How."},
         {"state", &It::state,
          "gone: something else stands there; unseen: nobody can tell from here."}}};
    return fields;
}

namespace {

template <typename S>
Rows<S> stored_rows() {
    return {{"sha256", [](const S& it) { return it.entry.file.sha256; }, "Its digest."},
            {"bytes", [](const S& it) { return Bytes{it.entry.file.size}; }, "Its size."},
            {"name", [](const S& it) { return said(it.entry.name); },
             "The name that it came under; null: nobody has noted it."},
            {"in_use", [](const S& it) { return it.entry.is_in_use(); }, "Whether a root has it."},
            {"hard_links", [](const S& it) { return it.entry.names; },
             "How many, beside its name in the store."},
            {"places", [](const S& it) { return it.entry.places; }, "Where it is linked to."}};
}

}  // namespace

template <>
const EventTable<StoreModel>& event_table() {
    using It = StoreModel;
    static const EventTable<It> table{
        {{"store.model", "store list", "A model that is in the store."},
         {"store.removed", "store prune", "A model that has left the store, or would."}},
        [](const It& it) { return static_cast<std::size_t>(it.is); },
        stored_rows<It>()};
    return table;
}

template <>
const EventTable<StoreChecked>& event_table() {
    using It = StoreChecked;
    static const EventTable<It> table{
        {"store.checked", "store check", "A model whose bytes were compared with its digest."},
        joined(stored_rows<It>(),
               {{"fault",
                 [](const It& it) {
                     return it.damage ? std::optional{it.damage->fault} : std::nullopt;
                 },
                 "What is wrong with it; null: nothing."},
                {"moved_to",
                 [](const It& it) { return it.damage ? it.damage->moved_to : std::nullopt; },
                 "Where --repair has moved it.", Unknown::left_out}})};
    return table;
}

template <>
const EventTable<StoreFinished>& event_table() {
    using It = StoreFinished;
    using enum Unknown;
    static const EventTable<It> table{
        {"store.finished", "store list, check, prune", "The store as a whole."},
        {{"path", &It::path, "Its folder."},
         {"models", &It::models, "Of list and check: how many there are.", left_out},
         {"bytes", &It::bytes, "Of list: their size.", left_out},
         {"unused_models", &It::unused_models, "Of list: those that no root has.", left_out},
         {"unused_bytes", &It::unused_bytes, "Of list: their size.", left_out},
         {"damaged", &It::damaged, "Of check: how many are damaged.", left_out},
         {"dry_run", &It::dry_run, "Of prune: whether nothing was removed.", left_out},
         {"removed", &It::removed, "Of prune: models that have gone, or would.", left_out},
         {"leftovers", &It::leftovers, "Of prune: damaged and unfinished files with them.",
          left_out},
         {"freed_bytes", &It::freed, "Of prune: the size of all that.", left_out},
         {"kept_as_new", &It::kept_as_new, "Of prune: unused, but new.", left_out},
         {"kept_as_unseen", &It::kept_as_unseen,
          "Of prune: with symbolic links only from what cannot be seen from here.", left_out}}};
    return table;
}

}  // namespace podctl::cli

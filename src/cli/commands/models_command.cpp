#include "podctl/base/names.hpp"
#include "podctl/template/catalog.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../live_view.hpp"
#include "../put.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>

namespace podctl::cli {
namespace {

using tmpl::CatalogEntry;
using tmpl::CatalogFile;

struct ModelsArguments {
    std::string word;  // a task or a model; empty: all
    std::string yaml;  // a model
};

std::vector<std::string> task_names() {
    std::vector<std::string> names;
    for (const auto& task : tmpl::catalog().tasks)
        names.push_back(task.name);
    return names;
}

std::vector<std::string> model_names() {
    std::vector<std::string> names;
    for (const auto& entry : tmpl::catalog().entries)
        names.push_back(entry.name);
    return names;
}

[[noreturn]] void refuse(const std::string& what, const std::string& word,
                         const std::vector<std::string>& known) {
    const auto near = nearest(word, known);
    throw Error{ErrorKind::usage, fmt::format("the catalog has no {} named {}", what, word),
                near ? "did you mean " + *near + "?" : "`podctl models` lists them"};
}

const CatalogEntry& find_model(const std::string& name) {
    if (const auto* entry = tmpl::catalog().find(name)) return *entry;
    refuse("model", name, model_names());
}

// Those of a task, or the one of that name.
std::vector<const CatalogEntry*> find_models(const std::string& word) {
    std::vector<const CatalogEntry*> found;
    for (const auto& entry : tmpl::catalog().entries)
        if (word.empty() || entry.name == word || entry.use_for(word)) found.push_back(&entry);
    if (!found.empty()) return found;
    auto known = task_names();
    std::ranges::copy(model_names(), std::back_inserter(known));
    refuse("task or model", word, known);
}

std::string size_of(const CatalogFile& file) {
    if (!file.size) return "size unknown";
    return (file.size_is_exact ? "" : "~") + format_bytes(*file.size);
}

std::string size_of(const CatalogEntry& entry) {
    if (entry.files.empty()) return "-";
    const auto size = entry.size();
    if (!size) return "?";
    const bool exact = std::ranges::all_of(entry.files, &CatalogFile::size_is_exact);
    return (exact ? "" : "~") + format_bytes(*size);
}

std::string vram_of(const CatalogEntry& entry) {
    if (!entry.least_vram || !entry.comfortable_vram) return "-";
    return fmt::format("{}, better {}", format_bytes(*entry.least_vram),
                       format_bytes(*entry.comfortable_vram));
}

// Where it goes, under models/.
std::string place_of(const CatalogFile& file) {
    if (file.unpack) return file.to + "/ (unpacked)";
    if (!file.name.empty()) return file.to + "/" + file.name;
    const auto name = file.source.substr(file.source.rfind('/') + 1);
    return name == file.source ? file.to + "/ (the hub's name)" : file.to + "/" + name;
}

using Row = std::array<std::string, 4>;

void print_rows(const std::vector<Row>& rows) {
    std::array<std::size_t, std::tuple_size_v<Row>> widths{};
    for (const auto& row : rows)
        for (std::size_t i = 0; i + 1 < row.size(); ++i)
            widths[i] = std::max(widths[i], text_width(row[i]));
    for (const auto& row : rows) {
        std::string line = "  ";
        for (std::size_t i = 0; i + 1 < row.size(); ++i)
            line += row[i] + std::string(widths[i] + 2 - text_width(row[i]), ' ');
        put(To::out, line + row.back() + "\n");
    }
}

void print_overview() {
    for (const auto& task : tmpl::catalog().tasks) {
        put(To::out, task.name + ": " + task.summary + "\n");
        std::vector<Row> rows{{"NAME", "FILES", "GPU MEMORY", "MODEL"}};
        for (const auto& entry : tmpl::catalog().entries)
            if (entry.use_for(task.name))
                rows.push_back({entry.name, size_of(entry), vram_of(entry), entry.title});
        print_rows(rows);
        put(To::out, "\n");
    }
    put(To::out,
        "`podctl models TASK` or NAME tells more; `podctl models --yaml NAME` prints the "
        "lines for a\ntemplate, where `models: [{catalog: NAME}]` means the same.\n");
}

void print_detail(const char* what, const std::string& text) {
    if (!text.empty()) put(To::out, fmt::format("  {:<12} {}\n", what, text));
}

void print_text(const CatalogEntry& entry, const std::string& task) {
    put(To::out, entry.name + ": " + entry.title + "\n");
    for (const auto& use : entry.uses)
        if (task.empty() || task == entry.name || task == use.task)
            print_detail((use.task + ":").c_str(), use.how);
    print_detail("GPU memory:", vram_of(entry));
    print_detail("licence:", entry.licence);
    print_detail("goes with:", fmt::format("{}", fmt::join(entry.needs, ", ")));
    for (const auto& git : entry.custom_nodes)
        print_detail("custom node:", git);
    print_detail("note:", entry.note);
    print_detail("files:", entry.files.empty() ? "none" : size_of(entry));
    for (const auto& file : entry.files) {
        put(To::out,
            fmt::format("    models/{}\n      {}{}\n      {}\n", place_of(file), size_of(file),
                        file.allow_pickle ? ", a pickle: loading it runs its code" : "",
                        file.source));
        if (!file.sha256.empty()) put(To::out, "      sha256 " + file.sha256 + "\n");
    }
}

int show_models(const ModelsArguments& arguments, const Common& common) {
    if (!arguments.yaml.empty()) {
        const auto& model = find_model(arguments.yaml);
        const auto lines = tmpl::template_lines(model);
        if (common.output.format == Format::json)
            put_event(ModelLines{model.name, lines});
        else
            put(To::out, lines);
        return 0;
    }
    const auto found = find_models(arguments.word);
    if (common.output.format == Format::json) {
        for (const auto* entry : found)
            put_event(*entry);
    } else if (arguments.word.empty()) {
        print_overview();
    } else {
        for (const auto* entry : found) {
            if (entry != found.front()) put(To::out, "\n");
            print_text(*entry, arguments.word);
        }
    }
    return 0;
}

}  // namespace

void add_models(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "models", "the catalog: models by task, with files, sizes, hashes and licences");
    command->footer(
        "In a template `models: [{catalog: NAME}]` means all files of one.\n\n"
        "Examples:\n"
        "  podctl models\n"
        "  podctl models text-to-image\n"
        "  podctl models instantid-sdxl\n"
        "  podctl models --yaml instantid-sdxl");
    auto arguments = std::make_shared<ModelsArguments>();
    auto* word =
        command->add_option("TASK", arguments->word, "a task or a model's name; absent: all tasks")
            ->type_name("");
    command->add_option("--yaml", arguments->yaml, "print the template lines of this model")
        ->type_name("MODEL")
        ->excludes(word);
    add_output_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] { return show_models(*arguments, common); });
}

}  // namespace podctl::cli

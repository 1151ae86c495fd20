#include "podctl/base/file.hpp"
#include "podctl/base/names.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/template/catalog.hpp"
#include "podctl/template/load.hpp"

#include "../command.hpp"
#include "../events/events.hpp"
#include "../gallery.hpp"
#include "../put.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>

namespace podctl::cli {
namespace {

// The first comment line of a template says what it is.
std::string summary_of(const GalleryEntry& entry) {
    for (const auto& line : split(entry.text, '\n')) {
        if (line.starts_with("# ")) return line.substr(2);
    }
    return {};
}

std::vector<std::string> gallery_names() {
    std::vector<std::string> names;
    for (const auto& entry : embedded_gallery())
        names.push_back(entry.name);
    return names;
}

const GalleryEntry& find_in_gallery(const std::string& name) {
    for (const auto& entry : embedded_gallery())
        if (entry.name == name) return entry;
    const auto near = nearest(name, gallery_names());
    throw Error{ErrorKind::usage, "there is no template named " + name,
                near ? "did you mean " + *near + "?" : "`podctl templates` lists them"};
}

void write_template(const GalleryEntry& entry, const std::string& file, Format format) {
    if (file == "-") {
        put(To::out, entry.text);
        return;
    }
    if (std::filesystem::exists(std::filesystem::symlink_status(file))) {
        throw Error{ErrorKind::usage, file + " is there already", "name another file with -o"};
    }
    write_file_atomically(file, entry.text);
    if (format == Format::json) return put_event(TemplateWritten{entry.name, file});
    put(To::err, "wrote " + file + "; see what it would do with `podctl plan " + file + "`\n");
}

void print_templates(const Common& common) {
    if (common.output.format == Format::json) {
        for (const auto& entry : embedded_gallery())
            put_event(GalleryTemplate{entry.name, summary_of(entry)});
        return;
    }
    std::size_t width = 0;
    for (const auto& entry : embedded_gallery())
        width = std::max(width, entry.name.size());
    for (const auto& entry : embedded_gallery()) {
        put(To::out, entry.name + std::string(width + 2 - entry.name.size(), ' ') +
                         std::string{summary_of(entry)} + "\n");
    }
}

// Of a template that can be used.
void print_verdict(const std::string& path, const std::vector<tmpl::Diagnostic>& hints,
                   const OutputOptions& output) {
    if (output.format == Format::json) {
        for (const auto& hint : hints)
            put_event(TemplateRemark{TemplateRemark::Grade::hint, hint});
        return put_event(TemplateValid{path, hints.size()});
    }
    if (output.verbosity == Verbosity::quiet) return;
    for (const auto& hint : hints)
        put(To::err, hint.to_string() + "\n");
    put(To::err, path + ": valid\n");
}

}  // namespace

void add_validate(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command =
        app.add_subcommand("validate", "check a template; exit 2 when something is wrong");
    command->footer("Example:\n  podctl validate pod.yaml");
    auto arguments = std::make_shared<TemplateArguments>();
    add_template_arguments(*command, *arguments);
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] {
        choose_template(*arguments);
        const auto pod = load(*arguments);
        // The steps find what only the whole template shows: folders that wait for each other,
        // say.
        plan::build_plan(pod, plan::places_of(pod, root_of(pod, common)), {});
        print_verdict(arguments->path, tmpl::missing_packs(pod), common.output);
        return 0;
    });
}

void add_config(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("config", "print the effective template");
    command->footer("Example:\n  podctl config pod.yaml --set comfyui.port=9001");
    auto arguments = std::make_shared<TemplateArguments>();
    add_template_arguments(*command, *arguments);
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] {
        choose_template(*arguments);
        tmpl::LoadOptions options;
        options.overlays.assign(arguments->overlays.begin(), arguments->overlays.end());
        options.set = arguments->set;
        // A presigned query or a password is in no output, though the template has it.
        const auto yaml =
            run::environment_redactor()(tmpl::effective_yaml(arguments->path, options));
        if (common.output.format == Format::json)
            put_event(EffectiveTemplate{arguments->path, yaml});
        else
            put(To::out, yaml);
        return 0;
    });
}

void add_schema(CLI::App& app, Chosen& chosen) {
    auto* command = app.add_subcommand(
        "schema", "print the JSON Schema of a template or of --json's events, or a page on either");
    command->footer(
        "Examples:\n  podctl schema > podctl.schema.json\n"
        "  podctl schema --format markdown > template.md\n"
        "  podctl schema --format events > events.schema.json");
    static const std::map<std::string, std::string (*)()> documents{
        {"json", tmpl::json_schema},
        {"markdown", tmpl::markdown_reference},
        {"events", event_schema},
        {"events-markdown", event_reference}};
    auto format = std::make_shared<std::string>("json");
    command
        ->add_option("--format", *format,
                     "of a template: a JSON Schema, or a page with every key, its values, default "
                     "and meaning; the same of the events that --json prints")
        ->check(CLI::IsMember(documents))
        ->capture_default_str()
        ->type_name("");
    when_chosen(*command, chosen, [format] {
        put(To::out, documents.at(*format)());
        return 0;
    });
}

void add_templates(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("templates", "list the gallery of templates");
    command->footer("Example:\n  podctl templates");
    add_common_flags(*command, common);
    when_chosen(*command, chosen, [&common] {
        print_templates(common);
        return 0;
    });
}

void add_init(CLI::App& app, Common& common, Chosen& chosen) {
    auto* command = app.add_subcommand("init", "write a template of the gallery, to begin with");
    command->footer("Examples:\n  podctl init\n  podctl init ik-comfy-instance -o pod.yaml");
    struct Arguments {
        std::string name = "comfyui", file;
    };
    auto arguments = std::make_shared<Arguments>();
    command->add_option("NAME", arguments->name, "its name in `podctl templates`")
        ->capture_default_str()
        ->type_name(fmt::format("{{{}}}", fmt::join(gallery_names(), ",")));
    command->add_option("-o,--to", arguments->file, "where to write it (NAME.yaml); - is stdout")
        ->type_name("FILE");
    add_output_flags(*command, common);
    when_chosen(*command, chosen, [&common, arguments] {
        const auto& entry = find_in_gallery(arguments->name);
        write_template(entry, arguments->file.empty() ? entry.name + ".yaml" : arguments->file,
                       common.output.format);
        return 0;
    });
}

}  // namespace podctl::cli

#include "command_tree.hpp"

#include "podctl/base/names.hpp"
#include "podctl/template/catalog.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace podctl::cli {
namespace {

// What stands between the braces of "{text,json}", as CLI11 shows a set of values.
std::vector<std::string> choices_in(const std::string& type) {
    const auto open = type.find('{'), close = type.rfind('}');
    if (open == std::string::npos || close == std::string::npos) return {};
    return split(std::string_view{type}.substr(open + 1, close - open - 1), ',');
}

// What is too much for --help to list.
std::vector<std::string> choices_of(const std::string& placeholder) {
    std::vector<std::string> names;
    if (placeholder == "TASK")
        for (const auto& task : tmpl::catalog().tasks)
            names.push_back(task.name);
    if (placeholder == "TASK" || placeholder == "MODEL")
        for (const auto& entry : tmpl::catalog().entries)
            names.push_back(entry.name);
    return names;
}

// The words that stand for a value say what it is.
Argument::Kind kind_of(const std::string& placeholder) {
    if (placeholder == "TEMPLATE" || placeholder == "OVERLAY") return Argument::Kind::template_file;
    if (placeholder == "DIR") return Argument::Kind::folder;
    if (placeholder == "FILE" || placeholder == "SOURCE...DIR") return Argument::Kind::file;
    return Argument::Kind::text;
}

Argument describe(const CLI::Option& option) {
    Argument argument{
        .names = {},
        .value = {},
        .help = option.get_description(),
        .choices = {},
        .is_repeatable = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
                         option.get_items_expected_max() > 1,
        .is_required = option.get_required()};
    if (option.get_positional()) argument.names = {option.get_name(true)};
    for (const auto& name : option.get_snames())
        argument.names.push_back("-" + name);
    for (const auto& name : option.get_lnames())
        argument.names.push_back("--" + name);
    if (option.get_items_expected_max() == 0) return argument;
    const std::string type = option.get_type_name();
    argument.choices = choices_in(type);
    // "N:1-64": the name of the value, then its range.
    argument.value = type.substr(0, type.find_first_of(":{"));
    if (argument.value.empty())
        argument.value = fmt::format("{}", fmt::join(argument.choices, "|"));
    const auto& placeholder = option.get_positional() ? argument.names[0] : argument.value;
    if (argument.choices.empty()) argument.choices = choices_of(placeholder);
    argument.kind = argument.choices.empty() ? kind_of(placeholder) : Argument::Kind::choice;
    return argument;
}

}  // namespace

CommandTree describe(const CLI::App& app) {
    CommandTree tree{.name = app.get_name(),
                     .summary = app.get_description(),
                     .more = app.get_footer(),
                     .options = {},
                     .positionals = {},
                     .commands = {}};
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_group().empty()) continue;
        (option->get_positional() ? tree.positionals : tree.options).push_back(describe(*option));
    }
    const auto is_shown = [](const CLI::App* it) { return !it->get_group().empty(); };
    for (const CLI::App* command : app.get_subcommands(is_shown))
        tree.commands.push_back(describe(*command));
    return tree;
}

}  // namespace podctl::cli

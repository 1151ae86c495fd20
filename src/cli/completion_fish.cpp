#include "completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace podctl::cli {
namespace {

std::string fish_quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') result += '\\';
        result += c;
    }
    return result + "'";
}

// The flags of `complete` that say what may follow. -x: an argument, and no file.
std::string values_of(const Argument& argument) {
    switch (argument.kind) {
        case Argument::Kind::flag:
            return {};
        case Argument::Kind::text:
            return " -x";
        case Argument::Kind::choice:
            return " -x -a " + fish_quoted(fmt::format("{}", fmt::join(argument.choices, " ")));
        case Argument::Kind::file:
        case Argument::Kind::template_file:
            return " -r -F";
        case Argument::Kind::folder:
            return " -x -a '(__fish_complete_directories)'";
    }
    return {};
}

std::string fish_line(const std::string& start, const Argument& option) {
    std::string line = start;
    for (const auto& name : option.names)
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    return line + values_of(option) + " -d " + fish_quoted(option.help) + "\n";
}

std::string lines_of(const std::string& start, const CommandTree& command) {
    std::string lines;
    for (const auto& option : command.options)
        lines += fish_line(start, option);
    for (const auto& positional : command.positionals) {
        if (positional.kind == Argument::Kind::choice)
            lines +=
                fmt::format("{} -a {}\n", start,
                            fish_quoted(fmt::format("{}", fmt::join(positional.choices, " "))));
        else if (positional.kind != Argument::Kind::text)
            lines += start + " -F\n";
    }
    return lines;
}

}  // namespace

std::string fish_completion(const CommandTree& tree) {
    const std::string complete = "complete -c " + tree.name;
    std::string text = fmt::format(
        "# fish completion for {0}; load it with:  {0} completion fish "
        "| source\n{1} -f\n",
        tree.name, complete);
    const std::string first = complete + " -n __fish_use_subcommand";
    text += lines_of(first, tree);
    for (const auto& command : tree.commands)
        text += fmt::format("{} -a {} -d {}\n", first, command.name, fish_quoted(command.summary));
    for (const auto& command : tree.commands)
        text += lines_of(
            fmt::format("{} -n '__fish_seen_subcommand_from {}'", complete, command.name), command);
    return text;
}

}  // namespace podctl::cli

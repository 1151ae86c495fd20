#include "completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace podctl::cli {
namespace {

constexpr auto zsh_head = R"(#compdef {0}
# zsh completion for {0}; put it into a folder of $fpath as _{0}, or load it with:
#   source <({0} completion zsh)
_{0}() {{
    local curcontext=$curcontext context state line
    typeset -A opt_args
    local -a commands
    commands=(
)";

constexpr auto zsh_tail = R"(            esac ;;
    esac
}}

# Sourced, or called by compinit.
if [[ $funcstack[1] == _{0} ]]; then
    _{0} "$@"
else
    compdef _{0} {0}
fi
)";

std::string zsh_quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'')
            result += "'\\''";
        else
            result += c;
    }
    return result + "'";
}

// With a backslash before what _arguments takes for its own.
std::string zsh_escaped(std::string_view text, std::string_view special) {
    std::string result;
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos) result += '\\';
        result += c;
    }
    return result;
}

std::string action_of(const Argument& argument) {
    switch (argument.kind) {
        case Argument::Kind::choice:
            return fmt::format("({})", fmt::join(argument.choices, " "));
        case Argument::Kind::file:
            return "_files";
        case Argument::Kind::template_file:
            return "_files -g \"*.(yaml|yml)\"";
        case Argument::Kind::folder:
            return "_files -/";
        case Argument::Kind::flag:
        case Argument::Kind::text:
            break;
    }
    return " ";
}

std::vector<std::string> specs_of(const Argument& option) {
    std::vector<std::string> specs;
    for (const auto& name : option.names) {
        std::string spec = "*";
        if (!option.is_repeatable)
            spec = option.names.size() > 1 ? fmt::format("({})", fmt::join(option.names, " ")) : "";
        spec += name;
        if (option.kind != Argument::Kind::flag) spec += name.starts_with("--") ? "=" : "+";
        spec += fmt::format("[{}]", zsh_escaped(option.help, "[]\\"));
        if (option.kind != Argument::Kind::flag)
            spec += fmt::format(":{}:{}", zsh_escaped(option.value, ":\\"), action_of(option));
        specs.push_back(zsh_quoted(spec));
    }
    return specs;
}

std::vector<std::string> specs_of(const CommandTree& command) {
    std::vector<std::string> specs;
    for (const auto& option : command.options)
        for (auto& spec : specs_of(option))
            specs.push_back(std::move(spec));
    int place = 0;
    for (const auto& positional : command.positionals) {
        ++place;
        specs.push_back(zsh_quoted(
            fmt::format("{}:{}:{}", positional.is_repeatable ? "*" : std::to_string(place),
                        zsh_escaped(positional.names[0], ":\\"), action_of(positional))));
    }
    return specs;
}

}  // namespace

std::string zsh_completion(const CommandTree& tree) {
    std::string text = fmt::format(zsh_head, tree.name);
    for (const auto& command : tree.commands)
        text += fmt::format("        {}\n", zsh_quoted(command.name + ":" + command.summary));
    text += "    )\n    _arguments -C \\\n";
    for (const auto& spec : specs_of(tree))
        text += fmt::format("        {} \\\n", spec);
    text +=
        "        '1: :->command' \\\n        '*:: :->arguments'\n"
        "    case $state in\n        command)\n            _describe -t commands command commands "
        ";;\n        arguments)\n            case $words[1] in\n";
    for (const auto& command : tree.commands) {
        text += fmt::format(
            "                {})\n                    _arguments -s \\\n"
            "                        {} ;;\n",
            command.name, fmt::join(specs_of(command), " \\\n                        "));
    }
    return text + fmt::format(zsh_tail, tree.name);
}

}  // namespace podctl::cli

#include "completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace podctl::cli {
namespace {

constexpr auto head = R"(# bash completion for {0}; load it with:  source <({0} completion bash)
_{0}_words() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}}

_{0}_files() {{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$@" -- "$cur")
}}

_{0}() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} command='' i
    COMPREPLY=()
    # --output=json comes as three words.
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $prev == '=' ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for ((i = 1; i < COMP_CWORD; ++i)); do
        if [[ ${{COMP_WORDS[i]}} != -* ]]; then
            command=${{COMP_WORDS[i]}}
            break
        fi
    done
    case $command in
)";

constexpr auto tail = R"(    esac
}}
complete -F _{0} {0}
)";

// The call that fills COMPREPLY; empty: nothing is known of the value.
std::string action_of(const std::string& program, const Argument& argument) {
    switch (argument.kind) {
        case Argument::Kind::choice:
            return fmt::format("_{}_words '{}'", program, fmt::join(argument.choices, " "));
        case Argument::Kind::file:
            return fmt::format("_{}_files -f", program);
        case Argument::Kind::template_file:
            return fmt::format("_{}_files -o plusdirs -f -X '!*.y*ml'", program);
        case Argument::Kind::folder:
            return fmt::format("_{}_files -d", program);
        case Argument::Kind::flag:
        case Argument::Kind::text:
            break;
    }
    return {};
}

std::vector<std::string> option_names(const CommandTree& command) {
    std::vector<std::string> names;
    for (const auto& option : command.options)
        names.insert(names.end(), option.names.begin(), option.names.end());
    return names;
}

std::string case_of(const std::string& program, const CommandTree& command) {
    std::string text = fmt::format("        {})\n            case $prev in\n", command.name);
    for (const auto& option : command.options) {
        if (option.kind == Argument::Kind::flag) continue;
        const auto action = action_of(program, option);
        text += fmt::format("                {})\n", fmt::join(option.names, " | "));
        if (!action.empty()) text += fmt::format("                    {}\n", action);
        text += "                    return ;;\n";
    }
    text += "            esac\n            if [[ $cur == -* ]]; then\n";
    text += fmt::format("                _{}_words '{}'\n", program,
                        fmt::join(option_names(command), " "));
    for (const auto& positional : command.positionals) {
        const auto action = action_of(program, positional);
        if (action.empty()) continue;
        text += fmt::format("            else\n                {}\n", action);
        break;
    }
    return text + "            fi ;;\n";
}

}  // namespace

std::string bash_completion(const CommandTree& tree) {
    std::string text = fmt::format(head, tree.name);
    std::vector<std::string> commands;
    for (const auto& command : tree.commands)
        commands.push_back(command.name);
    text += fmt::format(
        "        '')\n            if [[ $cur == -* ]]; then\n                _{0}_words '{1}'\n"
        "            else\n                _{0}_words '{2}'\n            fi ;;\n",
        tree.name, fmt::join(option_names(tree), " "), fmt::join(commands, " "));
    for (const auto& command : tree.commands)
        text += case_of(tree.name, command);
    return text + fmt::format(tail, tree.name);
}

}  // namespace podctl::cli

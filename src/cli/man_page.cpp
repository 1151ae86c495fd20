#include "man_page.hpp"

#include "podctl/base/names.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace podctl::cli {
namespace {

// Spec §3; podctl/base/error.hpp knows which error has which.
constexpr std::array<std::pair<const char*, const char*>, 9> exit_codes{
    {{"0", "done"},
     {"2", "the command line, or the template"},
     {"3", "the machine does not fit the template"},
     {"4", "a provisioning step failed"},
     {"5", "ComfyUI or a service failed to start, or ended in failure"},
     {"6", "a workflow failed: run, smoke"},
     {"7", "another podctl holds this root"},
     {"10", "plan has changes"},
     {"128+N", "ended by signal N"}}};

// A dash that can be copied, and no line that begins with a request.
std::string roff_escaped(std::string_view text) {
    std::string result;
    if (text.starts_with('.') || text.starts_with('\'')) result = "\\&";
    for (const char c : text) {
        if (c == '\\')
            result += "\\e";
        else if (c == '-')
            result += "\\-";
        else
            result += c;
    }
    return result;
}

std::string item_of(const Argument& argument) {
    std::string names;
    for (const auto& name : argument.names)
        names += (names.empty() ? "\\fB" : ", \\fB") + roff_escaped(name) + "\\fR";
    if (argument.names[0].starts_with('-') && argument.kind != Argument::Kind::flag)
        names += " \\fI" + roff_escaped(argument.value) + "\\fR";
    return fmt::format(".TP\n{}\n{}\n", names, roff_escaped(argument.help));
}

std::string usage_of(const std::string& program, const CommandTree& command) {
    std::string usage = program + " " + command.name;
    if (!command.options.empty()) usage += " [OPTIONS]";
    for (const auto& it : command.positionals)
        usage += it.is_required ? " " + it.names[0] : " [" + it.names[0] + "]";
    return roff_escaped(usage);
}

// As it is written, line by line.
std::string verbatim(const std::string& text) {
    std::string result = ".nf\n";
    for (const auto& line : split(trim(text), '\n'))
        result += roff_escaped(line) + "\n";
    return result + ".fi\n";
}

std::string section_of(const std::string& program, const CommandTree& command) {
    std::string text =
        fmt::format(".SS \"{}\"\n{}\n", usage_of(program, command), roff_escaped(command.summary));
    for (const auto& positional : command.positionals)
        text += item_of(positional);
    for (const auto& option : command.options)
        if (option.names.back() != "--help") text += item_of(option);
    return command.more.empty() ? text : text + ".PP\n" + verbatim(command.more);
}

}  // namespace

std::string man_page(const CommandTree& tree, const std::string& version) {
    std::string text = fmt::format(
        ".TH {0} 1 \"\" \"{1} {2}\" \"User Commands\"\n.SH NAME\n{1} \\- {3}\n.SH SYNOPSIS\n"
        ".B {1}\n.I COMMAND\n[OPTIONS]\n.SH DESCRIPTION\n{4}\n",
        "PODCTL", tree.name, version, "provision and run ComfyUI on a GPU pod",
        roff_escaped(tree.summary));
    for (const auto& option : tree.options)
        text += item_of(option);
    text += ".SH COMMANDS\n";
    for (const auto& command : tree.commands)
        text += section_of(tree.name, command);
    text += ".SH EXIT STATUS\n";
    for (const auto& [code, meaning] : exit_codes)
        text += fmt::format(".TP\n.B {}\n{}\n", code, roff_escaped(meaning));
    return text + ".SH EXAMPLES\n" + verbatim(tree.more);
}

}  // namespace podctl::cli

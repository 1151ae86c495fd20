#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace podctl::cli {

// The command line as plain values, for what is made from it: completions and the manual page.

struct Argument {
    std::vector<std::string> names;  // "-f", "--file"; of a positional one: "TEMPLATE"
    std::string value;               // what an option takes: "OVERLAY", "text|json"
    std::string help;
    enum class Kind { flag, text, choice, file, template_file, folder } kind = Kind::flag;
    std::vector<std::string> choices;
    bool is_repeatable = false;
    bool is_required = false;
};

struct CommandTree {
    std::string name, summary;
    std::string more;  // below its options: what else is to be said, and examples
    std::vector<Argument> options, positionals;
    std::vector<CommandTree> commands;
};

// What is hidden from --help is left out.
CommandTree describe(const CLI::App& app);

}  // namespace podctl::cli

#include "grammar.hpp"

#include "podctl/base/names.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace podctl::cli {
namespace {

// Help names an option's variable by a rule, once for all of them.
class WithoutVariables : public CLI::Formatter {
public:
    std::string make_option_opts(const CLI::Option* option) const override {
        auto text = CLI::Formatter::make_option_opts(option);
        const auto shown = " (" + get_label("Env") + ":" + option->get_envname() + ")";
        if (const auto at = text.find(shown); at != text.npos) text.erase(at, shown.size());
        return text;
    }
};

// "--limit-rate": PODCTL_LIMIT_RATE.
std::string variable_of(const std::string& option) {
    std::string name = "PODCTL_";
    for (const char c : option)
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

// These say by themselves how they and their variables go together, or are seen before all others.
bool has_own_rule(std::string_view option) {
    constexpr std::array<std::string_view, 5> names{"mirror", "store", "help", "version", "debug"};
    return std::ranges::find(names, option) != names.end();
}

// Words of other tools.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> other_words{
    {{"apply", "up"},
     {"start", "up"},
     {"install", "up"},
     {"launch", "up"},
     {"diff", "plan"},
     {"ls", "status"},
     {"list", "status"},
     {"kill", "down"},
     {"rm", "down"},
     {"delete", "down"},
     {"download", "get"},
     {"check", "validate"},
     {"test", "smoke"},
     {"queue", "run"}}};

std::vector<std::string> commands_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(command->get_name());
        for (const auto& alias : command->get_aliases())
            names.push_back(alias);
    }
    return names;
}

std::vector<std::string> flags_of(const CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames())
            names.push_back("--" + name);
        for (const auto& name : option->get_snames())
            names.push_back("-" + name);
    }
    return names;
}

std::string also(const std::optional<std::string>& near, const std::string& list) {
    return near ? fmt::format("did you mean {}? {} lists them all", *near, list)
                : list + " lists them all";
}

Error unknown_command(const CLI::App& app, const std::string& word) {
    auto near = nearest(word, commands_of(app));
    for (const auto& [other, ours] : other_words)
        if (!near && word == other) near = std::string(ours);
    return Error{ErrorKind::usage, fmt::format("there is no command {}", word),
                 also(near, "`podctl --help`")};
}

// `path`: the command's, empty for podctl itself.
std::string help_of(const std::string& path) {
    return fmt::format("`podctl {}--help`", path.empty() ? "" : path + " ");
}

Error unknown_word(const CLI::App& command, const std::string& path, const std::string& word) {
    const auto where = path.empty() ? "" : path + ": ";
    if (!word.starts_with('-'))
        return Error{ErrorKind::usage, fmt::format("{}{} is one argument too many", where, word),
                     help_of(path) + " says what it takes"};
    const auto name = word.substr(0, word.find('='));
    return Error{ErrorKind::usage, fmt::format("{}there is no option {}", where, name),
                 also(nearest(name, flags_of(command)), help_of(path))};
}

}  // namespace

std::vector<std::string> usual_words(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty()) return {"--help"};
    if (words.front() == "version" && words.size() == 1) return {"--version"};
    if (words.front() == "help") {
        words.erase(words.begin());
        words.emplace_back("--help");
    }
    return words;
}

void read_options_from_environment(CLI::App& app) {
    for (auto* command : app.get_subcommands([](CLI::App*) { return true; })) {
        command->formatter(std::make_shared<WithoutVariables>());
        // CLI11 would read the variables of commands that nobody has called, too, whose options may
        // share a value with this one's.
        command->preparse_callback([&app, command](std::size_t) {
            for (auto* option : command->get_options())
                for (const auto& name : option->get_lnames()) {
                    const auto* before = app.get_option_no_throw("--" + name);
                    const bool is_given = before && before->count() > 0;
                    if (!is_given && !has_own_rule(name)) option->envname(variable_of(name));
                }
        });
    }
}

bool asks_for_json(const std::vector<std::string>& words) {
    const char* variable = std::getenv("PODCTL_OUTPUT");
    bool is_json = variable && std::string_view{variable} == "json";
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--json") is_json = true;
        if (words[i].starts_with("--output=")) is_json = words[i] == "--output=json";
        if (words[i] == "--output" && i + 1 < words.size()) is_json = words[i + 1] == "json";
    }
    return is_json;
}

Error usage_error(const CLI::App& app, const std::string& otherwise) {
    std::string path;
    for (const CLI::App* command = &app; command;) {
        const auto unknown = command->remaining();
        const auto flag = std::ranges::find_if(
            unknown, [](const std::string& word) { return word.size() > 1 && word[0] == '-'; });
        if (flag != unknown.end()) return unknown_word(*command, path, *flag);
        const auto chosen = command->get_subcommands();
        if (!unknown.empty() && command == &app && chosen.empty())
            return unknown_command(app, unknown.front());
        if (!unknown.empty()) return unknown_word(*command, path, unknown.front());
        command = chosen.empty() ? nullptr : chosen.front();
        if (command) path += (path.empty() ? "" : " ") + command->get_name();
    }
    return Error{ErrorKind::usage,
                 path.empty() ? otherwise : fmt::format("{}: {}", path, otherwise),
                 help_of(path) + " says more"};
}

}  // namespace podctl::cli

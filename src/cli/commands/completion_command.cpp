#include "../command.hpp"
#include "../completion.hpp"
#include "../man_page.hpp"
#include "../put.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace podctl::cli {

void add_completion(CLI::App& app, Chosen& chosen) {
    auto* command =
        app.add_subcommand("completion", "print a script that completes the command line");
    command->footer(
        "Examples:\n"
        "  source <(podctl completion bash)      # in ~/.bashrc; the same for zsh in ~/.zshrc\n"
        "  podctl completion zsh > \"${fpath[1]}/_podctl\"\n"
        "  podctl completion fish > ~/.config/fish/completions/podctl.fish\n"
        "  podctl man | man -l -                 # the manual page");
    auto shell = std::make_shared<std::string>();
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->type_name("");
    when_chosen(*command, chosen, [&app, shell] {
        const auto tree = describe(app);
        put(To::out, *shell == "bash"  ? bash_completion(tree)
                     : *shell == "zsh" ? zsh_completion(tree)
                                       : fish_completion(tree));
        return 0;
    });
}

void add_man(CLI::App& app, Chosen& chosen) {
    auto* command = app.add_subcommand("man", "print the manual page, for man(1)");
    command->footer("Example:\n  podctl man > /usr/local/share/man/man1/podctl.1");
    // For those who make packages; hidden, as in other tools.
    command->group("");
    when_chosen(*command, chosen, [&app] {
        put(To::out, man_page(describe(app), PODCTL_VERSION));
        return 0;
    });
}

}  // namespace podctl::cli

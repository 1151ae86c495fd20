#include "podctl/cli/cli.hpp"

#include "command.hpp"
#include "put.hpp"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

namespace podctl::cli {
namespace {

// git and ssh, ours and those of the children, fail where they would ask at the terminal (git(1),
// ssh(1)).
void never_ask() {
    ::setenv("GIT_TERMINAL_PROMPT", "0", 1);
    ::setenv("SSH_ASKPASS", "false", 1);
    ::setenv("SSH_ASKPASS_REQUIRE", "force", 1);
}

// Where 0, 1 or 2 is closed, the next file that is opened would get what is printed.
void open_standard_streams() {
    for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
        if (fd <= 2) continue;
        ::close(fd);
        return;
    }
}

int parse_and_run(CLI::App& app, Chosen& chosen, int argc, char** argv) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out, err;
        const bool asked_for_help = app.exit(error, out, err) == 0;
        put(To::out, out.str());
        put(To::err, err.str());
        flush_out();
        return asked_for_help ? 0 : exit_code(ErrorKind::usage);
    }
    const int code = chosen ? chosen() : 0;
    flush_out();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    // A reader of our output that goes away is seen at the write, and ends nothing.
    std::signal(SIGPIPE, SIG_IGN);
    open_standard_streams();
    never_ask();
    Common common;
    Chosen chosen;
    CLI::App app{"podctl brings a GPU pod to what one YAML template says, and runs ComfyUI on it.",
                 "podctl"};
    app.set_version_flag("--version", std::string{"podctl "} + PODCTL_VERSION);
    app.require_subcommand(1);
    app.footer("Example:\n  podctl init comfyui && podctl up comfyui.yaml");
    add_up(app, common, chosen);
    add_plan(app, common, chosen);
    add_validate(app, common, chosen);
    add_config(app, common, chosen);
    add_schema(app, chosen);
    add_doctor(app, common, chosen);
    add_status(app, common, chosen);
    add_logs(app, common, chosen);
    add_restart(app, common, chosen);
    add_down(app, common, chosen);
    add_get(app, common, chosen);
    add_smoke(app, common, chosen);
    add_models(app, common, chosen);
    add_init(app, chosen);
    add_templates(app, common, chosen);
    add_completion(app, chosen);
    add_man(app, chosen);
    try {
        return parse_and_run(app, chosen, argc, argv);
    } catch (const std::exception& caught) {
        const Error error = as_error(caught);
        print_error(error, common.output);
        return exit_code(error.kind());
    }
}

}  // namespace podctl::cli

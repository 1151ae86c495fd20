#include "podctl/base/beneath.hpp"
#include "podctl/base/fd.hpp"
#include "podctl/cli/cli.hpp"
#include "podctl/git/git.hpp"
#include "podctl/run/secrets.hpp"
#include "podctl/template/load.hpp"

#include "command.hpp"
#include "events/events.hpp"
#include "grammar.hpp"
#include "put.hpp"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace podctl::cli {
namespace {

// git and ssh, ours and those of the children, fail where they would ask at the terminal (git(1),
// ssh(1)).
void never_ask() {
    ::setenv("GIT_TERMINAL_PROMPT", "0", 1);
    ::setenv("SSH_ASKPASS", "false", 1);
    ::setenv("SSH_ASKPASS_REQUIRE", "force", 1);
}

// What would end a supervisor without a word: a reader of its output that goes away (seen at the
// write), a limit of a file's size (the write fails, and says so), and signals that mean something
// to other programs. What podctl starts gets the defaults again.
void ignore_what_has_no_meaning() {
    for (const int signal : {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM})
        std::signal(signal, SIG_IGN);
}

// A umask that takes rights from the owner himself would make folders that podctl cannot open.
void keep_owners_rights() {
    ::umask(::umask(0) & 077);
}

// Where 0, 1 or 2 is closed, the next file that is opened would get what is printed.
void open_standard_streams() {
    for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
        if (fd <= 2) continue;
        ::close(fd);
        return;
    }
}

// A core dump would hold every token. What podctl starts inherits the limit; a service that wants
// cores raises its own. Where the kernel pipes cores to a program it does not look at the limit, so
// memory is left out of them, too (core(5)).
void leave_no_core(int argc, char** argv) {
    for (int i = 1; i < argc; ++i)
        if (std::string_view{argv[i]} == "--debug") return;
    rlimit limit{};
    if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
    limit.rlim_cur = 0;
    ::setrlimit(RLIMIT_CORE, &limit);
    const Fd filter{::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC)};
    if (filter) std::ignore = ::write(filter.get(), "0", 1);
}

// What is wrong with a template, one by one; print_error() tells it as one text.
void put_diagnostics(const std::exception& caught, const Redactor& redact) {
    const auto* wrong = dynamic_cast<const tmpl::TemplateError*>(&caught);
    if (!wrong) return;
    for (auto it : wrong->diagnostics()) {
        it.message = redact(it.message);
        put_event(TemplateRemark{TemplateRemark::Grade::error, it});
    }
}

int parse_and_run(CLI::App& app, Chosen& chosen, std::vector<std::string> words) {
    // CLI11 takes the last one first.
    std::ranges::reverse(words);
    try {
        app.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
        std::ostringstream out, err;
        if (app.exit(error, out, err) != 0) throw usage_error(app, error.what());
        // What was asked for: help, or the version.
        put(To::out, out.str());
        flush_out();
        return 0;
    }
    const int code = chosen ? chosen() : 0;
    // What went wrong before is what counts.
    if (code == 0) flush_out();
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    ignore_what_has_no_meaning();
    keep_owners_rights();
    open_standard_streams();
    leave_no_core(argc, argv);
    never_ask();
    judge_links_by(git::reason_against_link);
    Common common;
    Chosen chosen;
    CLI::App app{"podctl brings a GPU pod to what one YAML template says, and runs ComfyUI on it.",
                 "podctl"};
    app.set_version_flag("-V,--version", std::string{"podctl "} + PODCTL_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Each option of a command is also a variable: --root is $PODCTL_ROOT, --limit-rate\n"
        "$PODCTL_LIMIT_RATE. TEMPLATE may be left out where podctl.yaml or pod.yaml is here.\n\n"
        "Example:\n  podctl init comfyui && podctl up comfyui.yaml");
    add_common_flags(app, common);
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
    add_run(app, common, chosen);
    add_models(app, common, chosen);
    add_store(app, common, chosen);
    add_init(app, common, chosen);
    add_templates(app, common, chosen);
    add_completion(app, chosen);
    add_man(app, chosen);
    read_options_from_environment(app);
    try {
        auto words = usual_words(argc, argv);
        if (asks_for_json(words)) common.output.format = Format::json;
        return parse_and_run(app, chosen, std::move(words));
    } catch (const std::exception& caught) {
        const Error error = as_error(caught);
        const auto redact = run::environment_redactor();
        if (common.output.format == Format::json) put_diagnostics(caught, redact);
        print_error(error, common.output, redact);
        return exit_code(error.kind());
    }
}

}  // namespace podctl::cli

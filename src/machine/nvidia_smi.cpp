#include "nvidia_smi.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/names.hpp"
#include "podctl/base/process.hpp"

#include "driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <optional>

namespace podctl::machine {

namespace fs = std::filesystem;

namespace {

// Of text that is handed on: it may end up on a terminal.
constexpr std::size_t longest_text = 200;

// Printable ASCII, which is all that NVIDIA's names and messages are made of.
std::string plain(std::string_view text) {
    std::string made{trim(text).substr(0, longest_text)};
    std::replace_if(
        made.begin(), made.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return made;
}

// "24564" is in MiB; "[N/A]", "[Not Supported]" and "[Insufficient Permissions]" are 0.
Bytes memory_of(std::string_view text) {
    constexpr std::uint64_t mebibyte = 1U << 20U;
    constexpr std::uint64_t greatest = std::uint64_t{1} << 40U;
    std::uint64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, count);
    if (read.ec != std::errc{} || read.ptr != end || count > greatest) return {};
    return {count * mebibyte};
}

// The columns after the name, from the left. The name may have commas, so they count from the
// right.
struct Row {
    std::string_view name;
    std::array<std::string_view, 5> columns;  // total, free, capability, driver, UUID
};

std::optional<Row> row_of(std::string_view line) {
    Row row;
    for (auto column = row.columns.rbegin(); column != row.columns.rend(); ++column) {
        const auto comma = line.rfind(',');
        if (comma == std::string_view::npos) return std::nullopt;
        *column = trim(line.substr(comma + 1));
        line = line.substr(0, comma);
    }
    row.name = trim(line);
    return row;
}

void add_row(const Row& row, Gpus& gpus) {
    const auto& [total, free, capability, driver, uuid] = row.columns;
    const auto version = leading_version(capability);
    if (!version || version->major == 0 || version->minor > 9) {
        if (gpus.problem.empty())
            gpus.problem = fmt::format("nvidia-smi: the compute capability of {} is {}",
                                       plain(row.name), plain(capability));
        return;
    }
    if (gpus.driver.empty() && leading_version(driver)) gpus.driver = plain(driver);
    gpus.devices.push_back({.name = plain(row.name),
                            .memory = memory_of(total),
                            .free = memory_of(free),
                            .compute_capability = version->major * 10 + version->minor,
                            .uuid = uuid.starts_with("GPU-") ? plain(uuid) : std::string{}});
}

// What stands after "label:", with spaces around the colon or without.
std::optional<std::string_view> value_after(std::string_view output,
                                            std::initializer_list<std::string_view> labels) {
    for (const std::string_view label : labels) {
        auto at = output.find(label);
        if (at == std::string_view::npos) continue;
        at = output.find_first_not_of(" :", at + label.size());
        if (at == std::string_view::npos) continue;
        const auto value = output.substr(at);
        return value.substr(0, value.find_first_of(" |\r\n"));
    }
    return std::nullopt;
}

// nullopt, with the problem, when the program gives no answer.
std::optional<std::string> output_of(std::vector<std::string> argv,
                                     std::chrono::milliseconds timeout, std::string& problem) {
    try {
        const auto done = run_captured({.argv = std::move(argv)}, {},
                                       {.grace = std::chrono::seconds{1}, .timeout = timeout});
        if (!trim(done.output).empty()) return done.output;
        problem = done.status.ok() ? "nvidia-smi prints nothing"
                                   : "nvidia-smi: " + done.status.describe();
    } catch (const Error& error) {
        // Whether that matters is for the caller to say: the template may need no GPU.
        problem = error.message();
    }
    return std::nullopt;
}

}  // namespace

void read_rows(std::string_view output, Gpus& gpus) {
    for (const auto& line : split(std::string{output}, '\n')) {
        if (trim(line).empty()) continue;
        if (const auto row = row_of(line)) {
            add_row(*row, gpus);
        } else if (gpus.problem.empty()) {
            gpus.problem = line.find("\"compute_cap\" is not a valid field") != std::string::npos
                               ? "nvidia-smi is too old to tell the compute capability"
                               : "nvidia-smi: " + plain(line);
        }
    }
}

void read_header(std::string_view output, Gpus& gpus) {
    // Drivers since 610 name the part that runs CUDA (user mode) and the kernel's apart. "N/A" and
    // "ERR!" stand where libcuda is not there.
    const auto cuda = value_after(output, {"CUDA Version", "CUDA UMD Version"});
    if (const auto version = leading_version(cuda.value_or(""))) gpus.cuda = cuda_number(*version);
    const auto driver = value_after(output, {"Driver Version", "KMD Version"});
    if (gpus.driver.empty() && leading_version(driver.value_or(""))) gpus.driver = plain(*driver);
}

Gpus ask_nvidia_smi(const fs::path& program, std::chrono::milliseconds timeout) {
    Gpus gpus;
    const auto rows =
        output_of({program.string(),
                   "--query-gpu=name,memory.total,memory.free,compute_cap,driver_version,uuid",
                   "--format=csv,noheader,nounits"},
                  timeout, gpus.problem);
    if (!rows) return gpus;
    read_rows(*rows, gpus);
    // Without it the driver's version has to do.
    std::string ignored;
    if (const auto header = output_of({program.string()}, timeout, ignored))
        read_header(*header, gpus);
    return gpus;
}

}  // namespace podctl::machine

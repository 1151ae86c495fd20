#include "podctl/workflow/workflow_file.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "page_json.hpp"

#include <fmt/format.h>

namespace podctl::workflow {
namespace {

namespace fs = std::filesystem;

Workflow read_any(const ByteSource& bytes, const fs::path& path,
                  const std::function<std::string()>& whole) {
    if (const auto carried = find_carried(bytes)) return read_workflow(*carried, path.string());
    if (bytes.size > workflow_limits.bytes)
        throw Error{ErrorKind::usage,
                    fmt::format("{}: not a workflow: it is larger than {} MiB, and of no format "
                                "that carries one",
                                path.string(), workflow_limits.bytes >> 20),
                    "name the workflow's JSON, or what ComfyUI has made of it"};
    return read_workflow(whole(), path.string());
}

}  // namespace

Workflow read_workflow(const CarriedWorkflow& carried, const std::string& name) {
    if (!carried.workflow.empty())
        return read_workflow(carried.workflow, name + ", in its workflow");
    if (!carried.prompt.empty()) return read_workflow(carried.prompt, name + ", in its prompt");
    throw Error{ErrorKind::usage,
                fmt::format("{}: this {} carries no workflow{}", name, carried.carrier,
                            carried.fault.empty() ? "" : ": it " + carried.fault),
                "name the file as ComfyUI saved it: sites and editors take the workflow out, and "
                "with --disable-metadata ComfyUI writes none; or save the workflow as JSON"};
}

Workflow read_workflow_file(const fs::path& path) {
    // A pipe has no size and no places: it is read as it comes.
    const auto stamp = file_stamp(path);
    if (!stamp) {
        const auto content = read_file(path);
        return read_any(bytes_of(content), path, [&] { return content; });
    }
    const auto file = open_regular_file(path);
    const ByteSource bytes{.size = stamp->size,
                           .read = [&](std::uint64_t offset, std::span<char> buffer) {
                               return read_at(file.get(), offset, buffer, path);
                           }};
    return read_any(bytes, path, [&] { return read_file(path); });
}

}  // namespace podctl::workflow

#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>

// ComfyUI's code on the container's disk. To import it from a checkout on a network volume takes
// tens of thousands of looks at files, so it is run from a copy there, with --base-directory for
// what is data. The checkout stays what counts: the copy is made equal to it before each start.
namespace podctl::comfy {

struct CodeCopy {
    std::filesystem::path checkout;
    std::filesystem::path
        base;  // where models/, custom_nodes/ and the like are; often the checkout
    std::filesystem::path copy;  // in a folder that nobody else writes to
};

struct CodeChanges {
    std::size_t copied = 0, removed = 0;  // files; with a folder that is gone all in it are one
};

// Makes the copy equal to the checkout. Copied is what git tracks, where size or time differ: files
// at the top, and folders with all that is in them. Of what else stands at the top there are links,
// as of the folders of data, so that whoever looks beside ComfyUI's code (packs do) finds what he
// would find in the checkout. folder_paths is the checkout's own module, read from there: beside
// that one ComfyUI-Manager looks for the repository that it shows the version of, and updates
// (glob/manager_server.py). extra_model_paths.yaml is in neither way there, since its relative
// paths count from where it lies. Python's bytecode is taken where it is newer, and never removed.
// What else a pack has put into the copy's top stays, and goes with the container.
//
// A kill leaves a copy that the next call puts right: a file gets its time last. One that another
// boot of the machine may have torn is made anew. Throws Error{io}, Error{git} and, between two
// files, Error{interrupted}.
CodeChanges sync_code(const CodeCopy& code, const std::stop_token& stop);

// Whether a sync_code() has ended well since the machine has booted.
bool has_code(const CodeCopy& code);

// Brings the bytecode that Python has made in the copy to the checkout, where a new container finds
// it: to compile ComfyUI takes longer than to start it. Throws as sync_code().
void keep_bytecode(const CodeCopy& code, const std::stop_token& stop);

}  // namespace podctl::comfy

#pragma once

#include "podctl/plan/plan.hpp"
#include "podctl/template/template.hpp"

#include <filesystem>
#include <string>
#include <vector>

// The pod's own folder, on the container's disk (spec §7): it holds what is of one pod alone and
// need not outlive it, while the volume may be slow, and be other pods' as well.
namespace podctl::run {

// Where the pod of `root` has its own folder, and whether its environments go there. The folder is
// <local>/<name of the root>-<digest of its path>, where <local> is `given` (--local), else
// $PODCTL_LOCAL, else pod.local, else /var/lib/podctl as root and $XDG_STATE_HOME/podctl or
// ~/.local/state/podctl as anybody else. Where the last cannot be made there is none. Makes
// nothing.
//
// `python.disk: auto` is the container's disk where the volume is shared, or is another disk and a
// network's; of a file system of an unknown kind, where a new file of 4 KiB takes more than a
// millisecond, which leaves nothing there. Throws Error{preflight} where the template asks for the
// container's disk and there is no own folder.
plan::OwnDisk find_own_disk(const tmpl::Template& pod, const std::filesystem::path& root,
                            const std::string& given);

// The folder alone; empty: there is none.
std::filesystem::path own_folder(const tmpl::Template& pod, const std::filesystem::path& root,
                                 const std::string& given);

// Why the environments are where they are, for people: "/workspace is a network's (fuse)".
std::string why_disk_of_environments(const tmpl::Template& pod, const plan::Places& places);

// Where a pod of `root` may have its own folder that was started in another way than this command:
// by root, or (root asks) by the owner of the root folder or of its .podctl. The first is
// own_folder()'s.
std::vector<std::filesystem::path> possible_own_folders(const tmpl::Template& pod,
                                                        const std::filesystem::path& root,
                                                        const std::string& given);

}  // namespace podctl::run

#pragma once

#include "../context.hpp"

// Each kind of step has two functions: look() says cheaply what perform() would do, without a
// request, a child process or a change; perform() does it and returns the facts by which the next
// look() knows it again. One file per kind.
namespace podctl::run {

Look look(const plan::Preflight& action, const Task& task);
Outcome perform(const plan::Preflight& action, const Task& task);

Look look(const plan::SystemPackages& action, const Task& task);
Outcome perform(const plan::SystemPackages& action, const Task& task);

Look look(const plan::Clone& action, const Task& task);
Outcome perform(const plan::Clone& action, const Task& task);

Look look(const plan::RegistryNode& action, const Task& task);
Outcome perform(const plan::RegistryNode& action, const Task& task);

// Throws Error{not_found | template_} where that is nothing that ComfyUI loads as a pack.
void require_source(const std::filesystem::path& from);

Look look(const plan::CopyNode& action, const Task& task);
Outcome perform(const plan::CopyNode& action, const Task& task);

Look look(const plan::LinkBase& action, const Task& task);
Outcome perform(const plan::LinkBase& action, const Task& task);

Look look(const plan::CopyCode& action, const Task& task);
Outcome perform(const plan::CopyCode& action, const Task& task);

Look look(const plan::FetchModel& action, const Task& task);
Outcome perform(const plan::FetchModel& action, const Task& task);

Look look(const plan::FetchFolder& action, const Task& task);
Outcome perform(const plan::FetchFolder& action, const Task& task);

// The name in Places::partial under which a model's bytes gather; files beside it begin with it.
std::string partial_name(const plan::FetchModel& model);

Look look(const plan::CreateEnvironment& action, const Task& task);
Outcome perform(const plan::CreateEnvironment& action, const Task& task);

Look look(const plan::ResolveEnvironment& action, const Task& task);
Outcome perform(const plan::ResolveEnvironment& action, const Task& task);

Look look(const plan::InstallEnvironment& action, const Task& task);
Outcome perform(const plan::InstallEnvironment& action, const Task& task);

Look look(const plan::BuildEnvironment& action, const Task& task);
Outcome perform(const plan::BuildEnvironment& action, const Task& task);

Look look(const plan::InstallScript& action, const Task& task);
Outcome perform(const plan::InstallScript& action, const Task& task);

// A pack may need a second repository (comfy::missing_companion); brings it and says whether it
// did.
bool ensure_companion(const std::string& url, const std::filesystem::path& pack, const Task& task);

}  // namespace podctl::run

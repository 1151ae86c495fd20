#include "podctl/comfy/code_copy.hpp"

#include "steps.hpp"

namespace podctl::run {

// Whether it is the checkout's is looked at before each start: no start has to wait for two looks.
Look look(const plan::CopyCode& action, const Task& task) {
    if (!task.record || !comfy::has_code(action.code))
        return {.change = plan::Change::create,
                .reason = "ComfyUI runs from " + action.code.copy.string()};
    return {.change = plan::Change::keep, .reason = "made equal to the checkout at each start"};
}

Outcome perform(const plan::CopyCode& action, const Task& task) {
    const auto changes = comfy::sync_code(action.code, task.stop);
    return {.changed = changes.copied + changes.removed > 0, .facts = {}};
}

}  // namespace podctl::run

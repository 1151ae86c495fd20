#pragma once

#include "ui_workflow.hpp"
#include "workflow.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace podctl::comfy {

// A graph of ComfyUI's page, subgraphs and all, and how its own graphToPrompt() makes a prompt of
// it (ComfyUI_frontend, src/utils/executionUtil.ts and litgraph's ExecutableNodeDTO).
class UiGraph {
public:
    // `workflow` must outlive it. Throws Error{smoke}.
    explicit UiGraph(const json& workflow);

    WorkflowNeeds needs() const;
    json to_prompt(const NodeClasses& classes) const;

private:
    // The main graph, or a subgraph at the place of a node that stands for it.
    struct Scope {
        const UiDefinition* definition = nullptr;
        const Scope* outer = nullptr;
        const UiNode* instance = nullptr;  // in `outer`
        std::string prefix = {};           // "57:", as ids of inner nodes begin
        std::map<std::string, std::unique_ptr<Scope>> inner = {};
        std::map<std::string, const UiNode*> setters = {};  // SetNodes, by name
    };
    struct Place {
        const Scope* scope;
        const UiNode* node;
        std::size_t slot;
        enum class Side { input, output } side;
        auto operator<=>(const Place&) const = default;
    };
    struct Source {
        std::string id;
        std::size_t slot;
    };
    // Where an input gets its value: nowhere, from a node, or it is the value itself.
    using Feed = std::variant<std::monostate, Source, json>;
    using Step = std::variant<std::monostate, Source, json, Place>;

    std::unique_ptr<Scope> expand(const UiDefinition& definition, const Scope* outer,
                                  const UiNode* instance);
    template <class Visit>
    void for_each_running(const Scope& scope, const Visit& visit) const;
    Feed resolve(const Scope& scope, const UiNode& node, std::size_t slot) const;
    Step step_from_input(const Place& place) const;
    Step step_from_output(const Place& place, const std::string& type) const;
    Step step_to_outer_input(const Scope& scope, std::size_t slot) const;
    Step step_into_subgraph(const Scope& scope, std::size_t slot) const;
    Step step_to_setter(const Place& getter) const;
    json prompt_node(const Scope& scope, const UiNode& node, const NodeClass* known) const;

    const json& workflow_;
    UiDefinitions definitions_;
    std::size_t size_ = 0;          // nodes of all scopes
    mutable std::size_t hops_ = 0;  // along links, of all inputs
    std::unique_ptr<Scope> root_;
};

}  // namespace podctl::comfy

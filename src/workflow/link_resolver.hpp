#pragma once

#include "page.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace podctl::workflow {

// The main graph, or a subgraph at the place of a node that stands for it.
struct Scope {
    const PageGraph* graph = nullptr;
    const Scope* outer = nullptr;
    const PageNode* instance = nullptr;  // in `outer`
    std::string prefix = {};             // "57:", as ids of inner nodes begin
    std::map<const PageNode*, std::unique_ptr<Scope>> inner = {};
    std::map<std::string, const PageNode*> setters = {};  // SetNodes, by name
};

// Where links lead to through subgraphs, reroutes and bypassed nodes: ExecutableNodeDTO of
// litegraph.
class Resolver {
public:
    struct Source {
        std::string id;
        std::size_t slot;
    };
    // Where an input gets its value: nowhere, from a node, or it is the value itself.
    using Feed = std::variant<std::monostate, Source, json>;
    using Visit = std::function<void(const Scope&, const PageNode&)>;

    // `page` must outlive it. Throws Error{smoke} for a subgraph that contains itself.
    explicit Resolver(const Page& page);

    // The nodes that the server would run, but for the page's own.
    void for_each_running(const Visit& visit) const;
    // Throws Error{smoke} for links that go in a circle.
    Feed resolve(const Scope& scope, const PageNode& node, std::size_t slot) const;

private:
    struct Place {
        const Scope* scope;
        const PageNode* node;
        std::size_t slot;
        enum class Side { input, output } side;
        std::string type;  // of the input that asks, as far as it is carried along

        bool operator<(const Place& other) const;
    };
    using Step = std::variant<std::monostate, Source, json, Place>;

    std::unique_ptr<Scope> expand(const PageGraph& graph, const Scope* outer,
                                  const PageNode* instance);
    void visit_running(const Scope& scope, const Visit& visit) const;
    Step step_from_input(const Place& place) const;
    Step step_from_output(const Place& place) const;
    Step step_to_outer_input(const Scope& scope, std::size_t slot) const;
    Step step_into_subgraph(const Scope& scope, const Place& place) const;
    Step step_through_virtual(const Place& place) const;

    const Page& page_;
    std::size_t size_ = 0;          // nodes of all scopes
    mutable std::size_t hops_ = 0;  // along links, of all inputs
    std::unique_ptr<Scope> root_;
};

// Whether an output of one type may feed an input of the other: LiteGraph.isValidConnection().
bool fits(std::string_view one, std::string_view other);

}  // namespace podctl::workflow

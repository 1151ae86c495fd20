#pragma once

#include "class_spec.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// The page's own picture of a workflow: nodes that have widgets, made of their classes and of what
// was saved (litegraph's LGraphNode and IBaseWidget).
namespace podctl::workflow {

struct PageGraph;
struct PageNode;

// A few lines of a workflow can ask for a prompt of terabytes, by subgraphs that show one long text
// at many places. Throws Error{smoke} when more was spent than a workflow that a person made needs.
class Budget {
public:
    void spend(std::size_t bytes) const;
    void spend(const json& value) const;

private:
    mutable std::size_t spent_ = 0;
};

// JavaScript's undefined, which is in no prompt.
json undefined();

// The widget behind one whose value changes after each run: it says how.
constexpr const char* control_name = "control_after_generate";

struct Widget {
    // How it takes a value and gives it back; most keep what they are given.
    enum class Kind {
        plain,
        number,
        combo,
        dynamic_combo,  // its value decides which widgets follow
        text_area,      // an element of the page that knows no null
        markdown,       // one that knows nothing but text
        window,         // a view on a scene: it has no value of its own
        option,         // of a CustomCombo, which always has an empty one behind
        option_index,   // which of the options the CustomCombo has chosen
    };
    std::string name;
    Kind kind = Kind::plain;
    json value = undefined();
    const InputSpec* spec = nullptr;
    bool in_workflow = true;  // it has a place in widgets_values
    bool in_prompt = true;
    bool is_curve = false;
    bool has_dynamic_prompt = false;  // comments are cut and {a|b} chosen
    bool has_replacements = false;    // %date:…% and %Node.widget%
    std::string page_reason = {};     // why only the page can make the value
};

struct Slot {
    std::string name, type;
    std::string link = {};    // id; empty: none
    std::string widget = {};  // the name of the widget beside it; empty: none
    // Of a subgraph's node: the input stands for a widget inside, and has a value of its own.
    bool is_promoted = false;
    json promoted = undefined();
};

struct PageNode {
    enum class Mode { runs, muted, bypassed };

    std::string id, type, title;
    Mode mode = Mode::runs;
    const json* raw = nullptr;         // as it was saved
    const ClassSpec* known = nullptr;  // nullptr: the server does not have it, or it is the page's
    PageGraph* graph = nullptr;        // that it is in
    PageGraph* subgraph = nullptr;     // that it stands for
    std::vector<Slot> inputs = {};
    std::vector<std::string> output_types = {};
    std::vector<std::vector<std::string>> output_links = {};
    std::vector<std::shared_ptr<Widget>> widgets = {};
    std::map<std::string, std::shared_ptr<const Autogrow>> autogrow = {};
    bool is_virtual = false;  // gives nothing to the server by itself

    Widget* widget(std::string_view name) const;
    Slot* input(std::string_view name);
    // The widget beside an input; nullptr: there is none.
    Widget* widget_of(const Slot& slot) const;
    const json& properties() const;
};

struct PageLink {
    std::string origin, target;  // node ids
    std::size_t origin_slot = 0, target_slot = 0;
};

// An input or output of a subgraph itself.
struct Boundary {
    std::string name, type = {};
    std::vector<std::string> links = {};
};

// The ids that a subgraph's own inputs and outputs have in its links.
constexpr std::string_view subgraph_inputs = "-10", subgraph_outputs = "-20";

// The main graph, or a subgraph's definition, which all nodes of its type share.
struct PageGraph {
    std::string id, name;
    std::vector<std::unique_ptr<PageNode>> nodes = {};
    std::map<std::string, PageNode*> by_id = {};
    std::map<std::string, PageLink> links = {};
    std::vector<Boundary> inputs = {}, outputs = {};
    std::vector<PageNode*> instances = {};  // nodes that stand for it
    Budget budget = {};                     // of what its nodes show

    PageNode* node(const std::string& wanted) const;
    const PageLink* link(const std::string& wanted) const;
};

}  // namespace podctl::workflow

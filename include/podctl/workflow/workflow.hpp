#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// A saved workflow of ComfyUI, in any form, as the prompt that ComfyUI's own page makes of it. What
// the rules are and where each is from: docs/workflows.md. Pure: no file, no request.
namespace podctl::workflow {

// What a workflow says of itself, and what the classes of a server are.
struct Content;
struct ClassTable;

// A workflow as a file has it: in the format that ComfyUI's page saves (ui), or in the one that
// POST /prompt takes (api).
enum class Format { api, ui };

class Workflow {
public:
    explicit Workflow(std::shared_ptr<const Content> content);

    Format format() const;
    const Content& content() const { return *content_; }
    // It as JSON, without what stood around it.
    std::string text() const;

private:
    std::shared_ptr<const Content> content_;
};

// UI format, API format, or the body of a request for POST /prompt, which wraps the latter. NaN and
// Infinity are null, as for the page. `name` is for messages. Throws Error{usage} for what is none.
Workflow read_workflow(std::string_view text, const std::string& name);

// A node that the server would run, and where the workflow says that its class comes from.
struct PlannedNode {
    std::string id, class_type, title;
    std::string registry_id = {};  // properties.cnr_id
    std::string repository = {};   // properties.aux_id, "user/repo"
};
// A model that the workflow says where to find: properties.models of a node.
struct ModelOrigin {
    std::string name, url, directory;
};
struct Needs {
    std::vector<PlannedNode> nodes = {};
    std::vector<ModelOrigin> models = {};
};
// Throws Error{smoke} for a graph that cannot be followed.
Needs needs_of(const Workflow& workflow);

// The classes of nodes that a server has, and how their widgets are made.
class Classes {
public:
    Classes();

    // Adds what GET /object_info or GET /object_info/{class} answered. Throws Error{usage} for what
    // is no such answer.
    void add(std::string_view answer);
    bool contains(const std::string& name) const;
    const ClassTable& table() const { return *table_; }

private:
    std::shared_ptr<ClassTable> table_;
};

// A value for an input: "NODE.INPUT", where NODE is an id, a title or a class as the prompt has
// them.
struct InputValue {
    std::string target, value;
};

struct ConversionOptions {
    // Chooses among {a|b} and random values: the same seed makes the same choices.
    std::uint64_t seed = 0;
    // How many runs of the same workflow came before: so often the values that change after each
    // run (control_after_generate) have changed. In the API format, which does not say how, those
    // that the page would give a control are random from the second run on.
    unsigned repeat = 0;
    // Files that were brought to the server: what an input calls the first is called the second.
    std::map<std::string, std::string> files = {};
    // Set at last, one after the other.
    std::vector<InputValue> values = {};
    // What %date:…% tells, in local time.
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

// A value that only the page can make, since it needs a picture on a screen.
struct PageValue {
    std::string node, class_type, input;
    std::string reason;  // "it is drawn by the page", which follows the names
};

struct Prompt {
    std::string text;  // a JSON object: of each node's id its class_type, inputs and title
    // Not in it, or empty in it.
    std::vector<PageValue> page_values = {};
    // Nodes of a class that the server does not have; their class_type is null, as in the page.
    std::vector<PlannedNode> unknown = {};
};

// What POST /prompt takes. One in the API format stays as it is, but for members that are no nodes.
// Throws Error{smoke} for a graph that cannot be followed, Error{usage} for a value that cannot be
// set.
Prompt to_prompt(const Workflow& workflow, const Classes& classes,
                 const ConversionOptions& options = {});

}  // namespace podctl::workflow

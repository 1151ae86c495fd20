#pragma once

#include "page_node.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>

// The page after it has loaded a workflow.
namespace podctl::workflow {

struct Page {
    const ClassTable& table;
    json saved;  // with ids that are unique; the nodes point into it
    std::map<std::string, std::unique_ptr<PageGraph>> subgraphs = {};  // by id
    std::map<std::string, const json*> definitions = {};               // as saved
    std::vector<std::string> order = {};                               // inner ones first
    mutable std::size_t replacements = 0;  // of %Node.widget%, which each look at all nodes
    bool is_cyclic = false;                // a subgraph contains itself
    PageGraph root = {};

    std::chrono::system_clock::time_point now = {};  // for %date:…%

    explicit Page(const ClassTable& classes) : table(classes) {}
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;
};

// Loads a workflow: LGraph.configure(), and what the page's extensions do afterwards. What it
// returns points into `table`. Throws Error{smoke}.
std::unique_ptr<Page> load_page(const json& workflow, const ClassTable& table,
                                std::chrono::system_clock::time_point now);

// Nodes that exist in the page alone, and give nothing to the server.
bool is_page_only(std::string_view type);
bool is_group_node(std::string_view type);

// Nodes of one graph with their saved values (configure.cpp).
void configure_graph(Page& page, PageGraph& graph, const json& saved);
void configure_node(Page& page, PageNode& node);

// Inputs of a subgraph's node that stand for widgets inside (promotion.cpp). `migrate` moves the
// links that older pages saved as properties.proxyWidgets into the subgraph.
void find_promoted(PageNode& instance);
void migrate_promoted(PageNode& instance);

// What happens when all graphs are there (finish.cpp).
void finish_loading(Page& page);

}  // namespace podctl::workflow

#pragma once

#include "page_node.hpp"

namespace podctl::workflow {

// Makes the sockets and widgets of a node's class, as they are before anything saved is read.
void make_inputs(PageNode& node, const ClassTable& table);

// Gives a widget a value; one that decides which widgets follow makes them anew.
void put_value(PageNode& node, Widget& widget, json value, const ClassTable& table);

// A link came to the input `index`: of inputs that grow there is one more then.
void input_was_linked(PageNode& node, std::size_t index, const ClassTable& table);

}  // namespace podctl::workflow

#pragma once

#include "page_node.hpp"

namespace podctl::workflow {

// Whether the page makes a widget for an input, and no bare socket (useWidgetStore().widgets).
bool is_widget(const InputSpec& spec, const ClassTable& table);

// One of the types that every page knows: a number, a text, a choice.
bool is_plain_widget(const InputSpec& spec);

// Adds the widgets that the page makes for `spec` under the name `name`: one, or with it a control
// for what comes after a run, a button, the fields of a box. A dynamic combo gets no branch here.
// Returns the one that has the name.
Widget* add_widget(PageNode& node, const std::string& name, const InputSpec& spec);

// What the page adds behind the inputs of a class, by name of the class.
void add_class_widgets(PageNode& node);

// What a widget makes of a value that it is given, and what it gives when it is read.
void set_value(Widget& widget, json value);
json value_of(const PageNode& node, const Widget& widget);

}  // namespace podctl::workflow

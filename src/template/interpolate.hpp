#pragma once

#include "diagnostics.hpp"
#include "value.hpp"

namespace podctl::tmpl {

// Fills ${NAME}, ${NAME:-default} and $$ in every scalar under `root`. It works on values, after
// the YAML was read, so that no variable can bring structure in. What a variable named under
// `secrets`, or one that looks like a secret, brings in stays out of Value::printed.
void interpolate(Value& root, const Environment& environment, Diagnostics& diagnostics);

}  // namespace podctl::tmpl

#pragma once

#include "file_bytes.hpp"

#include <cstdint>

namespace podctl::download {

enum class PickleLook {
    none,  // Python's unpickler stops at something that is no opcode, before it has done anything
    program,   // it gets to the end: a pickle, of plain values or of what it imports
    runs_code  // it calls something that the file names, whatever comes afterwards
};

// Follows the opcodes of a pickle of any protocol from `begin` on as Python's unpickler would
// (https://github.com/python/cpython, Lib/pickletools.py), without doing what they say. Of a file
// in any format: some can be a pickle besides. A walk that has found no end after a million opcodes
// is a program. Throws Error{io}.
PickleLook look_for_pickle(const FileBytes& file, std::uint64_t begin = 0);

}  // namespace podctl::download

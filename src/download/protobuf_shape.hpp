#pragma once

#include "file_bytes.hpp"

#include <cstdint>

namespace podctl::download {

// Whether a file is an ONNX model: every byte of it is a field of ModelProto with the type that the
// field has, there is an IR version and a graph, and the graph is made of GraphProto's fields alone
// (https://github.com/onnx/onnx, onnx.proto). Throws Error{io}.
bool is_onnx(const FileBytes& file);

// Whether it is a SentencePiece tokenizer: fields of its ModelProto alone, and pieces that are ones
// (https://github.com/google/sentencepiece, sentencepiece_model.proto).
bool is_sentencepiece(const FileBytes& file);

}  // namespace podctl::download

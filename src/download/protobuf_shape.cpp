#include "protobuf_shape.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace podctl::download {
namespace {

// A graph of a large model has some 10,000 nodes and tensors.
constexpr std::size_t max_fields = 4'000'000;

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
    std::uint64_t number = 0;
    Wire wire = Wire::varint;
    std::uint64_t value = 0;           // of a varint
    std::uint64_t begin = 0, end = 0;  // of the bytes
};

// The fields of a message (https://protobuf.dev/programming-guides/encoding/).
class Message {
public:
    Message(const FileBytes& file, std::uint64_t begin, std::uint64_t end)
        : file_(file), at_(begin), end_(end) {}

    // nullopt: the end, or what is no field; is_sound() tells.
    std::optional<Field> next() {
        if (at_ >= end_ || !sound_) return std::nullopt;
        sound_ = false;
        const auto tag = varint();
        if (!tag || ++count_ > max_fields) return std::nullopt;
        Field field{.number = *tag >> 3, .wire = static_cast<Wire>(*tag & 7)};
        if (field.number == 0 || !read(field)) return std::nullopt;
        sound_ = true;
        return field;
    }

    bool is_sound() const { return sound_ && at_ == end_; }

private:
    std::optional<std::uint64_t> varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && at_ < end_; shift += 7) {
            const int byte = file_.byte(at_++);
            if (byte < 0) return std::nullopt;
            value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
            if (byte < 0x80) return value;
        }
        return std::nullopt;
    }

    bool skip(std::uint64_t size) {
        if (at_ > end_ || size > end_ - at_) return false;
        at_ += size;
        return true;
    }

    bool read(Field& field) {
        switch (field.wire) {
            case Wire::varint: {
                const auto value = varint();
                field.value = value.value_or(0);
                return value.has_value();
            }
            case Wire::fixed64:
                return skip(8);
            case Wire::fixed32:
                return skip(4);
            case Wire::bytes: {
                const auto size = varint();
                field.begin = at_;
                if (!size || !skip(*size)) return false;
                field.end = at_;
                return true;
            }
        }
        return false;
    }

    const FileBytes& file_;
    std::uint64_t at_;
    const std::uint64_t end_;
    std::size_t count_ = 0;
    bool sound_ = true;
};

struct FieldType {
    std::uint64_t number;
    Wire wire;
};

bool is_known(const Field& field, std::span<const FieldType> known) {
    return std::ranges::any_of(known, [&](const FieldType& one) {
        return one.number == field.number && one.wire == field.wire;
    });
}

// ir_version, producer_name, producer_version, domain, model_version, doc_string, graph,
// opset_import, metadata_props, training_info, functions, configuration
constexpr std::array onnx_model{
    FieldType{1, Wire::varint}, FieldType{2, Wire::bytes},  FieldType{3, Wire::bytes},
    FieldType{4, Wire::bytes},  FieldType{5, Wire::varint}, FieldType{6, Wire::bytes},
    FieldType{7, Wire::bytes},  FieldType{8, Wire::bytes},  FieldType{14, Wire::bytes},
    FieldType{20, Wire::bytes}, FieldType{25, Wire::bytes}, FieldType{26, Wire::bytes}};

// node, name, initializer, doc_string, input, output, value_info, quantization_annotation,
// sparse_initializer, metadata_props
constexpr std::array onnx_graph{FieldType{1, Wire::bytes},  FieldType{2, Wire::bytes},
                                FieldType{5, Wire::bytes},  FieldType{10, Wire::bytes},
                                FieldType{11, Wire::bytes}, FieldType{12, Wire::bytes},
                                FieldType{13, Wire::bytes}, FieldType{14, Wire::bytes},
                                FieldType{15, Wire::bytes}, FieldType{16, Wire::bytes}};

bool is_onnx_graph(const FileBytes& file, const Field& graph) {
    Message message{file, graph.begin, graph.end};
    std::size_t nodes_and_outputs = 0;
    while (const auto field = message.next()) {
        if (!is_known(*field, onnx_graph)) return false;
        nodes_and_outputs += field->number == 1 || field->number == 12;
    }
    return message.is_sound() && nodes_and_outputs > 0;
}

// piece, score, type
constexpr std::array piece_fields{FieldType{1, Wire::bytes}, FieldType{2, Wire::fixed32},
                                  FieldType{3, Wire::varint}};

bool is_piece(const FileBytes& file, const Field& piece) {
    Message message{file, piece.begin, piece.end};
    bool has_text = false;
    while (const auto field = message.next()) {
        if (!is_known(*field, piece_fields)) return false;
        has_text |= field->number == 1;
    }
    return message.is_sound() && has_text;
}

}  // namespace

bool is_onnx(const FileBytes& file) {
    Message model{file, 0, file.size()};
    bool has_version = false, has_graph = false;
    while (const auto field = model.next()) {
        if (!is_known(*field, onnx_model)) return false;
        if (field->number == 1) has_version = field->value > 0 && field->value < 1000;
        if (field->number != 7) continue;
        if (has_graph || !is_onnx_graph(file, *field)) return false;
        has_graph = true;
    }
    return model.is_sound() && has_version && has_graph;
}

bool is_sentencepiece(const FileBytes& file) {
    Message model{file, 0, file.size()};
    std::size_t pieces = 0;
    while (const auto field = model.next()) {
        if (field->wire != Wire::bytes || field->number > 5) return false;
        if (field->number == 1 && !is_piece(file, *field)) return false;
        pieces += field->number == 1;
    }
    return model.is_sound() && pieces > 0;
}

}  // namespace podctl::download

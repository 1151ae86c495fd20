#include "podctl/download/inert.hpp"

#include "podctl/base/error.hpp"
#include "podctl/base/file.hpp"

#include "inert_format.hpp"
#include "support/archives.hpp"
#include "support/error_of.hpp"
#include "support/hub.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

namespace podctl::download {
namespace {

using test::ArchiveEntry;
using test::ArchiveFormat;
using testing::HasSubstr;
using Kind = Verdict::Kind;
using namespace std::string_literals;

// What calls os.system("id"), as pickle.dumps writes it in each protocol.
const std::string protocol_0 = "cposix\nsystem\np0\n(Vid\np1\ntp2\nRp3\n.";
const std::string protocol_2 =
    "\x80\x02"
    "cposix\nsystem\nq\0X\2\0\0\0idq\1\x85q\2Rq\3."s;
const std::string protocol_4 =
    "\x80\4\x95\x1d\0\0\0\0\0\0\0\x8c\5posix\x94\x8c\6system\x94\x93\x94\x8c\2id\x94\x85\x94R\x94."s;

std::string npy(const std::string& descr) {
    std::string header = "{'descr': " + descr + ", 'fortran_order': False, 'shape': (4,), }";
    header.resize(117, ' ');
    return "\x93NUMPY\1\0v\0"s + header + "\n" + std::string(32, '\1');
}

std::string field(int number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}

// A model of one node: ir_version 8, a producer, a graph, an operator set.
std::string onnx() {
    const auto node = field(1, field(1, "x") + field(2, "y") + field(4, "Relu"));
    return "\x08\x08"s + field(2, "podctl") + field(7, node + field(2, "g")) + field(8, "\x10\x11");
}

std::string gguf() {
    return "GGUF\3\0\0\0"s + "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"s + "\x14\0\0\0\0\0\0\0"s +
           "general.architecture" + std::string(64, '\1');
}

std::string sentencepiece() {
    const auto piece = field(1, field(1, "<unk>") + "\x15\0\0\0\0\x18\2"s);
    return piece + piece + field(2, "\x0A\1x"s);
}

const std::string png = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"s;

class Inert : public testing::Test {
protected:
    Verdict of(const std::string& bytes, const std::string& name) {
        write_file_atomically(dir / "file", bytes);
        return judge(dir / "file", name, {});
    }
    Verdict of_archive(ArchiveFormat format, const std::vector<ArchiveEntry>& entries,
                       const std::string& name) {
        test::write_archive(dir / "file", format, entries);
        return judge(dir / "file", name, {});
    }

    test::TempDir dir;
};

TEST_F(Inert, TakesWhatHoldsDataAlone) {
    const auto safetensors = test::safetensors_bytes(1000);
    const std::vector<std::pair<std::string, std::string>> files{
        {"m.safetensors", safetensors},
        {"M.SFT", safetensors},
        {"m", safetensors},
        // The header's length begins as a pickle does.
        {"m.safetensors", "\x80\4\0\0\0\0\0\0{}"s + std::string(0x47E, ' ')},
        {"m.gguf", gguf()},
        {"m.onnx", onnx()},
        {"a.npy", npy("'<f4'")},
        {"a.npy", npy("'|S10'")},
        {"tokenizer.model", sentencepiece()},
        {"tiktoken.model", "aGVsbG8= 1\n"},
        {"i.png", png},
        {"i.jpeg", png},
        {"i.webp", "RIFF\x1a\0\0\0WEBPVP8L"s},
        {"i.gif", "GIF89a\1\0\1\0\0\0\0;"s},
        {"v.mp4",
         "\0\0\0\x20"
         "ftypisom\0\0\2\0"s},
        {"v.webm", "\x1A\x45\xDF\xA3\x01\0\0\0\0\0\0\x1f"s},
        {"config.json", R"({"a": [1, "cos\nsystem"]})"},
        {"cfg.yaml", "model:\n  target: ldm.models\n"},
        {"README.md", "# Title\n\n**x** é 模型\n"},
        {"LICENSE", "Copyright \xA9 2022"},
        {"names.txt", "cat\ndog\nmouse\n"},
        {"notes.txt", "Version 1\nIt works.\n"},
        {"x.csv", "\xFF\xFEx\0,\0y\0"s},
        {"model.onnx_data", std::string("\0\1\2\x80\xff", 5)},
        {"model.onnx_data_1", std::string("\0\1\2\x80\xff", 5)},
        {"._m.onnx", "\0\5\x16\7\0\2\0\0"s},
        {".DS_Store", "\0\0\0\1Bud1\0"s},
        {".gitkeep", ""},
        {"__init__.py", ""},
    };
    for (const auto& [name, bytes] : files)
        EXPECT_EQ(of(bytes, name).kind, Kind::inert) << name << ": " << of(bytes, name).what;
}

TEST_F(Inert, KnowsAPickleByItsOpcodesUnderAnyName) {
    for (const auto& pickle : {protocol_0, protocol_2, protocol_4})
        for (const char* name : {"m.onnx", "m", "m.json", "m.txt", "m.npy", "m.gguf", "m.dat",
                                 "LICENSE", "m.model", "m.png", "m.safetensors", "m.tar", "m.zip"})
            EXPECT_EQ(of(pickle, name).kind, Kind::pickle) << name;
}

TEST_F(Inert, SeesThroughWhatHidesAPickle) {
    const std::string call = "cposix\nsystem\n(S'id'\ntR";
    for (const auto& pickle :
         std::vector<std::string>{"N0N0(1" + call + ".",               // opcodes that do nothing
                                  call,                                // cut off behind the call
                                  call + "\xff\xff rubbish",           // and what nobody reads
                                  "(S'id'\niposix\nsystem\n.",         // INST
                                  "(cposix\nsystem\nS'id'\no.",        // OBJ
                                  "I1\n0F1.5\n0Vx\np0\ng0\n0" + call,  // text alone
                                  "(dp0\nS'a'\np1\nI1\ns.",  // plain values: a pickle all the same
                                  "U\5abcde0" + call,        // binary lengths
                                  std::string("\x80\3") + "\x80\4N.",  // PROTO twice
                                  "P" + std::string(20'000, 'x') + "\n0" +
                                      call})  // a line that is longer than any window
        EXPECT_EQ(of(pickle, "m.txt").kind, Kind::pickle) << pickle.substr(0, 60);
}

// Each is a file of its format, and a pickle that runs.
TEST_F(Inert, SeesAPickleThatIsAnotherFormatBesides) {
    const std::string call = "cposix\nsystem\n(S'id'\ntR.";
    std::string bitmap = "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"s;
    bitmap.resize(5 + 'M', '\0');  // BINBYTES of 'M' bytes
    EXPECT_EQ(of(bitmap + call, "i.bmp").kind, Kind::pickle);
    const std::string gif = "GIF89a\1\0\1c"s;
    EXPECT_EQ(of(gif + "posix\nsystem\n(S'id'\ntR.", "i.gif").kind, Kind::pickle);
}

// The header's length is an opcode that jumps into the header, from where others jump on to the
// data.
TEST_F(Inert, SeesAPickleInASafetensorsFile) {
    const std::size_t length = 0x608C, landing = 90, jump = 128, data = 200;
    std::string header =
        R"({"t":{"dtype":"U8","shape":[200],"data_offsets":[0,200]},"__metadata__":{"x":")";
    header.resize(landing, 'x');
    while (header.size() + jump < length)
        header += "U~" + std::string(jump - 2, 'x');
    header += "U~";
    const std::size_t from = header.size() - 2 + jump - length;  // in the data
    header.resize(length - 3, 'x');
    header += R"("}})";
    std::string tensor(from, 'x');
    tensor += "cposix\nsystem\n(S'id'\ntR.";
    tensor.resize(data, 'x');
    const auto bytes = "\x8C\x60\0\0\0\0\0\0"s + header + tensor;
    EXPECT_EQ(of(bytes, "m.safetensors").kind, Kind::pickle);
    EXPECT_EQ(of("\x8C\x60\0\0\0\0\0\0"s + header + std::string(data, 'x'), "m.safetensors").kind,
              Kind::inert);
}

TEST_F(Inert, WantsTheWordForWhatItDoesNotKnow) {
    for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
             {"m.dat", "\1\2\3\xfe\xff\0\x10"s},
             {"m",
              "\x7f"
              "ELF\2\1\1\0\0\0"s},
             {"m.h5", "\x89HDF\r\n\x1a\n\0\0"s},
             {"m.weights", "\x89HDF\r\n\x1a\n\0\0"s},
             {"a.npy", npy("'|O'")},
             {"a.npy", npy("[('a', '<f4'), ('b', '|O')]")},
             {"a.npy", npy("'<f4', 'descr': '|O'")},
             {"a.npy", npy("'<f4', 'd' 'escr': '|O'")},
             {"a.npy", npy("'<f' '4,O'")},
             {"a.npy", npy("'f4' ',O'")},
             {"m.onnx", "not a protobuf"},
             {"m.onnx", onnx().substr(0, 20)},
             {"m.onnx", "\x08\x08"s},
             {"m.onnx", png},
             {"m.png", "text"},
             {"m.json", std::string("{\"a\":1}\0", 8)},
             {"m.txt", "\1\2"},
             {"m.gguf", "GGUF\3\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0"s},
             {"m.gguf", "GGUF\3"},
             {"m.safetensors", test::safetensors_bytes(100) + "x"},
             {"m.safetensors", std::string(8, '\xff') + "{}"},
             {"m.ttf.dat", "\0\1\0\0\0\x10"s},
             {"run.sh", "echo"},
             {"nodes.py", "import os"},
             {"m.pb", "\x08\1"s},
             {"trt.engine", "ftrt"},
             {"x", "\x80"},
             {"x", "\xff"}})
        EXPECT_NE(of(bytes, name).kind, Kind::inert) << name;
}

TEST_F(Inert, TakesNoYamlThatCallsPython) {
    for (const char* text :
         {"a: !!python/object/apply:os.system ['id']\n",
          "a: !<tag:yaml.org,2002:python/object/apply:os.system> ['id']",
          "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system [id]",
          "\xEF\xBB\xBF%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system [id]",
          "# a\r%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system [id]",
          "# a\xC2\x85%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system [id]",
          "# a\xE2\x80\xA8%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system "
          "[id]",
          "a: !!%70ython/name:os.system\n"}) {
        EXPECT_EQ(of(text, "c.yaml").kind, Kind::unknown) << text;
        EXPECT_EQ(of(text, "notes.md").kind, Kind::inert) << text;
    }
}

TEST_F(Inert, JudgesEveryMemberOfAnArchive) {
    for (const auto format : {ArchiveFormat::zip, ArchiveFormat::tar_gz, ArchiveFormat::tar}) {
        EXPECT_EQ(of_archive(format, {{"a/m.onnx", onnx()}, {"a/README", "text"}}, "m").kind,
                  Kind::inert);
        EXPECT_EQ(of_archive(format, {{"archive/data.pkl", protocol_2}}, "m.zip").kind,
                  Kind::pickle);
        EXPECT_EQ(of_archive(format, {{"readme", "x"}, {"a/m.onnx", protocol_2}}, "m").kind,
                  Kind::pickle);
        EXPECT_EQ(of_archive(format, {{"m.dat", "\0\1\2"s}}, "m").kind, Kind::unknown);
        EXPECT_EQ(of_archive(format, {{"m/code.py", "x = 1"}}, "m").kind, Kind::unknown);
        const auto named = of_archive(format, {{"readme", "x"}}, "m.onnx");
        EXPECT_EQ(named.kind, Kind::unknown) << named.what;
    }
    EXPECT_EQ(of_archive(ArchiveFormat::zip, {{"arr_0.npy", npy("'<f4'")}}, "a.npz").kind,
              Kind::inert);
    EXPECT_EQ(of_archive(ArchiveFormat::zip, {{"arr_0.npy", npy("'|O'")}}, "a.npz").kind,
              Kind::unknown);
}

TEST_F(Inert, LooksIntoArchivesInArchives) {
    const auto packed = [&](const std::string& name, const std::string& bytes) {
        test::write_archive(dir / "inner", ArchiveFormat::zip, {{name, bytes}});
        return read_file(dir / "inner");
    };
    EXPECT_EQ(of_archive(ArchiveFormat::tar_gz, {{"i", packed("r.txt", "x")}}, "m").kind,
              Kind::inert);
    EXPECT_EQ(of_archive(ArchiveFormat::tar_gz, {{"i", packed("r", protocol_0)}}, "m").kind,
              Kind::pickle);
    std::string deep = "text";
    for (int i = 0; i < 6; ++i)
        deep = packed("x", deep);
    EXPECT_EQ(of(deep, "m.zip").kind, Kind::unknown);
    EXPECT_EQ(of(test::gzip(protocol_2), "m.gz").kind, Kind::pickle);
    EXPECT_EQ(of(test::gzip("{}"), "m.pkl.gz").kind, Kind::pickle);
    EXPECT_EQ(of(test::gzip("{}"), "m.json.gz").kind, Kind::inert);
}

// Zip readers look at the end of a file, and so does whoever loads it with one.
TEST_F(Inert, SeesAnArchiveBehindAnotherFormat) {
    test::write_archive(dir / "zip", ArchiveFormat::zip, {{"data.pkl", protocol_2}});
    const auto zip = read_file(dir / "zip");
    for (const auto& [name, bytes] :
         std::vector<std::pair<std::string, std::string>>{{"i.png", png},
                                                          {"m", png},
                                                          {"m.gguf", gguf()},
                                                          {"v.mp4",
                                                           "\0\0\0\x20"
                                                           "ftypisom\0\0\2\0"s}})
        EXPECT_EQ(of(bytes + zip, name).kind, Kind::unknown) << name;
    EXPECT_EQ(of(zip.substr(0, zip.size() - 10), "m.zip").kind, Kind::unknown);
    // TensorFlow Lite's own labels are zipped at its end.
    const auto tflite = "\x1c\0\0\0TFL3\x14\0\x20\0"s;
    EXPECT_EQ(of(tflite + zip, "m.tflite").kind, Kind::pickle);
    test::write_archive(dir / "zip", ArchiveFormat::zip, {{"labels.txt", "cat\ndog\n"}});
    EXPECT_EQ(of(tflite + read_file(dir / "zip"), "m.tflite").kind, Kind::inert);
    EXPECT_EQ(of(tflite, "m.tflite").kind, Kind::inert);
}

// The directory is what most readers believe.
TEST_F(Inert, ReadsAMembersNameInTheDirectoryToo) {
    test::write_archive(dir / "zip", ArchiveFormat::zip, {{"code.txt", "x = 1"}});
    auto zip = read_file(dir / "zip");
    EXPECT_EQ(of(zip, "m.zip").kind, Kind::inert);
    zip.replace(zip.rfind("code.txt"), 8, "code1.py");
    EXPECT_EQ(of(zip, "m.zip").kind, Kind::unknown);
}

TEST_F(Inert, RefusesABombInsteadOfLookingIntoIt) {
    EXPECT_EQ(
        of_archive(ArchiveFormat::zip, {{"z.txt", std::string(100 << 20, ' ')}}, "m.zip").kind,
        Kind::unknown);
}

TEST(InertNames, AreRefusedBeforeAByteCame) {
    EXPECT_EQ(judge_name("m.pt2").kind, Kind::pickle);
    EXPECT_EQ(judge_name("m.py").kind, Kind::unknown);
    EXPECT_EQ(judge_name("m.onnx").kind, Kind::inert);
}

TEST(InertNames, AreToldWithTheWord) {
    const auto error = test::error_of([] {
        require_inert({Kind::pickle, "a pickle"}, "hf:o/r/m", "m.onnx", "`pickle: allow`");
    });
    EXPECT_EQ(error.kind(), ErrorKind::template_);
    EXPECT_THAT(error.message(), HasSubstr("hf:o/r/m: m.onnx is a pickle: loading it runs code"));
    EXPECT_THAT(error.hint(), HasSubstr("`pickle: allow`"));
}

// The table that users read is the one that is followed.
TEST(InertTable, NamesEveryExtension) {
    const auto page = read_file(PODCTL_SOURCE_DIR "/docs/models-trust.md");
    const auto expect = [&](std::string_view extension) {
        EXPECT_THAT(page, HasSubstr("`" + std::string{extension} + "`"));
    };
    for (const auto& format : inert_formats())
        for (const auto extension : format.extensions)
            expect(extension);
    for (const auto extension : text_extensions())
        expect(extension);
    for (const auto extension : archive_extensions())
        expect(extension);
}

}  // namespace
}  // namespace podctl::download

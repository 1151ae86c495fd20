#pragma once

#include "media.hpp"

// Whether a film, a sound or a scene that begins as its format does is there to its end and holds
// anything, as far as the bytes tell that were kept of it.
namespace podctl::comfy {

bool is_whole_mp4(const FileSample& file);   // ISO/IEC 14496-12 §4.2: mp4, mov, m4a, avif
bool is_whole_webm(const FileSample& file);  // RFC 8794 and RFC 9559: webm, mkv
bool is_whole_riff(const FileSample& file);  // wav, avi
bool is_whole_flac(const FileSample& file);  // RFC 9639
bool is_whole_ogg(const FileSample& file);   // RFC 3533
bool is_whole_mp3(const FileSample& file);
bool is_whole_glb(const FileSample& file);  // glTF 2.0, §4.4

}  // namespace podctl::comfy

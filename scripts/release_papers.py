"""What goes with the release's binary, all from cmake/release/sources.json: scripts/release calls it.

usage: release_papers.py requirement                             the compiler, as pip's --require-hashes takes it
       release_papers.py licences SOURCES ZIG                    every licence text (folders of unpacked sources)
       release_papers.py sbom VERSION ARCH EPOCH BINARY          CycloneDX 1.6
       release_papers.py archive OUT EPOCH NAME=FILE...          a .tar.gz that depends on nothing but its files
"""
import datetime
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELINK = """\
podctl itself is under the licence that stands first here. It is linked statically with the libraries below.
libmicrohttpd (LGPL 2.1 or later) may be replaced by a version of your own: podctl's source and the scripts that
link it are public, so change the pin in cmake/release/sources.json and run scripts/release. docs/release.md tells
how. libgit2's licence allows to link it with anything; its exception stands at the head of its text.
"""


def pins():
    with open(ROOT / "cmake/release/sources.json", encoding="utf-8") as file:
        return json.load(file)


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def requirement():
    pin = pins()["toolchain"]
    return f"{pin['name']}=={pin['version']} --hash=sha256:{pin['sha256']}\n"


def licences(sources, zig):
    def part(title, paths):
        texts = [path.read_text(encoding="utf-8", errors="replace").strip() for path in paths]
        return "\n".join(["=" * 100, title, "=" * 100, "", *texts, ""])

    def title(pin):
        return f"{pin['name']} {pin['version']}: {pin['licence']}" + (f" ({pin['note']})" if "note" in pin else "")

    data = pins()
    parts = [RELINK, part("podctl", [ROOT / "LICENSE"])]
    parts += [part(title(pin), [pathlib.Path(sources, pin["name"], name) for name in pin["licence_files"]])
              for pin in data["sources"]]
    compiler = data["toolchain"]
    parts.append(part(title(compiler), [pathlib.Path(zig, name) for name in compiler["licence_files"]]))
    return "\n".join(parts)


def where_from(pin):
    if "from" in pin:
        return f"pkg:pypi/{pin['name']}@{pin['version']}"
    return pin.get("upstream") or "pool/main/" + pin["debian"]


def debian_version(pin):
    """Debian's name of the source, and the version that is linked in, with the revision whose patches are applied."""
    archive = pin.get("patches", pin)["debian"]
    version = archive.rpartition("_")[2]
    for end in (".orig.tar", ".debian.tar"):
        version = version.partition(end)[0]
    return archive.split("/")[1], version


def properties(pin):
    """What scripts/check_advisories asks the SBOM."""
    source, version = debian_version(pin)
    waived = {f"not-affected:{name}": why for name, why in pin.get("not_affected", {}).items()}
    return [{"name": name, "value": value} for name, value in
            {"debian:source": source, "debian:version": version, **waived}.items()]


def pedigree(pin):
    patches = pin["patches"]
    names = [{"type": "backport", "diff": {"url": name}} for name in patches["apply"]]
    return {"patches": names, "notes": f"pool/main/{patches['debian']}, SHA-256 {patches['sha256']}"}


def component(pin):
    purl = f"pkg:{'pypi' if 'from' in pin else 'generic'}/{pin['name']}@{pin['version']}"
    entry = {
        "type": "library",
        "bom-ref": purl,
        "name": pin["name"],
        "version": pin["version"],
        "licenses": [{"expression": pin["licence"]}],
        "purl": purl,
        "externalReferences": [{
            "type": "source-distribution",
            "url": where_from(pin).replace("+", "%2B"),
            "hashes": [{"alg": "SHA-256", "content": pin["sha256"]}],
        }],
    }
    if "cpe" in pin:  # what vulnerability databases know it by
        entry["cpe"] = f"cpe:2.3:a:{pin['cpe']}:{pin['version']}:*:*:*:*:*:*:*"
    if "debian" in pin:
        entry["properties"] = properties(pin)
    if "patches" in pin:
        entry["pedigree"] = pedigree(pin)
    if "note" in pin:
        entry["description"] = pin["note"]
    return entry


def sbom(version, arch, epoch, binary):
    data = pins()
    components = [component(pin) for pin in [*data["sources"], data["toolchain"]]]
    digest = sha256(binary)
    podctl = f"pkg:generic/podctl@{version}?arch={arch}&os=linux"
    time = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, digest).urn,
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application", "bom-ref": podctl, "name": "podctl", "version": version, "purl": podctl,
                "licenses": [{"expression": "MIT"}], "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": components,
        "dependencies": [{"ref": podctl, "dependsOn": [entry["bom-ref"] for entry in components]}],
    }
    return json.dumps(bom, indent=2) + "\n"


def archive(out, epoch, *members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in sorted(member.split("=", 1) for member in members):
            content = pathlib.Path(path).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), int(epoch)
            entry.mode = 0o755 if name.endswith("/podctl") else 0o644
            entry.uname = entry.gname = "root"
            tar.addfile(entry, io.BytesIO(content))
    with open(out, "wb") as file, gzip.GzipFile("", "wb", 9, file, int(epoch)) as packed:
        packed.write(data.getvalue())
    return ""


def main():
    commands = {"requirement": requirement, "licences": licences, "sbom": sbom, "archive": archive}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    print(commands[sys.argv[1]](*sys.argv[2:]), end="")


if __name__ == "__main__":
    main()

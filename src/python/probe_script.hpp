#pragma once

namespace podctl::python {

// Asked with `python -I -c`. What the interpreter's own start-up prints may stand before the
// answer, so the answer has a mark. importlib.metadata would open every METADATA, which takes
// seconds on a network volume with hundreds of packages: the folder names say it all but in rare
// cases.
inline constexpr const char* probe_mark = "podctl-probe:";
inline constexpr const char* probe_script = R"py(
import sys
mark = 'podctl-probe:'
if sys.version_info < (3, 9):
    print(mark + '{"version": "%d.%d.%d"}' % sys.version_info[:3])
    sys.exit(0)
import json, os, re, site, sysconfig

def site_folders():
    known = site.getsitepackages() if hasattr(site, 'getsitepackages') else []
    is_venv = sys.prefix != sys.base_prefix
    user = [] if is_venv else [site.getusersitepackages()]
    named = [p for p in sys.path if os.path.basename(p) in ('site-packages', 'dist-packages')]
    first = [p for p in sys.path if p in known]
    folders = []
    for p in user + first + named + known:
        if p not in folders and os.path.isdir(p):
            folders.append(p)
    return folders

def described(path):
    name = version = ''
    try:
        with open(path, encoding='utf-8', errors='replace') as f:
            for line in f:
                if line == '\n' or (name and version):
                    break
                key, _, value = line.partition(':')
                if key == 'Name':
                    name = value.strip()
                elif key == 'Version':
                    version = value.strip()
    except OSError:
        pass
    return name, version

def installed(folders):
    found = {}
    for folder in folders:
        for entry in os.scandir(folder):
            name = version = ''
            if entry.name.endswith('.dist-info'):
                m = re.fullmatch(r'([A-Za-z0-9][A-Za-z0-9._]*)-(\d[^-]*)\.dist-info', entry.name)
                if m and os.path.isfile(os.path.join(entry.path, 'METADATA')):
                    name, version = m.groups()
                else:
                    name, version = described(os.path.join(entry.path, 'METADATA'))
            elif entry.name.endswith('.egg-info'):
                name, version = described(
                    os.path.join(entry.path, 'PKG-INFO') if entry.is_dir() else entry.path)
            if name and version:
                found.setdefault(re.sub(r'[-_.]+', '-', name).lower(), version)
    return found

def pip_files():
    own = os.environ.get('PIP_CONFIG_FILE', '')
    if own == os.devnull:
        return []
    files = [os.path.join(d, 'pip', 'pip.conf')
             for d in os.environ.get('XDG_CONFIG_DIRS', '/etc/xdg').split(':') if d] + ['/etc/pip.conf']
    if not (own and os.path.exists(own)):
        config = os.environ.get('XDG_CONFIG_HOME') or '~/.config'
        files += [os.path.expanduser('~/.pip/pip.conf'),
                  os.path.join(os.path.expanduser(config), 'pip', 'pip.conf')]
    return files + [os.path.join(sys.prefix, 'pip.conf')] + ([own] if own else [])

def pip_settings():
    wanted = ('index-url', 'extra-index-url', 'find-links', 'no-index', 'constraint', 'cert',
              'trusted-host', 'proxy', 'timeout', 'default-timeout')
    sections = {'global': {}, 'install': {}}
    for file in filter(os.path.isfile, pip_files()):
        import configparser
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself will say so
        for section in sections:
            if parser.has_section(section):
                for key, value in parser.items(section):
                    sections[section][key.lower().replace('_', '-').lstrip('-')] = value
    merged = dict(sections['global'], **sections['install'])
    for key, value in os.environ.items():
        if key.startswith('PIP_') and value:
            merged[key[4:].lower().replace('_', '-')] = value
    return {key: ' '.join(merged[key].split()) for key in wanted if merged.get(key)}

def available(module):
    from importlib.util import find_spec
    return find_spec(module) is not None

folders = site_folders()
is_venv = sys.prefix != sys.base_prefix
print(mark + json.dumps({
    'executable': sys.executable,
    'version': '%d.%d.%d' % sys.version_info[:3],
    'site_packages': folders,
    'is_venv': is_venv,
    'externally_managed': not is_venv and os.path.isfile(
        os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED')),
    'has_pip': available('pip'),
    'has_ensurepip': available('ensurepip'),
    'has_venv': available('venv'),
    'packages': installed(folders),
    'pip': pip_settings(),
}))
)py";

}  // namespace podctl::python

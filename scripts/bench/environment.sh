#!/bin/bash
# Measures the Python environment of a ComfyUI pod made in three ways, on this machine and in one run:
#   script   as build_and_run_server.sh does it: pip install -r, one requirements file after another
#   podctl   podctl up --only python.install --no-launch
#   uv       by hand: one joint resolution by uv, then its install
# each with the installer's caches empty (cold) and filled (warm), and the two joint ones offline. Checkouts are made beforehand and not measured.
#
#   scripts/bench/environment.sh [options] SEED COMFYUI
#
#   SEED       a checkout of the repository with requirements.txt in its root
#   COMFYUI    a checkout of ComfyUI; the packs are the folders in its custom_nodes/
#   --image PYTHON      the image's Python, which has torch (python3)
#   --podctl BINARY     (build/release/podctl)
#   --ways A,B          some of script,podctl,uv (all)
#   --runs N            of every row (1); the table shows median, least and most
#   --mirror FROM=TO    for podctl, and for git+ requirements; repeatable
#   --work DIR          where to work, 10 GB (a new folder in $TMPDIR); only what is put there is removed
#
# Exit: 0 measured, however long it took; 1 a way other than the script failed; 2 usage.

# shellcheck disable=SC2317 # the functions of a way are called by name
set -euo pipefail

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }
fail() {
    echo "environment.sh: $*" >&2
    exit 2
}

repository=$(cd "$(dirname "$0")/../.." && pwd)
image=python3 podctl=$repository/build/release/podctl ways=script,podctl,uv runs=1 work='' folders=() mirrors=()
while (($#)); do
    case $1 in
    --image | --podctl | --ways | --runs | --mirror | --work)
        (($# > 1)) || fail "$1 needs a value"
        case $1 in
        --image) image=$2 ;;
        --podctl) podctl=$2 ;;
        --ways) ways=$2 ;;
        --runs) runs=$2 ;;
        --mirror) mirrors+=("$2") ;;
        --work) work=$2 ;;
        esac
        shift 2
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*) fail "there is no option $1; see --help" ;;
    *)
        folders+=("$1")
        shift
        ;;
    esac
done
((${#folders[@]} == 2)) || fail "wanted: SEED COMFYUI; see --help"
[[ $runs =~ ^[1-9][0-9]*$ ]] || fail "--runs $runs: a number from 1"
for way in ${ways//,/ }; do
    [[ $way =~ ^(script|podctl|uv)$ ]] || fail "--ways $way: script, podctl or uv"
done
for mirror in ${mirrors[@]+"${mirrors[@]}"}; do
    [[ $mirror == ?*=?* ]] || fail "--mirror $mirror: FROM=TO"
done
[[ -f ${folders[0]}/requirements.txt ]] || fail "${folders[0]}: no requirements.txt"
[[ -f ${folders[1]}/requirements.txt && -f ${folders[1]}/main.py ]] || fail "${folders[1]}: not a checkout of ComfyUI"
seed=$(cd "${folders[0]}" && pwd)
comfyui=$(cd "${folders[1]}" && pwd)
program=$(command -v "$image") || fail "--image $image: no such program"
image=$("$program" -c 'import os, sys; print(os.path.abspath(sys.executable))')
"$image" -c 'import torch' 2>/dev/null || fail "$image has no torch: an image's Python is meant"
if [[ ,$ways, == *,podctl,* ]]; then
    podctl=$(command -v "$podctl") || fail "no podctl: scripts/quickstart builds one; or --podctl BINARY, or --ways script,uv"
    podctl=$(readlink -f "$podctl")
fi

if [[ -n $work ]]; then
    mkdir -p "$work"
    [[ -z $(ls -A "$work") ]] || fail "--work $work: not empty"
    work=$(cd "$work" && pwd)
    trap 'rm -rf "${work:?}"/*' EXIT
else
    work=$(mktemp -d "${TMPDIR:-/tmp}/podctl-bench.XXXXXX")
    trap 'rm -rf "$work"' EXIT
fi
trap 'exit 130' INT
trap 'exit 143' TERM

export PODCTL_LOCAL=$work/local # nothing of it stays behind
# git takes the mirrors from its environment, whoever starts it.
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=${#mirrors[@]}
for i in "${!mirrors[@]}"; do
    export "GIT_CONFIG_KEY_$i=url.${mirrors[i]#*=}.insteadOf" "GIT_CONFIG_VALUE_$i=${mirrors[i]%%=*}"
done
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
site=$("$image" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
image_is_venv=$("$image" -c 'import sys; print(int(sys.prefix != sys.base_prefix))')
index=$("$image" -m pip config get global.index-url 2>/dev/null || true)
[[ -z $index ]] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index} # uv does not read pip's configuration

venv_site() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

# --- script: steps 1 to 4 and 10. comfy-cli is not run: of step 2 only its pip install of ComfyUI's
# requirements is measured, without its clone, ComfyUI-Manager and torch, which is in the script's favour.
script_fresh() {
    rm -rf "$work/script"
    mkdir "$work/script"
    [[ $1 == warm ]] || rm -rf "$work/script-cache"
}
script_run() {
    export PIP_CACHE_DIR=$work/script-cache
    local venv=$work/script/venv requirements status=0
    local python=$venv/bin/python
    # A venv over the image instead of the image itself, which is to be used again. Where the image's Python is
    # a venv, --system-site-packages would show the packages of that venv's base instead. pip is the image's.
    if ((image_is_venv)); then
        "$image" -m venv --without-pip "$venv" || return
        echo "import site; site.addsitedir('$site')" >"$(venv_site "$venv")/_inherit.pth"
    else
        "$image" -m venv --without-pip --system-site-packages "$venv" || return
    fi
    for requirements in "$seed/requirements.txt" "$comfyui/requirements.txt" "$comfyui/requirements.txt" \
        "$comfyui"/custom_nodes/*/requirements.txt; do
        [[ -f $requirements ]] || continue
        echo "== pip install -r $requirements"
        # The script goes on after a failure, too.
        "$python" -m pip install -r "$requirements" || status=$?
    done
    return "$status"
}
script_venv() { echo "$work/script/venv"; }

# --- podctl: the same files, jointly. The first, unmeasured run makes the checkouts.
yaml_string() { "$image" -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"; }
podctl_up() {
    local options=() mirror
    for mirror in ${mirrors[@]+"${mirrors[@]}"}; do options+=(--mirror "$mirror"); done
    PIP_CACHE_DIR=$work/podctl-cache "$podctl" up "$work/pod.yaml" --root "$work/podctl" --no-color \
        ${options[@]+"${options[@]}"} --only python.install --no-launch "$@"
}
podctl_prepare() {
    local sources=$work/podctl/sources pack
    mkdir -p "$sources/packs"
    (cd "$comfyui" && tar -cf - --exclude=.git --exclude=./custom_nodes --exclude=./models .) |
        (mkdir "$sources/comfyui" && tar -xf - -C "$sources/comfyui")
    (
        export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
        cd "$sources/comfyui"
        git init -q -b main
        git add -f .
        git -c user.name=bench -c user.email=bench@localhost commit -qm bench
    )
    cp "$seed/requirements.txt" "$sources/seed-requirements.txt"
    {
        echo "apiVersion: podctl/v1"
        echo "name: bench"
        echo "pod: {volume: {name: bench, mount: $(yaml_string "$work/podctl")}}"
        echo "python: {interpreter: $(yaml_string "$image"), requirements: [sources/seed-requirements.txt]}"
        echo "comfyui: {source: $(yaml_string "file://$sources/comfyui"), path: ComfyUI}"
        echo "custom_nodes:"
        for pack in "$comfyui"/custom_nodes/*/; do
            [[ -f $pack/__init__.py ]] || continue
            cp -R "$pack" "$sources/packs/"
            echo "  - {path: $(yaml_string "sources/packs/$(basename "$pack")"), install_script: false}"
        done
    } >"$work/pod.yaml"
    podctl_up >"$work/podctl.log" 2>&1 || {
        tail -n 20 "$work/podctl.log" >&2
        return 1
    }
}
podctl_fresh() {
    local state=$work/podctl/.podctl
    [[ $1 == again ]] || rm -rf "$work/podctl/venv" "$work/podctl/.venv.podctl"
    case $1 in
    cold) # all but the journal, which knows the checkouts
        find "$state" -mindepth 1 -maxdepth 1 ! -name 'journal*' -exec rm -rf {} +
        rm -rf "$work/podctl-cache"
        ;;
    warm | offline) rm -rf "$state/environments" ;; # resolves again, as the other ways do
    esac
}
podctl_run() {
    local options=()
    [[ $1 != offline ]] || options=(--offline)
    podctl_up ${options[@]+"${options[@]}"}
}
podctl_venv() { echo "$work/podctl/venv"; }

# --- uv by hand
uv_fresh() {
    rm -rf "$work/uv"
    mkdir "$work/uv"
    [[ $1 != cold ]] || rm -rf "$work/uv-tool" "$work/uv-cache" "$work/uv-pip-cache"
}
uv_run() {
    export PIP_CACHE_DIR=$work/uv-pip-cache UV_CACHE_DIR=$work/uv-cache
    [[ $1 != offline ]] || export UV_OFFLINE=1
    local uv=$work/uv-tool/bin/uv venv=$work/uv/venv requirements=("$seed/requirements.txt" "$comfyui/requirements.txt")
    [[ -x $uv ]] || "$image" -m pip install -q --target "$work/uv-tool" uv || return
    mapfile -t -O 2 requirements < <(find "$comfyui/custom_nodes" -mindepth 2 -maxdepth 3 -name requirements.txt)
    "$uv" venv -q --python "$image" "$venv" || return
    echo "import site; site.addsitedir('$site')" >"$(venv_site "$venv")/_inherit.pth"
    cd "$work/uv"
    "$uv" pip freeze -q --python "$image" >inherited.txt || return
    grep -E '^(torch|torchvision|torchaudio)==' inherited.txt >hold.txt || true
    cp inherited.txt lock.txt # uv prefers the versions that its output file has
    "$uv" pip compile -q --no-header --no-annotate --python "$image" "${requirements[@]}" -c hold.txt -o lock.txt || return
    grep -vxFf inherited.txt lock.txt >install.txt || true
    "$uv" pip install --no-deps --python "$venv/bin/python" -r install.txt
}
uv_venv() { echo "$work/uv/venv"; }

# --- measuring
problems_of() { # lines of pip check; of an environment that is not there: -
    local said status=0
    said=$("$image" -m pip --python "$1" check 2>/dev/null) || status=$?
    case $status in
    0) echo ok ;;
    *) if [[ -n $said ]]; then wc -l <<<"$said"; else echo -; fi ;;
    esac
}
failed=0
measure() { # way, cold | warm | offline | locked | again
    local start end status=0 problems
    echo "$1, $2 …" >&2
    "$1_fresh" "$2"
    start=$EPOCHREALTIME
    ("$1_run" "$2") >"$work/$1-$2.log" 2>&1 || status=$?
    end=$EPOCHREALTIME
    if ((status)); then
        echo "$1, $2: exit $status; its last lines:" >&2
        tail -n 20 "$work/$1-$2.log" >&2
        [[ $1 == script ]] || failed=1
    fi
    problems=$(problems_of "$("$1_venv")/bin/python")
    awk -v way="$1" -v kind="$2" -v s="$start" -v e="$end" -v status="$status" -v problems="$problems" \
        'BEGIN { printf "%s %s %.2f %s %s\n", way, kind, e - s, status, problems }' >>"$work/rows"
}

: >"$work/rows"
load=$(cut -d' ' -f1-3 /proc/loadavg)
if [[ ,$ways, == *,podctl,* ]] && ! podctl_prepare; then
    echo "environment.sh: podctl could not make the environment; nothing was measured" >&2
    exit 1
fi
for ((run = 1; run <= runs; run++)); do
    for kind in cold warm; do # ways in turn, so that a slow spell of the machine hits them all
        for way in ${ways//,/ }; do measure "$way" "$kind"; done
    done
    for way in ${ways//,/ }; do
        [[ $way == script ]] || measure "$way" offline
    done
    if [[ ,$ways, == *,podctl,* ]]; then
        measure podctl locked # a new venv by the lock, as on a new pod with the old volume
        measure podctl again  # nothing to do
    fi
done

echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), $(uname -sr), $(df --output=fstype "$work" | tail -n 1) under the venvs"
echo "load      $load at the start, $(cut -d' ' -f1-3 /proc/loadavg) at the end"
"$image" -c 'import importlib.metadata as m, platform; print("image     Python", platform.python_version(), *(f"{p} {m.version(p)}" for p in ("pip", "torch", "torchvision")))'
[[ ! -x $work/uv-tool/bin/uv ]] || echo "uv        $("$work/uv-tool/bin/uv" --version | cut -d' ' -f2)"
[[ ,$ways, != *,podctl,* ]] || echo "podctl    $("$podctl" --version | tail -n 1)"
packs=("$comfyui"/custom_nodes/*/requirements.txt)
echo "files     ${#packs[@]} packs' requirements, ComfyUI's and the seed's"
echo
# A ratio is against the script's row of the same kind; the other kinds are compared with its warm one.
awk '
    { key = $1 " " $2; if (!(key in n)) order[++rows] = key; seconds[key, ++n[key]] = $3; exit_[key] = $4; problems[key] = $5 }
    function median(key,    i, j, t, v) {
        for (i = 1; i <= n[key]; i++) v[i] = seconds[key, i] + 0
        for (i = 1; i <= n[key]; i++) for (j = i + 1; j <= n[key]; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
        least = v[1]; most = v[n[key]]
        return n[key] % 2 ? v[(n[key] + 1) / 2] : (v[n[key] / 2] + v[n[key] / 2 + 1]) / 2
    }
    END {
        printf "%-8s %-7s %3s %10s %18s %7s %5s %10s\n", "way", "caches", "n", "seconds", "least-most", "times", "exit", "pip check"
        for (i = 1; i <= rows; i++) {
            key = order[i]; split(key, name, " ")
            m = median(key); range = sprintf("%.2f-%.2f", least, most)
            base = "script " (name[2] == "cold" ? "cold" : "warm")
            times = (base in n) && m > 0 ? sprintf("%.1fx", median(base) / m) : "-"
            printf "%-8s %-7s %3d %10.2f %18s %7s %5s %10s\n", name[1], name[2], n[key], m, range, times, exit_[key], problems[key]
        }
    }' "$work/rows"
exit "$failed"

#!/bin/sh
# Debian and Ubuntu packages that pip can't bring: installed where we are root, else named. Usage: PYTHON
set -eu
python=$1

if ! command -v dpkg-query >/dev/null; then
    echo "not Debian or Ubuntu: MuJoCo's headless rendering needs libEGL, libOpenGL and a Mesa or NVIDIA driver" >&2
    exit 0
fi
missing=""
for package in libegl1 libopengl0 libgl1-mesa-dri; do # MuJoCo fails without any one of them
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" ||
        missing="$missing $package"
done
"$python" -c "import ensurepip, venv" 2>/dev/null || missing="$missing $(basename "$python")-venv"
[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "system packages are missing; install them and try again:" >&2
    echo "    sudo $command" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
if ! output=$( (apt-get update && $command) 2>&1); then
    echo "$output" >&2
    exit 1
fi

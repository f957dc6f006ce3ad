#!/usr/bin/env bash
# Puts QEMU and the kernels the lab boots on this machine, from Debian's own packages.
#
#   tests/vm/install-kernels.sh CACHE_DIR META_PACKAGE...
#
# A meta package (linux-image-amd64) names the exact one, whose number changes with every security
# update. The kernel is unpacked, never installed: nothing of it reaches the boot loader. Prints one
# line a kernel: META VERSION VMLINUZ.
set -euo pipefail

cache=$1
shift
mkdir -p "$cache/deb"

tools=()
command -v qemu-system-x86_64 >/dev/null || tools+=(qemu-system-x86)
command -v depmod >/dev/null || tools+=(kmod)
command -v busybox >/dev/null || tools+=(busybox-static)
command -v numastat >/dev/null || tools+=(numactl)
command -v zstd >/dev/null || tools+=(zstd)

apt_updated=
apt_update() {
  [ -n "$apt_updated" ] || apt-get update >&2
  apt_updated=yes
}

if [ ${#tools[@]} -gt 0 ]; then
  apt_update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${tools[@]}" >&2
fi

for meta in "$@"; do
  if ! package=$(apt-cache depends --important "$meta" 2>/dev/null | awk '/Depends: linux-image-/ {print $2; exit}') \
    || [ -z "$package" ]; then
    apt_update
    package=$(apt-cache depends --important "$meta" | awk '/Depends: linux-image-/ {print $2; exit}')
  fi
  if [ -z "$package" ]; then
    echo "install-kernels: '$meta' names no kernel package here; expected a meta package such as" \
      "linux-image-amd64. See 'apt-cache search linux-image'." >&2
    exit 1
  fi
  version=${package#linux-image-}
  root=$cache/$package
  if [ ! -e "$root/ready" ]; then
    rm -rf "$root"
    # An index older than the last security update names a package that is gone: refresh it once.
    (cd "$cache/deb" && apt-get download "$package" >&2) \
      || { apt_update; (cd "$cache/deb" && apt-get download "$package" >&2); }
    deb=$(ls -t "$cache/deb/${package}"_*.deb | head -n 1)
    dpkg -x "$deb" "$root"
    rm -f "$deb"
    depmod -b "$root" "$version"
    touch "$root/ready"
  fi
  # virtme-ng looks for the modules of a kernel where an installed one has them. A real folder there
  # belongs to a kernel which this machine has installed, and serves as it is.
  modules=$root/lib/modules/$version
  installed=/lib/modules/$version
  if [ -L "$installed" ] || [ ! -e "$installed" ]; then
    if [ "$(readlink "$installed")" != "$modules" ]; then
      mkdir -p /lib/modules
      ln -sfn "$modules" "$installed"
    fi
  fi
  echo "$meta $version $root/boot/vmlinuz-$version"
done

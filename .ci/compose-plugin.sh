#!/usr/bin/env bash
# Adds Compose 2, which Debian 12 lacks, to the docker client as a plugin for this user. About 10 s.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/debian-13.sh"

cd "$scratch"
apt_13 download docker-compose
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
mkdir -p "$plugins"
dpkg-deb --fsys-tarfile docker-compose_*.deb |
  tar -xO ./usr/libexec/docker/cli-plugins/docker-compose >docker-compose
install -m 0755 docker-compose "$plugins/docker-compose"
docker compose version

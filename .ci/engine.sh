# Sourced by `run`, which sets `logs`: a Docker engine with Compose and the two base images. What is there already is used
# as it is; only an engine that was started here is ended.

engine_pid=''

stop_engine() {
  [ -n "$engine_pid" ] || return 0
  kill "$engine_pid" 2>/dev/null
  wait "$engine_pid" 2>/dev/null
  engine_pid=''
}

engine_answers() { docker info >/dev/null 2>&1; }

install_engine() {
  command -v docker >/dev/null && command -v dockerd >/dev/null && return
  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install docker.io >/dev/null
}

start_engine() {
  local attempt
  engine_answers && return
  install_engine || return
  engine_answers && return # where a service manager starts what is installed
  dockerd >"$logs/dockerd" 2>&1 &
  engine_pid=$!
  for ((attempt = 0; attempt < 60; attempt++)); do
    engine_answers && return
    kill -0 "$engine_pid" 2>/dev/null || break
    sleep 1
  done
  echo 'The Docker engine did not come up. The end of its log:' >&2
  tail -n 30 "$logs/dockerd" >&2
  return 1
}

# What is made from packages needs apt's lists, which a new machine may lack.
ensure_lists() { [ -n "$(apt-get indextargets 'Created-By: Packages')" ] || apt-get -qq update; }

ensure_compose() {
  docker compose version 2>/dev/null && return
  ensure_lists && .ci/compose-plugin.sh
}

# ensure_image IMAGE NAME: as it is, else pulled, else made here.
ensure_image() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  timeout 120 docker pull --quiet "$1" 2>/dev/null && return
  echo "$1 cannot be pulled here: making it from packages"
  ensure_lists && .ci/base-images.sh "$2"
}

prepare_engine() {
  start_engine && ensure_compose && ensure_image redis:8 redis && ensure_image node:24-slim node
}

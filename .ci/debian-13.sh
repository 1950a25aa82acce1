# Sourced: an apt of its own for Debian 13, whose packages (Redis 8.0, Compose 2) are newer than those of Debian 12. It lives
# in a temporary folder; the system's own lists, cache and packages stay as they are.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Wherever this system gets its packages from, Debian 13's are there, too.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
if [ -z "$mirror" ]; then
  echo 'apt knows no package mirror: run apt-get update first' >&2
  exit 1
fi

mkdir -p "$scratch"/apt/{lists,archives}/partial
: >"$scratch/apt/status" # nothing counts as installed, so every dependency is fetched
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$scratch/apt/sources.list"

apt_13() {
  apt-get -qq -y \
    -o Dir::Etc::SourceList="$scratch/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o Dir::State::Lists="$scratch/apt/lists" -o Dir::State::status="$scratch/apt/status" -o Dir::Cache="$scratch/apt" \
    -o Acquire::Languages=none -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}

apt_13 update

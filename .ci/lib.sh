# Sourced by the other scripts: they run in the root of the repository.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# step prints what comes next, and when.
step() { printf '\n== %(%T)T %s\n' -1 "$*"; }

# fail prints why, and ends the script.
fail() {
	printf 'FAIL: %s\n' "$*" >&2
	exit 1
}

# has reports whether a program is installed.
has() { command -v "$1" >/dev/null; }

# twice runs a command that uses the network. If the command fails, twice waits and runs it again.
twice() {
	"$@" && return
	echo "once more: $*"
	sleep 10
	"$@"
}

# modules prints the directories of all modules, as go.work lists them.
modules() { go list -m -f '{{.Dir}}'; }

# packages prints patterns for the packages of all modules: one command for all of
# them is faster than one command for each module.
packages() { go list -m -f '{{.Dir}}/...'; }

# sources prints the paths of all our Go files.
sources() { find . \( -name node_modules -o -name .git \) -prune -o -name '*.go' -print; }

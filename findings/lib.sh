# What the scripts of this folder share. Each shows a behaviour of other software that users of an
# FTP service meet, without this project's programs, and fails when the behaviour has changed.
# They are not part of the tests: run one by hand, as root, on Debian 12.

tmp=$(mktemp -d)
trap leave EXIT

# packages NAME=VERSION… unpacks Debian packages below $tmp/root; nothing is installed. Their
# libraries are those of the machine, or come from packages that are named as well.
packages() {
	mkdir "$tmp/packages" "$tmp/root"
	(cd "$tmp/packages" && apt-get -qq -o APT::Sandbox::User=root download "$@")
	for package in "$tmp"/packages/*.deb; do
		dpkg-deb -x "$package" "$tmp/root"
	done
	export LD_LIBRARY_PATH="$tmp/root/usr/lib/x86_64-linux-gnu:$tmp/root/lib/x86_64-linux-gnu"
}

# runs_go runs the Go program on its standard input, with the toolchain that GOTOOLCHAIN names.
runs_go() {
	mkdir "$tmp/program"
	printf 'module program\n\ngo 1.26\n' >"$tmp/program/go.mod"
	cat >"$tmp/program/main.go"
	(cd "$tmp/program" && GOFLAGS=-mod=mod go run .)
}

# mounted PLACE COMMAND… runs a command that mounts something at PLACE, which the end takes away.
mounted() {
	places="$1 ${places-}"
	shift
	"$@"
}

unmount() { umount "$1" 2>/dev/null || umount -l "$1"; }

# changed REASON ends the script with a failure.
changed() {
	echo "changed: $1" >&2
	exit 1
}

leave() {
	for place in ${places-}; do
		! mountpoint -q "$place" || unmount "$place"
	done
	if grep -q " $tmp/" /proc/self/mountinfo; then
		echo "something is still mounted below $tmp" >&2
		return
	fi
	rm -rf "$tmp"
}

#!/bin/sh
# fuse-overlayfs 1.10 (Debian 12, 1.10-1), Linux 6.18: after a write that met a full disk, the file in
# the mount is longer than the file below it. The difference is stored nowhere. A program that goes
# on at the size of the file (REST and STOR of an FTP client) leaves that part out, and is told that
# all is well. With the option writeback=0 both sizes are equal.
#
# Seen: "writeback, the default: 67108864 bytes in the mount, 35913728 below" (the figures vary) and
# equal sizes with writeback=0. It needs root, /dev/fuse, loop devices and Debian's packages.
set -eu
. "$(dirname "$0")/lib.sh"
packages fuse-overlayfs=1.10-1

dd if=/dev/zero of="$tmp/disk" bs=1M count=32 status=none
mkfs.ext4 -q -m 0 "$tmp/disk"
mkdir "$tmp/below" "$tmp/merged" "$tmp/lower"
mounted "$tmp/below" mount -o loop "$tmp/disk" "$tmp/below"

# sizes OPTIONS prints the size of a file that filled the disk, in the mount and below it.
sizes() {
	mkdir "$tmp/below/upper" "$tmp/below/work"
	mounted "$tmp/merged" "$tmp/root/usr/bin/fuse-overlayfs" \
		-o "lowerdir=$tmp/lower,upperdir=$tmp/below/upper,workdir=$tmp/below/work$1" "$tmp/merged"
	dd if=/dev/urandom of="$tmp/merged/file" bs=64K count=1024 status=none 2>/dev/null || true
	echo "$(stat -c %s "$tmp/merged/file") $(stat -c %s "$tmp/below/upper/file")"
	unmount "$tmp/merged"
	rm -rf "$tmp/below/upper" "$tmp/below/work"
}

set -- $(sizes "")
echo "writeback, the default: $1 bytes in the mount, $2 below"
[ "$1" -gt "$2" ] || changed "the sizes are equal"
set -- $(sizes ",writeback=0")
echo "writeback=0: $1 bytes in the mount, $2 below"
[ "$1" -eq "$2" ] || changed "the sizes differ with writeback=0 too"

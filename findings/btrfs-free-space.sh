#!/bin/sh
# btrfs, Linux 6.18 (btrfs-progs 6.2, Debian 12): statfs(2) does not count the bytes that were written
# to files and not yet to the disk. A program that looks at the free space while it writes, to leave
# some of it, sees the same figure until the kernel writes the bytes, up to half a minute later.
# ext4 and xfs count at once.
#
# Seen: "free: 499 MiB, after 128 MiB were written 499, after sync 371" (the figures vary).
# It needs root, loop devices and Debian's packages.
set -eu
. "$(dirname "$0")/lib.sh"
packages btrfs-progs=6.2-1+deb12u2

truncate -s 512M "$tmp/disk"
"$tmp/root/sbin/mkfs.btrfs" -q -m single "$tmp/disk"
mkdir "$tmp/mount"
mounted "$tmp/mount" mount -o loop,commit=300 "$tmp/disk" "$tmp/mount"

free() { stat -f -c '%a %S' "$tmp/mount" | { read -r blocks size; echo $((blocks * size >> 20)); }; }

before=$(free)
dd if=/dev/urandom of="$tmp/mount/file" bs=1M count=128 status=none
written=$(free)
sync -f "$tmp/mount"
synced=$(free)
echo "free: $before MiB, after 128 MiB were written $written, after sync $synced"
[ $((before - written)) -lt 64 ] || changed "bytes that are not on the disk count"
[ $((before - synced)) -ge 128 ] || changed "the bytes on the disk do not count"

#!/bin/sh
# exfat-fuse 1.3.0 (Debian 12, 1.3.0+git20220115-2): exFAT ignores case, but two spellings of one name
# have different inode numbers.
# A program that compares files by device and inode takes them for two files: a permission that it
# grants by comparing identities can be passed by another spelling. The mount also reports success for
# chmod and keeps the mode.
#
# Seen: "private 2, PRIVATE 3: the same content" (the figures vary) and "chmod 600: success, mode 777".
# It needs root, /dev/fuse, loop devices and Debian's packages.
set -eu
. "$(dirname "$0")/lib.sh"
packages exfat-fuse=1.3.0+git20220115-2 exfatprogs=1.2.0-1+deb12u1

dd if=/dev/zero of="$tmp/disk" bs=1M count=16 status=none
"$tmp/root/usr/sbin/mkfs.exfat" "$tmp/disk" >/dev/null
mkdir "$tmp/mount"
device=$(losetup --find --show "$tmp/disk")
trap 'leave; losetup -d "$device"' EXIT
mounted "$tmp/mount" "$tmp/root/sbin/mount.exfat-fuse" "$device" "$tmp/mount" >/dev/null

echo text >"$tmp/mount/private"
one=$(stat -c %i "$tmp/mount/private")
two=$(stat -c %i "$tmp/mount/PRIVATE")
[ "$(cat "$tmp/mount/PRIVATE")" = text ] || changed "case is not ignored"
echo "private $one, PRIVATE $two: the same content"
[ "$one" != "$two" ] || changed "the inode numbers are equal"

chmod 600 "$tmp/mount/private" || changed "chmod fails"
mode=$(stat -c %a "$tmp/mount/private")
echo "chmod 600: success, mode $mode"
[ "$mode" != 600 ] || changed "the mode is kept"

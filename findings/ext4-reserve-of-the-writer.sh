#!/bin/sh
# ext4 of Linux 6.18, mke2fs 1.47.0: the blocks that a file system reserves (mke2fs -m, mount option
# resuid) are granted to the identity of each write, not to that of the open or the owner of the file.
# So a service that opens a file with the identity of a user, and then writes it with its own, lets the
# user's upload use the reserve where resuid names the service. With the default (root) an
# unprivileged service is safe. df and statvfs show the reserve as not available to either of them.
#
# Seen: "user 16 MiB, again 0 MiB, account of resuid with the same descriptor 8 MiB": the user fills what
# is not reserved, and the account of resuid a part of the rest, in the same file.
# It needs root, for a loop mount.
set -eu
. "$(dirname "$0")/lib.sh"

truncate -s 32M "$tmp/image"
mke2fs -q -t ext4 -m 25 "$tmp/image"
mkdir "$tmp/mnt"
mounted "$tmp/mnt" mount -o loop,resuid=65533 "$tmp/image" "$tmp/mnt"
chmod 777 "$tmp/mnt"
chmod 711 "$tmp"
seen=$(python3 - "$tmp/mnt/file" <<'PY'
import os, sys

def fill(fd):
    written = 0
    try:
        while True:
            written += os.write(fd, bytes(65536))
    except OSError as e:
        return written

def child(uid, work):
    r, w = os.pipe()
    if os.fork() == 0:
        os.setresuid(uid, uid, uid)
        os.write(w, str(work()).encode())
        os._exit(0)
    os.close(w)
    os.wait()
    return int(os.read(r, 64) or sys.exit(1))

os.umask(0)
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
os.chown(fd, 65532, 65532)
user = child(65532, lambda: fill(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)))
opened = child(65532, lambda: fill(fd))
service = child(65533, lambda: fill(fd))
print(f"user {user >> 20} MiB, again {opened >> 20} MiB, account of resuid with the same descriptor {service >> 20} MiB")
PY
)
echo "$seen"
case $seen in
"user 0 MiB"*) changed "the user can write nothing" ;;
*"again 0 MiB"*"descriptor 0 MiB") changed "the identity of the write has no reserve" ;;
*"again 0 MiB"*) ;;
*) changed "the user gets further at the second attempt" ;;
esac

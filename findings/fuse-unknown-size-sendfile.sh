#!/bin/sh
# Linux 6.18 with rclone 1.60.1 (Debian 12, 1.60.1+dfsg-2+b5): a file whose length the server does not
# know has st_size 0 and content. read(2) yields the content. sendfile(2) returns 0, as at the end of
# a file: a server that sends files so sends nothing, and takes that for a whole file.
#
# Seen: "st_size 0, read 12000 bytes, sendfile 0 bytes".
# It needs root, /dev/fuse, python3 and Debian's packages.
set -eu
. "$(dirname "$0")/lib.sh"
packages rclone=1.60.1+dfsg-2+b5

cat >"$tmp/web.py" <<'PYTHON'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_HEAD(self): self.head()
    def do_GET(self):
        self.head()
        body = b'<a href="file">file</a>' if self.path == "/" else b"x" * 12000
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    def head(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
mkfifo "$tmp/port"
python3 "$tmp/web.py" >"$tmp/port" &
web=$!
trap 'leave; kill $web' EXIT
read -r port <"$tmp/port"
mkdir "$tmp/mount"
export HOME="$tmp"
mounted "$tmp/mount" "$tmp/root/usr/bin/rclone" mount --daemon --read-only \
	":http,url='http://127.0.0.1:$port/':" "$tmp/mount" 2>/dev/null

cat >"$tmp/send.py" <<'PYTHON'
import os, socket, sys
path = sys.argv[1]
with open(path, "rb") as file:
    read = len(file.read())
a, b = socket.socketpair()
with open(path, "rb") as file:
    sent = os.sendfile(a.fileno(), file.fileno(), None, 1 << 20)
print(os.stat(path).st_size, read, sent)
PYTHON
set -- $(python3 "$tmp/send.py" "$tmp/mount/file")
echo "st_size $1, read $2 bytes, sendfile $3 bytes"
[ "$1" -eq 0 ] || changed "the size is known"
[ "$2" -eq 12000 ] || changed "read yields $2 bytes"
[ "$3" -eq 0 ] || changed "sendfile yields $3 bytes"

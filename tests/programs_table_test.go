//go:build linux

package tests

// programsTried is the date on which the programs without a trial were tried by hand.
const programsTried = "2026-11-28"

// ftpPrograms are the rows of "Programs that speak FTP" in docs/clients.md. A program that fails
// with vsftpd, too, is marked so.
var ftpPrograms = []ftpProgram{
	{
		name: "ffmpeg", version: "5.1", pkg: "ffmpeg", try: tryFFmpeg,
		works: "reads, also from the middle (`-ss`), and writes formats that need no seeking; " +
			"MP4 with `-movflags frag_keyframe+empty_moov`",
		cannot: "no TLS; `-ftp-write-seekable 1` aborts its own upload in order to seek: " +
			"most such files lack the bytes that were in a socket's buffer then " +
			"(not with vsftpd, which reads an upload to its end before it handles ABOR)",
	},
	{
		name: "VLC", version: "3.0.24", pkg: "vlc-bin",
		works: "plays; takes a user in the URL",
		cannot: "`ftpes://` (explicit TLS) opens nothing with an unknown certificate " +
			"where VLC cannot prompt (cvlc)",
	},
	{
		name: "GStreamer", version: "1.22.0", pkg: "gstreamer1.0-tools",
		works:  "`giosrc` reads where gvfs has mounted the server; `curlftpsink` writes",
		cannot: "`giosink` writes nothing over the FTP of gvfs, also with vsftpd",
	},
	{
		name: "Apache mod_proxy_ftp", version: "2.4.71", pkg: "apache2-bin",
		works: "lists and downloads, as a proxy for browsers (`ProxyRequests`) " +
			"and for a directory (`ProxyPass /mirror/ ftp://…/`); takes a user by Basic authentication",
		cannot: "no uploads, no parts of files, no TLS; a user in the URL is answered 400, " +
			"and HEAD of a file 500, also with vsftpd",
	},
	{
		name: "squid", version: "5.7", pkg: "squid",
		works:  "lists, downloads, and stores by PUT; takes a user in the URL",
		cannot: "no TLS",
	},
	{
		name: "GDAL", version: "3.6.2", pkg: "gdal-bin",
		works:  "reads by `/vsicurl/ftp://…` and `/vsicurl_streaming/ftp://…`; takes a user in the URL",
		cannot: "does not write",
	},
	{
		name: "qemu", version: "7.2.22", pkg: "qemu-utils",
		works: "`qemu-img` reads and converts images at `ftp://…` with the package " +
			"qemu-block-extra; takes a user in the URL",
		cannot: "does not write; logs in for each part that it reads, " +
			"and gives up if a part takes more than 5 seconds (`file.timeout`)",
	},
	{
		name: "apt", version: "2.6.1", pkg: "apt", try: tryApt,
		works:  "updates and downloads, with `Dir::Bin::Methods::ftp \"ftp\";` in apt.conf",
		cannot: "no TLS",
	},
	{
		name: "mc", version: "4.8.29", pkg: "mc", try: tryMc,
		works:  "lists, views, copies in both directions: `mc ftp://user:password@host/`",
		cannot: "no TLS",
	},
	{
		name: "gvfs", version: "1.50.3", pkg: "gvfs-backends",
		works:  "lists, reads, writes, renames, makes and removes (`gio mount ftp://…`, GNOME's files)",
		cannot: "explicit TLS was not tried",
	},
	{
		name: "kio", version: "5.103.0", pkg: "kio",
		works:  "lists, reads, writes, renames, removes (KDE's Dolphin, `kioclient5`)",
		cannot: "no TLS",
	},
	{
		name: "Java URL", version: "17", pkg: "openjdk-17-jdk-headless", try: tryJavaURL,
		works:  "reads, with the length known, writes (`setDoOutput`), and lists directories",
		cannot: "no TLS",
	},
	{
		name: "Python urllib", version: "3.11", pkg: "python3.11", try: tryUrllib,
		works:  "reads, with `Content-Length`, and lists directories",
		cannot: "no uploads, no TLS",
	},
	{
		name: "R", version: "4.2.2", pkg: "r-base-core",
		works:  "`download.file` and `url()` read and list; take a user in the URL",
		cannot: "does not write",
	},
	{
		name: "Octave", version: "7.3.0", pkg: "octave",
		works: "`ftp()` with `dir`, `cd`, `mkdir`, `rmdir`, `delete`, `mget` and `mput`",
		cannot: "no TLS; `mput` takes names in the current directory only, and fails after `dir`; " +
			"`rename` fails; all of it also with vsftpd",
	},
	{
		name: "PHP's wrapper", version: "8.2", pkg: "php8.2-cli", try: tryPHPWrapper,
		works: "`file_get_contents`, `file_put_contents`, `scandir`, `rename`, `mkdir`, `rmdir`, " +
			"`unlink`, `filesize`; `ftps://` is explicit TLS",
		cannot: "replaces a file with the context option `ftp.overwrite` only; data connections " +
			"do not resume a TLS session, which `session_reuse = \"require\"` refuses",
	},
	{
		name: "links", version: "2.28", pkg: "links", try: tryLinks,
		works:  "lists and downloads; takes a user in the URL",
		cannot: "no uploads, no TLS",
	},
	{
		name: "elinks", version: "0.13.2", pkg: "elinks", try: tryElinks,
		works:  "lists and downloads; takes a user in the URL",
		cannot: "no uploads, no TLS",
	},
	{
		name: "lynx", version: "2.9.0dev.12", pkg: "lynx", try: tryLynx,
		works: "lists and downloads; takes a user in the URL",
		cannot: "no uploads, no TLS; with a user in the URL it always uses port 21; " +
			"at a small file it waits for ever if 226 arrives together with 150, " +
			"as it does on the same machine",
	},
	{
		name: "w3m", version: "0.5.3", pkg: "w3m", try: tryW3m,
		works:  "lists and downloads; takes a user in the URL",
		cannot: "no uploads, no TLS; always uses port 21",
	},
	{
		name: "vim (netrw)", version: "9.0", pkg: "vim", needs: []string{"ftp tnftp"}, try: tryVim,
		works: "lists, reads and writes (`:edit ftp://host/`), with the program `ftp` (tnftp) " +
			"and the password in `~/.netrc`",
		cannot: "no TLS",
	},
	{
		name: "Emacs (ange-ftp, TRAMP)", version: "28.2", pkg: "emacs-nox",
		works:  "lists, reads, writes and copies (`/ftp:user@host:/`), with the program `ftp` (tnftp)",
		cannot: "no TLS",
	},
}

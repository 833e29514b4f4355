//go:build linux

package tests

// fileSystems are the rows of the table in docs/filesystems.md.
var fileSystems = []struct {
	name     string
	packages string // of Debian
	mount    func(*stage) error
}{
	{"ext4", "e2fsprogs", onKernel(ext4...)},
	{"xfs", "xfsprogs", onKernel("mkfs.xfs", "-q", "-f")},
	{"btrfs", "btrfs-progs", onKernel("mkfs.btrfs", "-q", "-f")},
	{"tmpfs", "mount", onTmpfs},
	{"squashfs", "squashfs-tools", onSquashfs},
	{"overlayfs", "mount", onOverlayfs},
	{"autofs", "autofs", onAutofs},
	{"idmapped mount", "mount", onIdmapped},
	{"mergerfs", "mergerfs", onMergerfs},
	{"bindfs", "bindfs", onBindfs},
	{"sshfs", "sshfs openssh-sftp-server", onSSHFS},
	{"gocryptfs", "gocryptfs", onGocryptfs},
	{"encfs", "encfs", onEncfs},
	{"ntfs-3g", "ntfs-3g", onDriver("ntfs-3g", "allow_other", "mkntfs", "-q", "-F", "-f")},
	{"ntfs-3g, `permissions,windows_names`", "ntfs-3g",
		onDriver("ntfs-3g", "permissions,windows_names", "mkntfs", "-q", "-F", "-f")},
	{"exfat", "exfat-fuse exfatprogs", onDriver("exfat-fuse", "allow_other,OWNER", "mkfs.exfat")},
	{"fuse-overlayfs", "fuse-overlayfs", onFuseOverlayfs("")},
	{"fuse-overlayfs, `writeback=0`", "fuse-overlayfs", onFuseOverlayfs("writeback=0,")},
	{"rclone mount", "rclone", onRclone("off")},
	{"rclone mount, `--vfs-cache-mode writes`", "rclone", onRclone("writes")},
}

//go:build linux

package tests

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A stage is the directory in which one file system of the table is mounted.
type stage struct {
	dir  string
	uid  int // of the account that the users of the test act as
	gid  int
	stop []func() // ends what does not end with its mount

	again func() (dir string, err error) // nil: a later mount shows the same as the first one
}

// home returns the directory where the file system is mounted: the home of the user that has its
// name.
func (s *stage) home() string { return s.path("home") }

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// below returns the directory in which a stacked file system keeps its files.
func (s *stage) below() string { return s.path("disk/below") }

// spaceMiB is about the free space of each file system, so that it is full soon.
const spaceMiB = 16

// run runs one command of a mount.
func (s *stage) run(args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+s.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastLine(out))
	}
	return nil
}

// mkdir makes directories of the user below the stage.
func (s *stage) mkdir(names ...string) error {
	for _, name := range names {
		err := errors.Join(os.MkdirAll(s.path(name), 0o755), os.Chown(s.path(name), s.uid, s.gid))
		if err != nil {
			return err
		}
	}
	return nil
}

// image makes a sparse file for a file system of so many MiB.
func (s *stage) image(mebibytes int64) (path string, err error) {
	path = s.path("image")
	return path, errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, mebibytes<<20))
}

// disk mounts a new kernel file system at a directory of the stage, and fills it but for
// spaceMiB.
func (s *stage) disk(at string, mkfs ...string) error {
	image, err := s.image(320)
	if err != nil {
		return err
	}
	err = errors.Join(s.mkdir(at), s.run(append(mkfs, image)...))
	if err != nil {
		return err
	}
	if err := s.run("mount", "-o", "loop", image, s.path(at)); err != nil {
		return err
	}
	return errors.Join(s.fill(at), s.mkdir(at))
}

func (s *stage) fill(at string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.path(at), &st); err != nil {
		return err
	}
	filler, err := os.Create(s.path(at + "/.filler"))
	if err != nil {
		return err
	}
	size := int64(st.Bavail)*st.Bsize - spaceMiB<<20
	return errors.Join(unix.Fallocate(int(filler.Fd()), 0, 0, size), filler.Close())
}

// ext4 reserves no space for root, since FUSE programs write as root.
var ext4 = []string{"mkfs.ext4", "-q", "-F", "-m", "0"}

// over mounts ext4 with the directory for a stacked file system, and makes the home.
func (s *stage) over() error {
	return errors.Join(s.mkdir("home"), s.disk("disk", ext4...), s.mkdir("disk/below"))
}

func (s *stage) owner() string { return fmt.Sprintf("uid=%d,gid=%d", s.uid, s.gid) }

// onKernel mounts a kernel file system.
func onKernel(mkfs ...string) func(*stage) error {
	return func(s *stage) error { return s.disk("home", mkfs...) }
}

func onTmpfs(s *stage) error {
	size := fmt.Sprintf("size=%dm", spaceMiB)
	err := errors.Join(s.mkdir("home"), s.run("mount", "-t", "tmpfs", "-o", size, "none", s.home()))
	return errors.Join(err, s.mkdir("home"))
}

func onSquashfs(s *stage) error {
	if err := s.mkdir("home", "tree"); err != nil {
		return err
	}
	err := errors.Join(os.WriteFile(s.path("tree/there"), []byte(thereText), 0o644),
		os.WriteFile(s.path("tree/private"), nil, 0o600),
		s.run("mksquashfs", s.path("tree"), s.path("image"), "-quiet", "-no-progress"))
	return errors.Join(err, s.run("mount", "-o", "loop", s.path("image"), s.home()))
}

// overlay returns the option of both kinds of overlay; the layer that is written is on the disk.
func (s *stage) overlay() (string, error) {
	err := errors.Join(s.over(), s.mkdir("lower", "disk/work"))
	return fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s",
		s.path("lower"), s.below(), s.path("disk/work")), err
}

func onOverlayfs(s *stage) error {
	options, err := s.overlay()
	return errors.Join(err, s.run("mount", "-t", "overlay", "-o", options, "none", s.home()))
}

func onFuseOverlayfs(options string) func(*stage) error {
	return func(s *stage) error {
		layers, err := s.overlay()
		return errors.Join(err, s.run("fuse-overlayfs", "-o", "allow_other,"+options+layers,
			s.home()))
	}
}

// idmappedUID is the owner, on the disk, of files that the user of an idmapped mount makes.
const idmappedUID = 5000

// onIdmapped mounts the disk a second time, with the user's ids in place of the disk's.
func onIdmapped(s *stage) error {
	err := errors.Join(s.over(), os.Chown(s.below(), idmappedUID, idmappedUID))
	if err != nil {
		return err
	}
	maps := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{
			{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: idmappedUID, HostID: id, Size: 1},
		}
	}
	holder := exec.Command("sleep", "inf")
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: maps(s.uid), GidMappings: maps(s.gid),
		Pdeathsig: syscall.SIGKILL,
	}
	if err := holder.Start(); err != nil {
		return err
	}
	defer holder.Wait()
	defer holder.Process.Kill()
	ids, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", holder.Process.Pid))
	if err != nil {
		return err
	}
	defer ids.Close()
	tree, err := unix.OpenTree(unix.AT_FDCWD, s.below(),
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ids.Fd())}
	return errors.Join(unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr),
		unix.MoveMount(tree, "", unix.AT_FDCWD, s.home(), unix.MOVE_MOUNT_F_EMPTY_PATH))
}

func onMergerfs(s *stage) error {
	if err := errors.Join(s.over(), s.mkdir("disk/below/one", "disk/below/two")); err != nil {
		return err
	}
	return s.run("mergerfs", "-o", "allow_other,use_ino,minfreespace=1M",
		s.below()+"/one:"+s.below()+"/two", s.home())
}

func onBindfs(s *stage) error {
	return errors.Join(s.over(), s.run("bindfs", "-o", "allow_other", s.below(), s.home()))
}

// onSSHFS runs sftp-server directly, in place of sshd.
func onSSHFS(s *stage) error {
	const script = "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n"
	program := s.path("sftp")
	err := errors.Join(s.over(), os.WriteFile(program, []byte(script), 0o755))
	options := "allow_other,default_permissions," + s.owner() + ",ssh_command=" + program
	return errors.Join(err, s.run("sshfs", "-o", options, "host:"+s.below(), s.home()))
}

func onGocryptfs(s *stage) error {
	return errors.Join(s.over(),
		s.run("gocryptfs", "-q", "-init", "-scryptn", "10", "-extpass", "echo secret", s.below()),
		s.run("gocryptfs", "-q", "-allow_other", "-extpass", "echo secret", s.below(), s.home()),
		s.mkdir("home"))
}

func onEncfs(s *stage) error {
	return errors.Join(s.over(),
		s.run("encfs", "--standard", "--public", "--extpass", "echo secret", s.below(), s.home()))
}

// onDriver mounts an image with a FUSE program. A second mount, of a copy, lacks what the program
// holds in memory alone.
func onDriver(kind, options string, mkfs ...string) func(*stage) error {
	return func(s *stage) error {
		image, err := s.image(spaceMiB + 4)
		if err != nil {
			return err
		}
		options := strings.ReplaceAll(options, "OWNER", s.owner())
		mount := func(image, at string) error {
			return s.run("mount", "-t", kind, "-o", "loop,"+options, image, s.path(at))
		}
		s.again = func() (string, error) {
			unix.Sync()
			return s.path("again"), errors.Join(s.mkdir("again"),
				s.run("cp", "--sparse=always", image, s.path("copy")),
				mount(s.path("copy"), "again"))
		}
		err = errors.Join(s.mkdir("home"), s.run(append(mkfs, image)...))
		if err != nil {
			return err
		}
		if err := mount(image, "home"); err != nil {
			return err
		}
		if strings.HasPrefix(options, "permissions") {
			return s.mkdir("home")
		}
		return nil
	}
}

// daemon starts a program that mounts the home and stays in the foreground.
func (s *stage) daemon(args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	s.stop = append(s.stop, func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-ended
		}
	})
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	deadline := time.After(patience)
	for !isMounted(s.home()) {
		select {
		case <-ticks.C:
		case <-ended:
			return fmt.Errorf("%s: %s", args[0], lastLine(output.Bytes()))
		case <-deadline:
			return fmt.Errorf("%s does not mount anything", args[0])
		}
	}
	return nil
}

func onRclone(mode string) func(*stage) error {
	return func(s *stage) error {
		if err := s.over(); err != nil {
			return err
		}
		return s.daemon("rclone", "mount", ":local:"+s.below(), s.home(),
			"--allow-other", "--uid", fmt.Sprint(s.uid), "--gid", fmt.Sprint(s.gid), "--umask",
			"022",
			"--vfs-cache-mode", mode, "--vfs-write-back", "1h",
			"--cache-dir", s.path("cache"), "--config", s.path("rclone.conf"))
	}
}

// onAutofs has the automount daemon mount the disk's directory at the first use.
func onAutofs(s *stage) error {
	master, table := s.path("auto.master"), s.path("auto.direct")
	err := errors.Join(s.over(),
		os.WriteFile(master, fmt.Appendf(nil, "/- %s\n", table), 0o644),
		os.WriteFile(table, fmt.Appendf(nil, "%s -fstype=bind :%s\n", s.home(), s.below()), 0o644))
	if err != nil {
		return err
	}
	return s.daemon("automount", "--foreground", "--dont-check-daemon",
		"--pid-file", s.path("pid"), master)
}

// mountsBelow returns the mounts at a directory or below it, those on top first.
func mountsBelow(dir string) (places []string) {
	info, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		if place := strings.Fields(line)[4]; place == dir || strings.HasPrefix(place, dir+"/") {
			places = append(places, place)
		}
	}
	slices.Reverse(places)
	return places
}

func isMounted(dir string) bool { return slices.Contains(mountsBelow(dir), dir) }

// stagesDir makes the directory for all stages. It is not removed while a file system is mounted
// in it.
func stagesDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ftpdtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := mountsBelow(dir); len(left) > 0 {
			t.Errorf("still mounted, so %s stays: %q", dir, left)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// clear unmounts all file systems of the stage.
func (s *stage) clear(t *testing.T) {
	for _, stop := range s.stop {
		stop()
	}
	for _, place := range mountsBelow(s.dir) {
		unmountLazily(t, place)
	}
}

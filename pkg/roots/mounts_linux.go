package roots

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
)

// Landlock grants access to directories, not to paths. When a file system is mounted over a root,
// or unmounted from it, the path leads to another directory, and a core that was confined before is
// refused there. So such a change starts a new core. The change is found in the table of mounts,
// because access to the directory itself could mount it (autofs) or hang.

// A mount is one line of /proc/self/mountinfo.
type mount struct {
	id, parent string
	point      string
	source     string // such as a device, or server:/directory
	unique     uint64 // a number that is never used for another mount; 0 before Linux 6.8

	// automount is the kind of an autofs mount, "" for others: "indirect" mounts below itself,
	// "direct" and "offset" mount over themselves.
	automount string
}

const mountTable = "/proc/self/mountinfo"

// readMounts returns the mounts that this process sees. There are none without /proc.
func readMounts() []mount {
	text, _ := os.ReadFile(mountTable)
	unique := uniqueMounts()
	table := parseMounts(string(text))
	for i := range table {
		table[i].unique = unique[table[i].id]
	}
	return table
}

func parseMounts(text string) (table []mount) {
	for line := range strings.Lines(text) {
		if m, ok := parseMount(line); ok {
			table = append(table, m)
		}
	}
	return table
}

// parseMount reads a line, such as
//
//	36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue
func parseMount(line string) (m mount, ok bool) {
	fields := strings.Fields(line)
	end := slices.Index(fields, "-")
	if end < 6 || len(fields) < end+4 {
		return m, false
	}
	m = mount{
		id: fields[0], parent: fields[1],
		point: unescape(fields[4]), source: unescape(fields[end+2]),
	}
	if fields[end+1] == "autofs" {
		for _, kind := range []string{"indirect", "direct", "offset"} {
			if slices.Contains(strings.Split(fields[end+3], ","), kind) {
				m.automount = kind
			}
		}
	}
	return m, true
}

// unescape decodes a path, in which blanks and a few other characters are written like "\040".
func unescape(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, `\`)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if n, err := strconv.ParseUint(after[:min(3, len(after))], 8, 8); err == nil {
			out.WriteByte(byte(n))
			after = after[3:]
		}
		text = after
	}
}

// mountsAt returns a text that identifies the mounts at a path and above it.
func mountsAt(table []mount, path string) string {
	var ids []string
	for _, m := range table {
		if config.Within(path, m.point) {
			ids = append(ids, m.id+"/"+strconv.FormatUint(m.unique, 10))
		}
	}
	return strings.Join(ids, " ")
}

// automounter returns the directory in which autofs mounts a root. Access to this directory stays
// valid however often the root is mounted and unmounted. Where there is no such directory, it
// returns the root.
func automounter(table []mount, root string) string {
	for _, m := range table {
		if m.automount == "indirect" && m.point != root && config.Within(root, m.point) {
			return m.point
		}
	}
	return root
}

// FileSystems reads the table of mounts. The function that it returns names the file system of a
// path, as the table has it. All file systems of one server in the network have the same name,
// because they do not answer when it is gone. What autofs has not mounted yet has the path at which
// it would be mounted.
func FileSystems() func(path string) string {
	text, _ := os.ReadFile(mountTable)
	table := parseMounts(string(text))
	return func(path string) string { return fileSystem(table, path) }
}

func fileSystem(table []mount, path string) string {
	var at mount
	for _, m := range table { // the last one lies over the others
		if config.Within(path, m.point) && len(m.point) >= len(at.point) {
			at = m
		}
	}
	switch server, _, remote := strings.Cut(at.source, ":/"); {
	case at.automount == "indirect" && path != at.point:
		name := strings.TrimPrefix(path[len(at.point):], "/")
		name, _, _ = strings.Cut(name, "/")
		return filepath.Join(at.point, name)
	case remote:
		return server + ":"
	case strings.HasPrefix(at.source, "//"):
		server, _, _ = strings.Cut(at.source[2:], "/")
		return server + ":"
	}
	return at.point
}

// awaitsMount reports whether opening the root would mount something: autofs mounts over the root,
// or over a directory above it, as soon as it is used, and has not done so yet.
func awaitsMount(table []mount, root string) bool {
	return slices.ContainsFunc(table, func(m mount) bool {
		covered := func(other mount) bool { return other.parent == m.id && other.point == m.point }
		return m.automount != "" && m.automount != "indirect" && config.Within(root, m.point) &&
			!slices.ContainsFunc(table, covered)
	})
}

// x/sys has no functions for the calls below, listmount and statmount. Their structures have the
// sizes of their first version.
type mountRequest struct {
	size, _   uint32
	id, param uint64
}

const (
	requestSize    = 24
	allMounts      = ^uint64(0) // LSMT_ROOT
	basicOnly      = 2          // STATMOUNT_MNT_BASIC
	statmountSize  = 512
	uniqueAt       = 40 // mnt_id in struct statmount
	oldAt          = 56 // mnt_id_old
	mountsInOneGet = 256
)

// uniqueMounts returns the unique number for each id in the table of mounts. The kernel uses an id
// again for another mount, but never a unique number. The map is empty before Linux 6.8, which has
// no such numbers, and where the filter of a container refuses the calls.
func uniqueMounts() map[string]uint64 {
	unique := map[string]uint64{}
	request := mountRequest{size: requestSize, id: allMounts}
	for {
		var ids [mountsInOneGet]uint64
		n, _, errno := unix.Syscall6(unix.SYS_LISTMOUNT, uintptr(unsafe.Pointer(&request)),
			uintptr(unsafe.Pointer(&ids[0])), uintptr(len(ids)), 0, 0, 0)
		if errno != 0 || n == 0 {
			return unique
		}
		for _, id := range ids[:n] {
			if old, ok := oldID(id); ok {
				unique[old] = id
			}
		}
		request.param = ids[n-1]
	}
}

func oldID(id uint64) (old string, ok bool) {
	request := mountRequest{size: requestSize, id: id, param: basicOnly}
	var buf [statmountSize / 8]uint64
	_, _, errno := unix.Syscall6(unix.SYS_STATMOUNT, uintptr(unsafe.Pointer(&request)),
		uintptr(unsafe.Pointer(&buf[0])), statmountSize, 0, 0, 0)
	number := *(*uint32)(unsafe.Add(unsafe.Pointer(&buf[0]), oldAt))
	return strconv.FormatUint(uint64(number), 10), errno == 0 && buf[uniqueAt/8] == id
}

// A mountWatch reports when the mounts at certain paths, or above them, have changed.
type mountWatch struct {
	changed chan struct{}

	mu    sync.Mutex
	paths []string // guarded by mu
	last  []string // guarded by mu; the mounts at each of the paths
}

// watchMounts begins to watch the paths that cover sets. Its goroutine ends with the process, or
// when the table cannot be watched.
func watchMounts() *mountWatch {
	w := &mountWatch{changed: make(chan struct{}, 1)}
	fd, err := unix.Open(mountTable, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return w // without /proc
	}
	go func() {
		defer unix.Close(fd)
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, -1)
			if err != nil && err != unix.EINTR {
				return
			}
			w.look()
		}
	}()
	return w
}

// cover sets the paths. table is the table of mounts before anything was opened at the paths.
func (w *mountWatch) cover(table []mount, paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths, w.last = paths, mountsAtAll(table, paths)
}

func mountsAtAll(table []mount, paths []string) (all []string) {
	for _, path := range paths {
		all = append(all, mountsAt(table, path))
	}
	return all
}

func (w *mountWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := mountsAtAll(readMounts(), w.paths)
	if slices.Equal(now, w.last) {
		return
	}
	w.last = now
	select {
	case w.changed <- struct{}{}:
	default: // the last change has not been received yet
	}
}

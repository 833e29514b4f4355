package supervisor

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
)

// Landlock knows directories, not paths: where a file system is mounted over a root, or taken away from it, the path names another
// directory, and a core that was confined before is refused there. So such a change starts a new generation. It is read from the
// table of mounts and no directory is looked at, which could mount it (autofs) or hang.

// A mount is one line of /proc/self/mountinfo.
type mount struct {
	id, parent string
	point      string
	unique     uint64 // a number that no other mount gets; 0 before Linux 6.8
	automount  string // of autofs: "indirect" mounts below itself; "direct" and "offset" over itself
}

const mountTable = "/proc/self/mountinfo"

// readMounts returns the mounts that this process sees; none without /proc.
func readMounts() []mount {
	text, _ := os.ReadFile(mountTable)
	unique := uniqueMounts()
	var table []mount
	for line := range strings.Lines(string(text)) {
		if m, ok := parseMount(line); ok {
			m.unique = unique[m.id]
			table = append(table, m)
		}
	}
	return table
}

// parseMount reads a line: "36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/sda1 rw,errors=…".
func parseMount(line string) (m mount, ok bool) {
	fields := strings.Fields(line)
	end := slices.Index(fields, "-")
	if end < 6 || len(fields) < end+4 {
		return m, false
	}
	m = mount{id: fields[0], parent: fields[1], point: unescape(fields[4])}
	if fields[end+1] == "autofs" {
		for _, kind := range []string{"indirect", "direct", "offset"} {
			if slices.Contains(strings.Split(fields[end+3], ","), kind) {
				m.automount = kind
			}
		}
	}
	return m, true
}

// unescape reads a path in which blanks and a few others stand as "\040".
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

// over identifies the mounts at a path and above it.
func over(table []mount, path string) string {
	var ids []string
	for _, m := range table {
		if config.Within(path, m.point) {
			ids = append(ids, m.id+"/"+strconv.FormatUint(m.unique, 10))
		}
	}
	return strings.Join(ids, " ")
}

// automounter is the directory that serves a root below it however often that is mounted and taken
// away: one in which autofs mounts. It is the root itself where there is none.
func automounter(table []mount, root string) string {
	for _, m := range table {
		if m.automount == "indirect" && m.point != root && config.Within(root, m.point) {
			return m.point
		}
	}
	return root
}

// awaitsMount reports whether opening the root would mount something: autofs covers the root, or a
// directory above it, when it is used, and has not yet.
func awaitsMount(table []mount, root string) bool {
	return slices.ContainsFunc(table, func(m mount) bool {
		covered := func(other mount) bool { return other.parent == m.id && other.point == m.point }
		return m.automount != "" && m.automount != "indirect" && config.Within(root, m.point) &&
			!slices.ContainsFunc(table, covered)
	})
}

// The calls below are not in x/sys. Their structures have the sizes of their first version.
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

// uniqueMounts returns the number that is never used again for each id of the table of mounts. It is
// empty where the kernel has none (before Linux 6.8), or a container's filter refuses the calls.
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

// A mountWatch reports when the mounts at certain paths, or above them, have changed. Each change that
// is seen counts, also where all is as before in the end, since ids of mounts are used again.
type mountWatch struct {
	changed chan struct{}

	mu    sync.Mutex
	paths []string // guarded by mu
	last  []string // guarded by mu; over for each of the paths
}

// watchMounts begins to watch what cover names. The goroutine ends with the process, or where there is
// no table to watch.
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

// cover sets the paths. table is what the mounts were before anything was opened there.
func (w *mountWatch) cover(table []mount, paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths, w.last = paths, overAll(table, paths)
}

func overAll(table []mount, paths []string) (all []string) {
	for _, path := range paths {
		all = append(all, over(table, path))
	}
	return all
}

func (w *mountWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := overAll(readMounts(), w.paths)
	if slices.Equal(now, w.last) {
		return
	}
	w.last = now
	select {
	case w.changed <- struct{}{}:
	default: // one is waiting already
	}
}

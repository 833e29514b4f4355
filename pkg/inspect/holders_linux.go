package inspect

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ftpd/pkg/config"
)

// findHolders returns the processes with a listening socket that conflicts with a, in the
// order of their process ids. The list is complete if the descriptors of all processes could
// be read.
func findHolders(a config.Address) (holders []holder, complete bool) {
	inodes := listeningInodes(a)
	complete = isRoot()
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		files, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue // the process has ended, or belongs to another user
		}
		for _, f := range files {
			target, _ := os.Readlink(filepath.Join(dir, "fd", f.Name()))
			inode, ok := strings.CutPrefix(target, "socket:[")
			if ok && slices.Contains(inodes, strings.TrimSuffix(inode, "]")) {
				holders = append(holders, newHolder(dir))
				break
			}
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return a.pid - b.pid })
	return holders, complete
}

// newHolder describes the process with the directory proc in /proc.
func newHolder(proc string) holder {
	h := holder{name: "a program"}
	h.pid, _ = strconv.Atoi(filepath.Base(proc))
	if program, err := os.Readlink(filepath.Join(proc, "exe")); err == nil {
		// The suffix marks a program that an upgrade has replaced.
		h.name = filepath.Base(strings.TrimSuffix(program, " (deleted)"))
	} else if name, err := os.ReadFile(filepath.Join(proc, "comm")); err == nil {
		h.name = strings.TrimSpace(string(name))
	}
	if line, err := os.ReadFile(filepath.Join(proc, "cmdline")); err == nil {
		h.args = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	}
	h.dir, _ = os.Readlink(filepath.Join(proc, "cwd"))
	return h
}

// serves reports whether the holder is an ftpd that serves the configuration of this file.
func (h holder) serves(file string) bool {
	if h.name != "ftpd" || len(h.args) < 2 || h.args[1] != "serve" {
		return false
	}
	served := "/etc/ftpd.toml"
	for i, arg := range h.args[2:] {
		if arg == "--config" && i+3 < len(h.args) {
			served = h.args[i+3]
		} else if value, ok := strings.CutPrefix(arg, "--config="); ok {
			served = value
		}
	}
	if !filepath.IsAbs(served) {
		served = filepath.Join(h.dir, served)
	}
	servedInfo, err := os.Stat(served)
	info, err2 := os.Stat(file)
	return err == nil && err2 == nil && os.SameFile(servedInfo, info)
}

// listeningInodes returns the inode numbers, from /proc/net/tcp and tcp6, of the sockets that
// listen on the port of a at an address that overlaps with a.
func listeningInodes(a config.Address) []string {
	var inodes []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if inode, ok := listeningInode(lines.Text(), a); ok {
				inodes = append(inodes, inode)
			}
		}
		f.Close()
	}
	return inodes
}

// listeningInode parses a line of /proc/net/tcp or tcp6, "0: 0100007F:1F90 00000000:0000 0A …
// uid timeout inode …". It returns the inode number if the socket listens on the port of a at
// an address that overlaps with a.
func listeningInode(line string, a config.Address) (inode string, ok bool) {
	const listening = "0A"
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != listening {
		return "", false
	}
	address, ok := procAddress(fields[1])
	if !ok || address.Port() != a.Port() {
		return "", false
	}
	listens, wanted := address.Addr(), a.Addr().Unmap().WithZone("")
	return fields[9], listens == wanted || listens.IsUnspecified() || wanted.IsUnspecified()
}

// procAddress parses an address of these tables: in hexadecimal, each 32 bits in the byte
// order of the machine.
func procAddress(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}

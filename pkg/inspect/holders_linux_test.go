package inspect

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ftpd/pkg/config"
)

func address(t *testing.T, text string) config.Address {
	t.Helper()
	return config.Address{AddrPort: netip.MustParseAddrPort(text)}
}

// The lines are those of a machine with its bytes in this one's order: 127.0.0.1 is written from its numbers.
func TestListeningInode(t *testing.T) {
	for _, test := range []struct {
		name, line, address, inode string
	}{
		{"any address", "0: 00000000:0015 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", "127.0.0.1:21", "4711"},
		{"asked for any", "1: 00000000000000000000000000000000:0015 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4712 1", "0.0.0.0:21", "4712"},
		{"another port", "0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", "127.0.0.1:21", ""},
		{"a connection", "0: 00000000:0015 00000000:0000 01 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", "127.0.0.1:21", ""},
		{"the head", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", "127.0.0.1:21", ""},
		{"short", "0: 0:0 x 0A", "127.0.0.1:21", ""},
		{"no number", "0: x:0015 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0", "127.0.0.1:21", ""},
	} {
		if inode, ok := listeningInode(test.line, address(t, test.address)); inode != test.inode && ok || ok != (test.inode != "") {
			t.Errorf("%s: %q, %v", test.name, inode, ok)
		}
	}
}

// Who listens is found in the kernel's own tables, for both families.
func TestFindHolders(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", where)
		if err != nil {
			t.Logf("%s: %v", where, err)
			continue
		}
		defer l.Close()
		holders, _ := findHolders(address(t, l.Addr().String()))
		if !slices.ContainsFunc(holders, func(h holder) bool { return h.pid == os.Getpid() && h.name == "inspect.test" }) {
			t.Errorf("%s: %v", where, holders)
		}
	}
}

// The service that serves this very file is not in its own way; another ftpd is.
func TestHolderServes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ftpd.toml", "other.toml"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "ftpd.toml")
	if err := os.Symlink(file, filepath.Join(dir, "link.toml")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		h    holder
		want bool
	}{
		{holder{name: "ftpd", args: []string{"ftpd", "serve", "--config", file}}, true},
		{holder{name: "ftpd", args: []string{"ftpd", "serve", "--config=" + file}}, true},
		{holder{name: "ftpd", args: []string{"ftpd", "serve", "--config", "ftpd.toml"}, dir: dir}, true},
		{holder{name: "ftpd", args: []string{"ftpd", "serve", "--config", dir + "/link.toml"}}, true},
		{holder{name: "ftpd", args: []string{"ftpd", "serve", "--config", "other.toml"}, dir: dir}, false},
		{holder{name: "ftpd", args: []string{"ftpd", "serve", "--config"}}, false},
		{holder{name: "ftpd", args: []string{"ftpd", "serve"}}, false},
		{holder{name: "ftpd", args: []string{"ftpd", "share", "--config", file}}, false},
		{holder{name: "vsftpd", args: []string{"ftpd", "serve", "--config", file}}, false},
		{holder{name: "ftpd"}, false},
	} {
		if got := test.h.serves(file); got != test.want {
			t.Errorf("%+v: %v", test.h, got)
		}
	}
}

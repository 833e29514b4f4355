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

// The addresses in the lines are zeros only, so that the test does not depend on the byte
// order of the machine.
func TestListeningInode(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000 0 0 4711 1 0"
	const anyIPv6 = "00000000000000000000000000000000"
	for _, test := range []struct {
		name, line, address, inode string
	}{
		{
			"listens on all addresses", "0: 00000000:0015 00000000:0000 0A" + rest,
			"127.0.0.1:21", "4711",
		},
		{
			"all addresses are wanted",
			"1: " + anyIPv6 + ":0015 " + anyIPv6 + ":0000 0A 0:0 0:0 0 0 0 4712 1",
			"0.0.0.0:21", "4712",
		},
		{"another port", "0: 00000000:0016 00000000:0000 0A" + rest, "127.0.0.1:21", ""},
		{"a connection", "0: 00000000:0015 00000000:0000 01" + rest, "127.0.0.1:21", ""},
		{
			"the head", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when " +
				"retrnsmt   uid  timeout inode", "127.0.0.1:21", "",
		},
		{"short", "0: 0:0 x 0A", "127.0.0.1:21", ""},
		{"no number", "0: x:0015 00000000:0000 0A" + rest, "127.0.0.1:21", ""},
	} {
		inode, ok := listeningInode(test.line, address(t, test.address))
		if inode != test.inode && ok || ok != (test.inode != "") {
			t.Errorf("%s: %q, %v", test.name, inode, ok)
		}
	}
}

// findHolders finds the process that listens, for IPv4 and IPv6, in the tables of the kernel.
func TestFindHolders(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", where)
		if err != nil {
			t.Logf("%s: %v", where, err)
			continue
		}
		defer l.Close()
		holders, _ := findHolders(address(t, l.Addr().String()))
		isTest := func(h holder) bool { return h.pid == os.Getpid() && h.name == "inspect.test" }
		if !slices.ContainsFunc(holders, isTest) {
			t.Errorf("%s: %v", where, holders)
		}
	}
}

// serves recognizes an ftpd that serves the file, however the command line names it.
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
	ftpd := func(args ...string) holder {
		return holder{name: "ftpd", args: append([]string{"ftpd"}, args...), dir: dir}
	}
	for _, test := range []struct {
		h    holder
		want bool
	}{
		{ftpd("serve", "--config", file), true},
		{ftpd("serve", "--config="+file), true},
		{ftpd("serve", "--config", "ftpd.toml"), true},
		{ftpd("serve", "--config", dir+"/link.toml"), true},
		{ftpd("serve", "--config", "other.toml"), false},
		{ftpd("serve", "--config"), false},
		{ftpd("serve"), false},
		{ftpd("share", "--config", file), false},
		{holder{name: "vsftpd", args: []string{"ftpd", "serve", "--config", file}}, false},
		{holder{name: "ftpd"}, false},
	} {
		if got := test.h.serves(file); got != test.want {
			t.Errorf("%+v: %v", test.h, got)
		}
	}
}

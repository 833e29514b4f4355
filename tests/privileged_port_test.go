//go:build linux

package tests

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPrivilegedPort checks that a user without the right to port 21 gets advice.
func TestPrivilegedPort(t *testing.T) {
	t.Parallel()
	first, err := strconv.Atoi(strings.TrimSpace(readFile(t,
		"/proc/sys/net/ipv4/ip_unprivileged_port_start")))
	if err != nil {
		t.Fatal(err)
	}
	if first <= 21 {
		t.Skip("needs port 21 to be privileged; run: sysctl net.ipv4.ip_unprivileged_port_start=1024 && make system")
	}
	dir := sharedDir(t)
	config := filepath.Join(dir, "ftpd.toml")
	writeFile(t, config, "[server]\nlisten = [\"127.0.0.1:21\"]\n", 0o644)
	for _, args := range [][]string{{"share", dir, "--listen", "127.0.0.1:21"},
		{"serve", "--config", config}} {
		t.Run(args[0], func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), args...)
			cmd.Dir = "/"
			asOrdinaryUser(cmd)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
			if text := strings.TrimSpace(string(out)); strings.Contains(text, "\n") ||
				!strings.Contains(text, "1024") {
				t.Errorf("want one line that names a port above 1024, got:\n%s", out)
			}
		})
	}
}

package supervisor

import (
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// One process serves a configuration that needs no root. No configuration is served with the
// rights of root.
func TestInOneProcess(t *testing.T) {
	for _, c := range []struct {
		name    string
		backend config.Backend
		runAs   string
		root    bool
		here    bool
		refused string // part of the error, which names what to change
	}{
		{name: "system users", backend: config.BackendUnix, runAs: "ftp", root: true},
		{name: "an ordinary user's own rights", backend: config.BackendVirtual, runAs: "", here: true},
		{name: "accounts, by root", backend: config.BackendVirtual, runAs: "ftp", root: true},
		{name: "accounts, by an ordinary user", backend: config.BackendVirtual, runAs: "ftp",
			refused: `set run_as = ""`},
		{name: "root's own rights", backend: config.BackendVirtual, runAs: "", root: true,
			refused: "name an account, or run ftpd as another user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Auth.Backend = c.backend
			cfg.Anonymous.Enabled, cfg.Anonymous.RunAs = true, c.runAs
			here, err := InOneProcess(cfg, c.root)
			if here != c.here || (err == nil) != (c.refused == "") ||
				err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%v, %v", here, err)
			}
		})
	}
}

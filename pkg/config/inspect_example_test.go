package config_test

import (
	"fmt"
	"os"
	"path/filepath"

	"ftpd/pkg/config"
)

// A configuration is read with all problems that are in it. Without an error among them, the values
// of each user can be looked up.
func ExampleInspect() {
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ftpd.toml")
	text := `
[defaults]
max_sessions = 5

[[user]]
name = "alice"
max_sessions = 50
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	source := config.Inspect(path, nil)
	if errs := source.Problems.Errors(); len(errs) > 0 {
		fmt.Println(errs)
		return
	}
	for _, name := range []string{"alice", "bob"} {
		settings, err := source.Config.For(name, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, settings.MaxSessions, settings.Permissions)
	}
	// Output:
	// alice 50 full
	// bob 5 full
}

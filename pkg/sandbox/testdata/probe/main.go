// Command probe makes the calls that its arguments name, such as "read /path", and prints one line
// for each, such as "read /path: ok".
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	for _, arg := range os.Args[1:] {
		verb, path, _ := strings.Cut(arg, " ")
		fmt.Printf("%s: %s\n", arg, outcome(try(verb, path)))
	}
}

func try(verb, path string) error {
	switch verb {
	case "read":
		_, err := os.ReadFile(path)
		return err
	case "list":
		_, err := os.ReadDir(path)
		return err
	case "write":
		return os.WriteFile(path, []byte("x"), 0o600)
	case "move":
		from, to, _ := strings.Cut(path, " ")
		return os.Rename(from, to)
	case "run":
		cmd := exec.Command(path)
		// For nil, os/exec would have to open /dev/null.
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	}
	return fmt.Errorf("no verb %q", verb)
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case os.IsPermission(err):
		return "refused"
	default:
		return err.Error()
	}
}

package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/roots"
	"ftpd/pkg/sandbox"
)

// confinedVariable is the environment variable that marks a confined run.
const confinedVariable = "FTPD_CONFINED"

// IsConfined reports whether this process is the confined run that ConfineService or ConfineShare
// has started, or one that another program confines.
func IsConfined() bool { return os.Getenv(confinedVariable) != "" }

// confine replaces this process by a confined run of the same program, and returns in that run.
// The run may also read the files of the time zone. env is added to its environment. If the
// kernel has no Landlock, confine returns at once, and the layers contain the reason.
func confine(c sandbox.Confinement, env ...string) (sandbox.Layers, error) {
	layers := sandbox.Probe()
	layers.Seccomp = "" // the filter is made for cores
	if layers.Landlock == "" || IsConfined() {
		return layers, nil
	}
	c.ReadOnly = append(c.ReadOnly, "/etc/localtime", "/usr/share/zoneinfo")
	env = append(append(os.Environ(), confinedVariable+"=1"), env...)
	if err := sandbox.Exec(env, c); err != nil {
		return layers, fmt.Errorf("confine the process: %w", err)
	}
	return layers, nil
}

// ConfineService confines a service of one process (InOneProcess), unless server.sandbox is
// "off". It replaces this process by a run of the same program, and returns in that run. The run
// reaches the directories that are served, the files that it reads again, and the directories of
// logs and of the admin socket. places is Options.Roots.
func ConfineService(
	source *config.Source, log zerolog.Logger,
) (layers sandbox.Layers, places []string, err error) {
	if IsConfined() {
		places, err := handedPlaces()
		return sandbox.Probe(), places, err
	}
	served, err := roots.Look(source.Config, log)
	if err != nil {
		return sandbox.Layers{}, nil, err
	}
	defer sandbox.Close(served)
	places = roots.Places(source.Config, served)
	if source.Config.Server.Sandbox == config.SandboxOff {
		return sandbox.Layers{Missing: []string{"switched off by server.sandbox"}}, places, nil
	}
	text, err := json.Marshal(places)
	if err != nil {
		return sandbox.Layers{}, nil, err
	}
	layers, err = confine(sandbox.Confinement{
		Roots:    served,
		ReadOnly: readAgain(source),
		Logs:     logDirectories(source.Config),
		Sockets:  socketDirectories(source.Config),
	}, placesVariable+"="+string(text))
	return layers, places, err
}

// placesVariable is the environment variable with the places of the roots, as JSON. They are found
// before the confined run, because a file system that does not answer would hold that up.
const placesVariable = "FTPD_ROOTS"

// handedPlaces returns the places of the roots that the confined run has received.
func handedPlaces() (places []string, err error) {
	if err := json.Unmarshal([]byte(os.Getenv(placesVariable)), &places); err != nil {
		return nil, fmt.Errorf("the confined run received no roots: %w", err)
	}
	return places, nil
}

// readAgain returns the files and directories that a running service reads: the configuration, the
// directories of certificates and keys, in which new files will have other names, and what it needs
// to look up host names.
func readAgain(source *config.Source) []string {
	paths := slices.Clone(source.Files)
	for _, file := range source.Files[1:] { // included files, found by listing their directory
		paths = append(paths, filepath.Dir(file))
	}
	for _, file := range source.Config.TLSFiles() {
		paths = append(paths, directoriesOf(file)...)
	}
	if len(source.Config.NAT.Names()) > 0 {
		paths = append(paths, resolverFiles()...)
	}
	return paths
}

// directoriesOf returns the directory of a file and that of the file it links to. If one of these
// is "/", it returns only the file, because "/" is never granted; such a file cannot be replaced.
func directoriesOf(file string) []string {
	all := []string{filepath.Dir(file)}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		all = append(all, filepath.Dir(real))
	}
	if slices.Contains(all, "/") {
		return []string{file}
	}
	return all
}

// resolverFiles returns the files that are needed to look up a host name. If /etc/resolv.conf is a
// link, it returns the directory of its target, because many programs replace the target by a new
// file.
func resolverFiles() []string {
	all := []string{"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"}
	real, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err == nil && filepath.Dir(real) != "/etc" {
		all = append(all, filepath.Dir(real))
	}
	return all
}

func logDirectories(c *config.Config) []string {
	var dirs []string
	for _, file := range []string{c.Log.File, c.Log.TransferLog} {
		if file != "" {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	return dirs
}

func socketDirectories(c *config.Config) []string {
	if dir := filepath.Dir(c.Admin.Socket); dir != "/" {
		return []string{dir}
	}
	return nil
}

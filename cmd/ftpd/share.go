package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
)

func runShare(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("share", "[DIR] [--listen ADDR:PORT] [--write]", "ftpd share ~/Public --listen :2121")
	listen := flags.String("listen", "[::]:2121", "address and port to listen on")
	write := flags.Bool("write", false, "let anybody store, change and delete files too")
	if code, done := parse(flags, args, 1, stdout, stderr); done {
		return code
	}
	cfg, err := shareConfig(flags.Arg(0), *listen, *write)
	if err != nil {
		fmt.Fprintln(stderr, "ftpd share:", err)
		return exitError
	}
	layers, err := confineShare(cfg.Anonymous.Directory, *write)
	if err != nil {
		fmt.Fprintln(stderr, "ftpd share:", err)
		return exitError
	}
	clearUmask()
	log := events.NewLog(stderr, cfg.Log.Level, cfg.Log.Format)
	if *write {
		log.Warn().Str("directory", cfg.Anonymous.Directory).Msg("anybody who reaches this port may change and delete these files")
	}
	return serve(supervisor.ServeHere, supervisor.Options{Config: cfg, Log: log, Version: version, Layers: layers}, stderr)
}

// shareConfig is the configuration that a share stands for; dir is the working directory where it is "".
func shareConfig(dir, listen string, write bool) (*config.Config, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	var address config.Address
	if err := address.UnmarshalText([]byte(listen)); err != nil {
		return nil, fmt.Errorf("--listen %s: %w", listen, err)
	}
	cfg := config.Default()
	cfg.Server.Listen = []config.Address{address}
	cfg.Auth.Backend = config.BackendVirtual
	cfg.Anonymous = config.Anonymous{Enabled: true, Directory: dir, Permissions: config.ReadOnly}
	if write {
		cfg.Anonymous.Permissions = config.Full
	}
	return cfg, nil
}

// confineShare confines the process to the directory.
func confineShare(dir string, write bool) (sandbox.Layers, error) {
	var c sandbox.Confinement
	if write {
		c.Roots = []string{dir}
	} else {
		c.ReadOnly = []string{dir}
	}
	if os.Geteuid() == 0 {
		c.Keep = []uintptr{sandbox.NetBindService} // as root it may still listen on port 21, and reads no more than root's own files
	}
	return confine(c)
}

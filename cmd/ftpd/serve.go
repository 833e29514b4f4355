package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/certfile"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
)

// defaultConfig is where packages put the configuration.
const defaultConfig = "/etc/ftpd.toml"

func runServe(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("serve", "[--config FILE]", "ftpd serve --config /etc/ftpd.toml")
	file := flags.String("config", defaultConfig, "the configuration")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	source := inspectConfig(*file)
	told := source.Problems
	if isConfined() { // the run that started this one has told the warnings
		told = told.Errors()
	}
	for _, p := range told {
		fmt.Fprintln(stderr, p)
	}
	if len(source.Problems.Errors()) > 0 {
		return exitError
	}
	return start(source, stderr)
}

// inspectConfig reads and checks the configuration with the files of TLS that it names.
func inspectConfig(file string) *config.Source {
	known, done := config.Accounts(lookedUpAccounts{}), func() {}
	if !isConfined() {
		known, done = knownAccounts()
	}
	defer done()
	source := config.Inspect(file, known)
	certfile.Check(source)
	return source
}

// start runs the service in as many processes as the configuration needs.
func start(source *config.Source, stderr io.Writer) int {
	cfg := source.Config
	o, err := logs(cfg, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	run := supervisor.Serve
	here, err := supervisor.InOneProcess(cfg, os.Geteuid() == 0)
	if err == nil && here {
		run = supervisor.ServeHere
		o.Layers, err = confineServe(source, o.Log)
	}
	if err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	return serve(run, o, stderr)
}

// logs are the service's options with the logs that it writes.
func logs(cfg *config.Config, stderr io.Writer) (supervisor.Options, error) {
	o := supervisor.Options{Config: cfg, Version: version}
	w := stderr
	if cfg.Log.File != "" {
		f, err := events.OpenFile(cfg.Log.File)
		if err != nil {
			return o, fmt.Errorf("log.file: %w", err)
		}
		w = f
	}
	if cfg.Log.TransferLog != "" {
		f, err := events.OpenFile(cfg.Log.TransferLog)
		if err != nil {
			return o, fmt.Errorf("log.transfer_log: %w", err)
		}
		o.Xferlog = events.NewTransferLog(f, time.Local)
	}
	o.Log = events.NewLog(w, cfg.Log.Level, cfg.Log.Format)
	return o, nil
}

// confineServe confines a service of one process to what it serves, to the files of its configuration, which are read again, and to the
// folders of its certificates and keys, where new ones will stand under other names.
func confineServe(source *config.Source, log zerolog.Logger) (sandbox.Layers, error) {
	if source.Config.Server.Sandbox == config.SandboxOff {
		return sandbox.Layers{Missing: []string{"switched off by server.sandbox"}}, nil
	}
	if isConfined() {
		return sandbox.Probe(), nil
	}
	roots, err := servedRoots(source.Config, log)
	if err != nil {
		return sandbox.Layers{}, err
	}
	defer sandbox.Close(roots)
	readable := slices.Clone(source.Files)
	for _, file := range source.Files[1:] { // included ones, whose folder is searched
		readable = append(readable, filepath.Dir(file))
	}
	for _, file := range source.Config.TLSFiles() {
		readable = append(readable, folders(file)...)
	}
	if len(source.Config.NAT.Names()) > 0 {
		readable = append(readable, resolverFiles()...)
	}
	var logs []string
	for _, file := range []string{source.Config.Log.File, source.Config.Log.TransferLog} {
		if file != "" {
			logs = append(logs, filepath.Dir(file))
		}
	}
	var sockets []string
	if dir := filepath.Dir(source.Config.Admin.Socket); dir != "/" {
		sockets = append(sockets, dir)
	}
	return confine(sandbox.Confinement{Roots: roots, ReadOnly: readable, Logs: logs, Sockets: sockets})
}

// resolverFiles are what it takes to look up a host name. What /etc/resolv.conf leads to is written anew by many programs, under its name.
func resolverFiles() []string {
	all := []string{"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"}
	if real, err := filepath.EvalSymlinks("/etc/resolv.conf"); err == nil && filepath.Dir(real) != "/etc" {
		all = append(all, filepath.Dir(real))
	}
	return all
}

// folders are where a file stands, and where what it leads to stands. "/" is never granted: there the file must stay as it is.
func folders(file string) []string {
	all := []string{filepath.Dir(file)}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		all = append(all, filepath.Dir(real))
	}
	if slices.Contains(all, "/") {
		return []string{file}
	}
	return all
}

// serve runs a service until the first SIGINT, SIGTERM or SIGHUP, which lets transfers end; a second one ends it at once. A reader of
// the log that goes away ends nothing.
func serve(run func(context.Context, supervisor.Options) error, o supervisor.Options, stderr io.Writer) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	go func() { // ends with the first signal, or with the process
		<-signals
		signal.Stop(signals) // before anybody hears of the first one
		stop()
	}()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(stderr, "ftpd:", err)
		return exitError
	}
	return exitOK
}

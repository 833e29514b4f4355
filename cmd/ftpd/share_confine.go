package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"ftpd/pkg/sandbox"
)

// handed names the descriptor from which the confined run reads the certificate.
const handed = "FTPD_CERTIFICATE"

// confineShare confines the process to the directory. It returns in the confined run, or where the kernel has no such layer.
func confineShare(dir sandbox.Root, write bool, certificate *pemFiles) (sandbox.Layers, error) {
	var c sandbox.Confinement
	if write {
		c.Roots = []sandbox.Root{dir}
	} else {
		c.Shown = []sandbox.Root{dir}
	}
	if os.Geteuid() == 0 {
		c.Keep = []uintptr{sandbox.NetBindService} // as root it may still listen on port 21, and reads no more than root's own files
	}
	if certificate == nil || isConfined() || sandbox.Probe().Landlock == "" {
		return confine(c)
	}
	fd, err := handOver(certificate)
	if err != nil {
		return sandbox.Layers{}, err
	}
	return confine(c, handed+"="+strconv.Itoa(fd))
}

// handOver writes the certificate into a pipe, whose other end the next program of this process reads. Nobody reads meanwhile, so
// it must fit.
func handOver(p *pemFiles) (fd int, err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return -1, err
	}
	if len(text) > pipeSize {
		return -1, fmt.Errorf("certificate and key are larger than %d bytes", pipeSize)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return -1, err
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(text); err != nil {
		return -1, err
	}
	return inheritable(r)
}

// pipeSize is what a pipe of Linux takes when nobody reads it.
const pipeSize = 64 << 10

func handedOver() (*pemFiles, error) {
	fd, err := strconv.Atoi(os.Getenv(handed))
	if err != nil {
		return nil, errNotHandedOver
	}
	f := os.NewFile(uintptr(fd), "certificate")
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHandedOver, err)
	}
	p := new(pemFiles)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHandedOver, err)
	}
	return p, nil
}

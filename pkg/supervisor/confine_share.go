package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"ftpd/pkg/sandbox"
)

// PEM holds the contents of the files of a certificate and its key.
type PEM struct {
	Certificate, Key []byte
}

// ConfineShare confines the process to one directory, as ConfineService does to the directories
// of a configuration. The confined run cannot read the files of the certificate; it receives
// their contents by HandedOver. certificate is nil if there are no such files.
func ConfineShare(dir sandbox.Root, write bool, certificate *PEM) (sandbox.Layers, error) {
	var c sandbox.Confinement
	if write {
		c.Roots = []sandbox.Root{dir}
	} else {
		c.Shown = []sandbox.Root{dir}
	}
	if os.Geteuid() == 0 {
		// Root may still listen on port 21, and reads only files that root may read without
		// CAP_DAC_OVERRIDE.
		c.Keep = []uintptr{sandbox.NetBindService}
	}
	if certificate == nil || IsConfined() || sandbox.Probe().Landlock == "" {
		return confine(c)
	}
	fd, err := handOver(certificate)
	if err != nil {
		return sandbox.Layers{}, err
	}
	return confine(c, certificateVariable+"="+strconv.Itoa(fd))
}

// certificateVariable is the environment variable with the descriptor from which the confined run
// reads the certificate.
const certificateVariable = "FTPD_CERTIFICATE"

// pipeSize is how many bytes fit in a pipe of Linux that is not read.
const pipeSize = 64 << 10

// handOver writes the certificate into a pipe, and returns the descriptor from which the next
// program of this process can read it. The pipe is not read before that, so the certificate must
// fit.
func handOver(p *PEM) (fd int, err error) {
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

var errNotHandedOver = errors.New("the certificate was not handed over")

// HandedOver returns the certificate that the confined run has received, and nil if there is none.
func HandedOver() (*PEM, error) {
	variable := os.Getenv(certificateVariable)
	if variable == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(variable)
	if err != nil {
		return nil, errNotHandedOver
	}
	f := os.NewFile(uintptr(fd), "certificate")
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHandedOver, err)
	}
	p := new(PEM)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHandedOver, err)
	}
	return p, nil
}

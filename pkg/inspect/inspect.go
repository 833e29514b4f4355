// Package inspect checks whether the service could start on this host, without starting it:
// whether the files and directories that the configuration names exist, whether the ports are
// free, and which layers of confinement the kernel has. The results are problems of the
// configuration. An error means that a start would fail. A warning means that the service
// would start, but users would meet a failure or a part of the confinement would be missing.
package inspect

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"ftpd/pkg/certfile"
	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
	"ftpd/pkg/unixauth"
	"ftpd/pkg/vfs"
)

// Facts are the results that are not problems.
type Facts struct {
	Certificates []Certificate `json:"certificates"` // the one of [tls] is first
	Kernel       Kernel        `json:"kernel"`
}

// A Certificate is a certificate that the configuration names, with its remaining life.
type Certificate struct {
	Key     string    `json:"key"` // "tls.certificate", "host.certificate"
	File    string    `json:"file"`
	Expires time.Time `json:"expires"`   // in UTC
	Days    int       `json:"days_left"` // whole days from now; negative if it has expired
}

// Kernel lists the layers of confinement.
type Kernel struct {
	Layers  []string `json:"layers"`  // available: "openat2", "landlock ABI 7"
	Missing []string `json:"missing"` // one sentence for each missing layer
}

// Look checks the host and adds the problems that it finds to source, which must have no
// errors. A service with the same configuration may run: the addresses it listens on count as
// free. The remaining life of certificates is counted from now.
func Look(ctx context.Context, source *config.Source, now time.Time) Facts {
	l := &inspection{
		Source:      source,
		systemUsers: source.Config.Auth.Backend == config.BackendUnix,
	}
	inOne, err := supervisor.InOneProcess(source.Config, false)
	l.oneProcess = err == nil && inOne
	l.accounts()
	l.pam()
	l.directories(ctx)
	l.logs()
	l.socket()
	l.ports(ctx)
	return Facts{certificates(source.Config, now), l.kernel()}
}

// An inspection is one run of the checks.
type inspection struct {
	*config.Source
	systemUsers bool // system users may log in, which needs PAM
	oneProcess  bool // the service needs one process only and no root, so any user may start it
}

// accounts reports what is missing to run the processes of the service: the account of the
// core, and the program ftpd-auth.
func (l *inspection) accounts() {
	if l.oneProcess {
		if _, err := supervisor.InOneProcess(l.Config, isRoot()); err != nil {
			l.Report("", true, "%v", err)
		}
		return
	}
	if err := supervisor.CheckAccount(); err != nil {
		l.Report("", false, "%v", err)
	}
	if err := unixauth.CheckNames(); err != nil {
		l.Report("", true, "%v", err)
	}
	if _, err := unixauth.Find(); err != nil && l.systemUsers {
		l.Report("auth.backend", false, "\"unix\": %v; \"virtual\" does not need it", err)
	}
}

// kernel returns the layers that this kernel has, and reports the missing ones as warnings. A
// kernel without the confinement of files is an error.
func (l *inspection) kernel() Kernel {
	k := Kernel{Layers: []string{}, Missing: []string{}}
	if err := vfs.Probe(); err != nil {
		l.Report("", false, "%v", err)
		k.Missing = append(k.Missing, err.Error())
	} else {
		k.Layers = append(k.Layers, vfs.Confinement)
	}
	layers := sandbox.Probe()
	k.Layers = append(k.Layers, layers.Names()...)
	k.Missing = append(k.Missing, layers.Missing...)
	if l.Config.Server.Sandbox != config.SandboxOff {
		for _, why := range layers.Missing {
			l.Report("server.sandbox", true, "%s", why)
		}
	}
	return k
}

// certificates returns the certificates that the configuration names. It omits those that
// cannot be read, because certfile has reported them.
func certificates(c *config.Config, now time.Time) []Certificate {
	found := []Certificate{}
	add := func(key, file, private string) {
		if file == "" {
			return
		}
		if pair, err := certfile.ReadPair(file, private); err == nil {
			expires := pair.Leaf.NotAfter.UTC()
			found = append(found, Certificate{key, file, expires, daysLeft(pair.Leaf, now)})
		}
	}
	add("tls.certificate", c.TLS.Certificate, c.TLS.Key)
	for _, h := range c.Hosts {
		add("host.certificate", h.Certificate, h.Key)
	}
	return found
}

// daysLeft returns the whole days until c expires. After that it returns -1 on the first day,
// -2 on the second, and so on.
func daysLeft(c *x509.Certificate, now time.Time) int {
	left := c.NotAfter.Sub(now)
	if left < 0 {
		left -= 24*time.Hour - 1 // rounds down, where the division rounds towards zero
	}
	return int(left / (24 * time.Hour))
}

// String returns the line of the certificate in the output of ftpd check.
func (c Certificate) String() string {
	return fmt.Sprintf("%s: %s is good until %s, for %d days",
		c.Key, c.File, c.Expires.Format(time.DateOnly), c.Days)
}

// isRoot reports whether the process runs as root, and thus whether the checks can see
// everything.
func isRoot() bool { return os.Geteuid() == 0 }

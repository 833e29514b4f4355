// Package inspect looks at this host as a start of the service would find it, and starts nothing: whether what the configuration names is
// there, whether its ports are free, and what the kernel has. It tells what it finds as problems of the configuration. An error is what a
// start would fail for; a warning is what users would meet, or would miss.
package inspect

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
	"ftpd/pkg/unixauth"
	"ftpd/pkg/vfs"
)

// Facts are what is good to know though nothing is wrong.
type Facts struct {
	Certificates []Certificate `json:"certificates"` // that of [tls] first
	Kernel       Kernel        `json:"kernel"`
}

// A Certificate is one that the configuration names, and how long it is good.
type Certificate struct {
	Key     string    `json:"key"` // "tls.certificate", "host.certificate"
	File    string    `json:"file"`
	Expires time.Time `json:"expires"`   // in UTC
	Days    int       `json:"days_left"` // whole days from now; negative when it is over
}

// Kernel is what confines the service here.
type Kernel struct {
	Layers  []string `json:"layers"`  // "openat2", "landlock ABI 7"
	Missing []string `json:"missing"` // one sentence for each layer that is not there
}

// Look looks at what lies outside the files, and tells the source what is wrong there. The source has no errors. A service with this
// configuration may run: its ports are its own. Certificates are judged as of now.
func Look(ctx context.Context, source *config.Source, now time.Time) Facts {
	l := &look{Source: source, system: config.BackendUnix == source.Config.Auth.Backend}
	here, err := supervisor.InOneProcess(source.Config, false)
	l.ordinary = err == nil && here
	l.accounts()
	l.pam()
	l.directories(ctx)
	l.logs()
	l.ports(ctx)
	return Facts{certificates(source.Config, now), l.kernel()}
}

// A look is one round around the host.
type look struct {
	*config.Source
	system   bool // system users may log in, which takes PAM
	ordinary bool // one process does, without root: what an ordinary user would start
}

// accounts tells who is missing to run the processes of the service.
func (l *look) accounts() {
	if l.ordinary {
		if _, err := supervisor.InOneProcess(l.Config, isRoot()); err != nil {
			l.Tell("", true, "%v", err)
		}
		return
	}
	if err := supervisor.CheckAccount(); err != nil {
		l.Tell("", false, "%v", err)
	}
	if _, err := unixauth.Find(); err != nil && l.system {
		l.Tell("auth.backend", false, "\"unix\": %v; \"virtual\" does without", err)
	}
}

// kernel tells which layers this kernel has, and warns of those that it lacks.
func (l *look) kernel() Kernel {
	k := Kernel{Layers: []string{}, Missing: []string{}}
	if err := vfs.Probe(); err != nil {
		l.Tell("", false, "%v", err)
		k.Missing = append(k.Missing, err.Error())
	} else {
		k.Layers = append(k.Layers, vfs.Confinement)
	}
	layers := sandbox.Probe()
	if layers.Landlock != "" {
		k.Layers = append(k.Layers, layers.Landlock)
	}
	k.Missing = append(k.Missing, layers.Missing...)
	if l.Config.Server.Sandbox != config.SandboxOff {
		for _, why := range layers.Missing {
			l.Tell("server.sandbox", true, "%s", why)
		}
	}
	return k
}

// certificates tells how long each is good.
func certificates(c *config.Config, now time.Time) []Certificate {
	found := []Certificate{}
	add := func(key, file, private string) {
		if file == "" {
			return
		}
		if pair, err := config.ReadPair(file, private); err == nil { // what is wrong is told already
			found = append(found, Certificate{key, file, pair.Leaf.NotAfter.UTC(), daysLeft(pair.Leaf, now)})
		}
	}
	add("tls.certificate", c.TLS.Certificate, c.TLS.Key)
	for _, h := range c.Hosts {
		add("host.certificate", h.Certificate, h.Key)
	}
	return found
}

func daysLeft(c *x509.Certificate, now time.Time) int {
	left := c.NotAfter.Sub(now)
	if left < 0 {
		left -= 24*time.Hour - 1 // a certificate that is over has no day left, and then one less each day
	}
	return int(left / (24 * time.Hour))
}

// String is the line that people read.
func (c Certificate) String() string {
	return fmt.Sprintf("%s: %s is good until %s, for %d days", c.Key, c.File, c.Expires.Format(time.DateOnly), c.Days)
}

// isRoot says whether everything can be found out.
func isRoot() bool { return os.Geteuid() == 0 }

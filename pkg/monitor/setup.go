package monitor

import (
	"fmt"
	"net/netip"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/seccomp"
)

// A Setup holds all that a core needs at its start. The core opens no files except those of
// users.
type Setup struct {
	Config *config.Config `json:"config"` // without secrets
	// Roots are the directories that contain all homes and mounts, without symlinks.
	Roots []string `json:"roots"`
	// Zone is the local time zone as a TZif file (RFC 9636); empty means UTC.
	Zone  []byte           `json:"zone,omitempty"`
	Ports config.PortRange `json:"ports"` // the ephemeral ports of the system

	// Public holds the host names of [nat] that were found, with their addresses.
	Public map[string]netip.Addr `json:"public,omitempty"`

	// Certificates begins with the certificate of [tls]. If it is empty, there is no TLS.
	Certificates []Certificate `json:"certificates,omitempty"`
	// ClientCAs holds the authorities that sign the certificates of clients, as DER.
	ClientCAs [][]byte `json:"client_cas,omitempty"`
	// Filter limits the system calls of the core; nil: there is no filter.
	Filter *seccomp.Filter `json:"filter,omitempty"`
	// Implicit is the number of listeners, at the end of the list, for implicit TLS.
	Implicit int `json:"implicit,omitempty"`
}

// Location returns the local time zone.
func (s Setup) Location() (*time.Location, error) {
	if len(s.Zone) == 0 {
		return time.UTC, nil
	}
	loc, err := time.LoadLocationFromTZData("Local", s.Zone)
	if err != nil {
		return nil, fmt.Errorf("load the time zone: %w", err)
	}
	return loc, nil
}

package monitor

import (
	"fmt"
	"net/netip"
	"time"

	"ftpd/pkg/config"
)

// A Setup is all that a core needs to know, since it opens no file but those of users.
type Setup struct {
	Config *config.Config   `json:"config"`         // without secrets
	Zone   []byte           `json:"zone,omitempty"` // the local time zone as a TZif file (RFC 9636); empty is UTC
	Ports  config.PortRange `json:"ports"`          // the system's range of ephemeral ports

	Public map[string]netip.Addr `json:"public,omitempty"` // the host names of [nat] that were found

	Certificates []Certificate `json:"certificates,omitempty"` // that of [tls] first; none: there is no TLS
	ClientCAs    [][]byte      `json:"client_cas,omitempty"`   // DER of the authorities that sign clients' certificates
	Implicit     int           `json:"implicit,omitempty"`     // so many of the listeners, the last, begin with TLS
}

// Location is the local time zone.
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

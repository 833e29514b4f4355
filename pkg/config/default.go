package config

import (
	"net/netip"
	"time"
)

// Default returns a new configuration with the values of an empty file.
func Default() *Config {
	return &Config{
		Include: []string{"ftpd.d/*.toml"},
		Server: Server{
			Listen:       []Address{{netip.AddrPortFrom(netip.IPv6Unspecified(), 21)}},
			Banner:       "FTP server ready.",
			Sandbox:      SandboxAuto,
			DrainTimeout: Duration(time.Minute),
		},
		Auth: Auth{
			Backend:      BackendUnix,
			PAMService:   "ftpd",
			Deny:         []string{"root"},
			MinUID:       1000,
			RequireShell: true,
			MaxAttempts:  3,
			FailureDelay: Duration(2 * time.Second),
		},
		Anonymous: Anonymous{Directory: "/srv/ftp", RunAs: "ftp", Permissions: ReadOnly},
		Defaults: Settings{
			Confine:     true,
			Permissions: Full,
			Umask:       0o022,
			RunAs:       "ftp-virtual",
			RequireTLS:  RequireTLSAuto,
		},
		Limits: Limits{
			MaxSessions:        1000,
			MaxSessionsPerIP:   50,
			MaxUnauthenticated: Auto,
			LoginTimeout:       Duration(time.Minute),
			IdleTimeout:        Duration(5 * time.Minute),
			StallTimeout:       Duration(2 * time.Minute),
			ConnectTimeout:     Duration(30 * time.Second),
		},
		Ban: Ban{
			Failures:        10,
			AddressFailures: 100,
			Window:          Duration(10 * time.Minute),
			Duration:        Duration(time.Hour),
		},
		Data: Data{Passive: true, Active: true, Sendfile: true},
		TLS: TLS{
			MinVersion:   TLS12,
			ClientAuth:   ClientAuthOff,
			SessionReuse: SessionReusePrefer,
		},
		Files: Files{UTCTimes: true, Publish: PublishAlways},
		Log:   Log{Level: LogInfo, Format: LogAuto},
		Admin: Admin{Socket: "/run/ftpd/admin.sock"},
	}
}

// defaultHook returns a [[hook]] with the defaults of its keys.
func defaultHook() Hook { return Hook{Timeout: Duration(time.Minute)} }

// defaultSite returns a [[site]] with the defaults of its keys.
func defaultSite() Site { return Site{Timeout: Duration(time.Minute)} }

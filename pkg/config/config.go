// Package config is /etc/ftpd.toml as Go values: one field for each key, with its meaning, type and default in one place.
package config

import "net/netip"

type Config struct {
	Include   []string  `toml:"include"`
	Server    Server    `toml:"server"`
	Auth      Auth      `toml:"auth"`
	Anonymous Anonymous `toml:"anonymous"`
	Defaults  Settings  `toml:"defaults"`
	Groups    []Group   `toml:"group"`
	Users     []User    `toml:"user"`
	Limits    Limits    `toml:"limits"`
	Ban       Ban       `toml:"ban"`
	Data      Data      `toml:"data"`
	NAT       NAT       `toml:"nat"`
	TLS       TLS       `toml:"tls"`
	Files     Files     `toml:"files"`
	Log       Log       `toml:"log"`
	Admin     Admin     `toml:"admin"`
	Hooks     []Hook    `toml:"hook"`
	Sites     []Site    `toml:"site"`
	Hosts     []Host    `toml:"host"`
}

type Server struct {
	Listen            []Address `toml:"listen"`
	ListenTLS         []Address `toml:"listen_tls"`
	Banner            string    `toml:"banner"`
	ProxyProtocolFrom Networks  `toml:"proxy_protocol_from"`
	Roots             []string  `toml:"roots"`
	Sandbox           Sandbox   `toml:"sandbox"`
	DrainTimeout      Duration  `toml:"drain_timeout"`
}

type Auth struct {
	Backend      Backend  `toml:"backend"`
	PAMService   string   `toml:"pam_service"`
	PAMSession   bool     `toml:"pam_session"`
	Guest        string   `toml:"guest"`
	Allow        []string `toml:"allow"`
	Deny         []string `toml:"deny"`
	MinUID       int      `toml:"min_uid"`
	RequireShell bool     `toml:"require_shell"`
	MaxAttempts  int      `toml:"max_attempts"`
	FailureDelay Duration `toml:"failure_delay"`
}

type Anonymous struct {
	Enabled     bool        `toml:"enabled"`
	Directory   string      `toml:"directory"`
	RunAs       string      `toml:"run_as"`
	Permissions Permissions `toml:"permissions"`
}

// Settings are what holds for one user: [defaults], and what a [[group]] or [[user]] overrides.
type Settings struct {
	Home                string      `toml:"home"`
	StartDirectory      string      `toml:"start_directory"`
	Confine             bool        `toml:"confine"`
	Permissions         Permissions `toml:"permissions"`
	Umask               Mode        `toml:"umask"`
	RunAs               string      `toml:"run_as"`
	SessionDownloadRate Rate        `toml:"session_download_rate"`
	SessionUploadRate   Rate        `toml:"session_upload_rate"`
	UserDownloadRate    Rate        `toml:"user_download_rate"`
	UserUploadRate      Rate        `toml:"user_upload_rate"`
	MaxSessions         int         `toml:"max_sessions"`
	MaxFileSize         Size        `toml:"max_file_size"`
	RequireTLS          RequireTLS  `toml:"require_tls"`
	AllowFrom           Networks    `toml:"allow_from"`
	LoginMessage        string      `toml:"login_message"`
	QuitMessage         string      `toml:"quit_message"`
	CreateHome          bool        `toml:"create_home"`
	HideOwners          bool        `toml:"hide_owners"`
}

type Group struct {
	Override
	Name string `toml:"name"`
}

type User struct {
	Override
	Name     string `toml:"name"`
	Password Hash   `toml:"password"`
}

// Override is what [[group]] and [[user]] share.
type Override struct {
	Settings
	Set      []string `toml:"-"` // the keys of Settings that the file gives
	Disabled bool     `toml:"disabled"`
	Expires  Date     `toml:"expires"`
	Rules    []Rule   `toml:"rule"`
	Mounts   []Mount  `toml:"mount"`
}

type Rule struct {
	Path        string      `toml:"path"`
	Permissions Permissions `toml:"permissions"`
}

type Mount struct {
	Path        string      `toml:"path"`
	Directory   string      `toml:"directory"`
	Permissions Permissions `toml:"permissions"`
}

type Limits struct {
	MaxSessions      int      `toml:"max_sessions"`
	MaxSessionsPerIP int      `toml:"max_sessions_per_ip"`
	LoginTimeout     Duration `toml:"login_timeout"`
	IdleTimeout      Duration `toml:"idle_timeout"`
	StallTimeout     Duration `toml:"stall_timeout"`
	ConnectTimeout   Duration `toml:"connect_timeout"`
	DownloadRate     Rate     `toml:"download_rate"`
	UploadRate       Rate     `toml:"upload_rate"`
	MinFreeSpace     Size     `toml:"min_free_space"`
}

type Ban struct {
	Failures          int      `toml:"failures"`
	AddressFailures   int      `toml:"address_failures"`
	CommandsPerSecond int      `toml:"commands_per_second"`
	Window            Duration `toml:"window"`
	Duration          Duration `toml:"duration"`
	Exempt            Networks `toml:"exempt"`
}

type Data struct {
	Passive              bool      `toml:"passive"`
	Active               bool      `toml:"active"`
	PassivePorts         PortRange `toml:"passive_ports"`
	ActivePort           int       `toml:"active_port"`
	ForeignNetworks      Networks  `toml:"foreign_networks"`
	AllowPrivilegedPorts bool      `toml:"allow_privileged_ports"`
	Sendfile             bool      `toml:"sendfile"`
}

type NAT struct {
	PublicAddress   string                `toml:"public_address"`
	PublicAddresses map[netip.Addr]string `toml:"public_addresses"`
	LocalNetworks   Networks              `toml:"local_networks"`
}

type TLS struct {
	Certificate        string       `toml:"certificate"`
	Key                string       `toml:"key"`
	MinVersion         TLSVersion   `toml:"min_version"`
	ClientCA           string       `toml:"client_ca"`
	ClientAuth         ClientAuth   `toml:"client_auth"`
	SessionReuse       SessionReuse `toml:"session_reuse"`
	SessionReuseExempt Networks     `toml:"session_reuse_exempt"`
}

type Files struct {
	UTCTimes      bool     `toml:"utc_times"`
	AtomicUploads bool     `toml:"atomic_uploads"`
	SyncUploads   bool     `toml:"sync_uploads"`
	Publish       Publish  `toml:"publish"`
	Hide          []string `toml:"hide"`
}

type Log struct {
	Level       LogLevel  `toml:"level"`
	Format      LogFormat `toml:"format"`
	File        string    `toml:"file"`
	TransferLog string    `toml:"transfer_log"`
}

type Admin struct {
	Socket  string `toml:"socket"`
	Metrics string `toml:"metrics"`
}

type Hook struct {
	On      []HookEvent `toml:"on"`
	Command []string    `toml:"command"`
	RunAs   string      `toml:"run_as"`
	Timeout Duration    `toml:"timeout"`
}

type Site struct {
	Name       string      `toml:"name"`
	Command    []string    `toml:"command"`
	Permission Permissions `toml:"permission"`
	Help       string      `toml:"help"`
	Timeout    Duration    `toml:"timeout"`
}

type Host struct {
	Name        string `toml:"name"`
	Banner      string `toml:"banner"`
	Certificate string `toml:"certificate"`
	Key         string `toml:"key"`
}

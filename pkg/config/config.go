// Package config is /etc/ftpd.toml as Go values: one field for each key, with its meaning, type and default in one place.
//
// The comments of the fields are written for administrators: etc/ftpd.toml is generated from them, and from Default.
package config

import "net/netip"

//go:generate go test -run "Test(Example|Schema|ManPage)IsFresh" -update .

// A Config is the whole configuration. It is a plain value: copy it with care for its slices, and leave it alone once it is in use.
type Config struct {
	// Further files, relative to this one's folder; "*" and "?" match names. A key that is set twice is an error. [[user]], [[group]],
	// [[hook]], [[site]] and [[host]] of all files add up.
	Include []string `toml:"include"`

	// The service itself.
	Server Server `toml:"server"`
	// Who may log in.
	Auth Auth `toml:"auth"`
	// Logins as "anonymous", with any password. The rest of an anonymous session's settings is that of [[user]] name = "anonymous".
	Anonymous Anonymous `toml:"anonymous"`
	// For every user. Each [[group]] or [[user]] may override each of these keys: [defaults] < [[group]] < [[user]].
	Defaults Settings `toml:"defaults"`
	// Overrides of [defaults] for the members of a system group, with the same keys as [[user]] but password. For a member of several,
	// the later in the file wins.
	Groups []Group `toml:"group"`
	// With a password: a virtual user; a system account of that name is then not asked. Without: overrides of [defaults] for a system user.
	Users []User `toml:"user"`
	// Limits of the whole server.
	Limits Limits `toml:"limits"`
	// Who misbehaves is refused for a while, before any password is checked. 0 switches a rule off.
	Ban Ban `toml:"ban"`
	// Data connections.
	Data Data `toml:"data"`
	// A server behind address translation.
	NAT NAT `toml:"nat"`
	// Encryption.
	TLS TLS `toml:"tls"`
	// Files and their listings.
	Files Files `toml:"files"`
	// Logs.
	Log Log `toml:"log"`
	// Looking into the running service.
	Admin Admin `toml:"admin"`
	// A program that the service runs on an event, without a shell and apart from the session.
	Hooks []Hook `toml:"hook"`
	// A SITE command of your own. A program answers it, run as the user, in the session's directory. It is not confined: it sees the host.
	Sites []Site `toml:"site"`
	// A virtual host, chosen by HOST (RFC 7151) or by the server name of TLS.
	Hosts []Host `toml:"host"`
}

// Server is [server].
type Server struct {
	// Addresses and ports for plain FTP, which AUTH TLS may upgrade. "[::]:21" takes IPv4 too, and falls back to "0.0.0.0:21" where the
	// host has no IPv6.
	Listen []Address `toml:"listen"`
	// Addresses and ports for implicit TLS, such as ["[::]:990"].
	ListenTLS []Address `toml:"listen_tls"`
	// Text of the 220 reply; it may have several lines.
	Banner string `toml:"banner"`
	// Networks of load balancers, which must begin each control and passive data connection with a PROXY header (version 1 or 2) that names
	// the client. From anybody else such a header is no command.
	ProxyProtocolFrom Networks `toml:"proxy_protocol_from"`
	// Directories of the host that may be served at all; the kernel enforces it. Empty: /home, and every home, directory and mount that
	// this configuration names. "/" means all but /etc, /root, /boot, /dev, /proc, /run and /sys, which must be named to be served
	// (/proc and /sys never are); LIST of "/" itself is 550 then, for Landlock cannot grant it without all that lies below. A login whose
	// home lies outside is refused, and the log says what to add. What a user has mounted by FUSE (sshfs, gocryptfs) can be served only
	// with the option allow_other: the kernel refuses it otherwise, whatever the modes.
	Roots []string `toml:"roots"`
	// What the kernel forbids the service. "auto": every layer that is there, and the start says which; "require": no start without all;
	// "log": report instead of refusing, to find what an update needs; "off".
	Sandbox Sandbox `toml:"sandbox"`
	// At a stop, running transfers may take this long to end. A reload or an upgrade never ends one.
	DrainTimeout Duration `toml:"drain_timeout"`
}

// Auth is [auth].
type Auth struct {
	// Who knows the users besides those that [[user]] gives a password: "unix" (PAM and system accounts), "windows", or "virtual" (nobody).
	Backend Backend `toml:"backend"`
	// The name of a file in /etc/pam.d.
	PAMService string `toml:"pam_service"`
	// Keep the PAM session open until logout (utmp, logind); else it is opened and closed at login (mkhomedir, lastlog). Limits, loginuid
	// and namespaces of PAM never reach transfers.
	PAMSession bool `toml:"pam_session"`
	// System account for users whom PAM accepts and the system does not know (pam_userdb, pam_mysql and others); "" refuses them.
	Guest string `toml:"guest"`
	// Who may log in: names, or groups as "@group"; empty is everyone whom the backend or this configuration knows. Virtual and anonymous
	// users are in no group: where the list is not empty, it has to name them.
	Allow []string `toml:"allow"`
	// Who may not: names, or groups as "@group"; wins over allow.
	Deny []string `toml:"deny"`
	// System users with a lower number may not log in; at least 1.
	MinUID int `toml:"min_uid"`
	// The login shell of a system user must be in /etc/shells.
	RequireShell bool `toml:"require_shell"`
	// So many failed logins close a connection; at least 1.
	MaxAttempts int `toml:"max_attempts"`
	// Pause before a failed login is answered, the same whether or not the user exists.
	FailureDelay Duration `toml:"failure_delay"`
}

// Anonymous is [anonymous].
type Anonymous struct {
	// Whether anonymous users may come in.
	Enabled bool `toml:"enabled"`
	// Directory of the host that they see as "/".
	Directory string `toml:"directory"`
	// System account whose identity their sessions take, as in [defaults], but another one: what virtual users keep for themselves is out
	// of its reach then.
	RunAs string `toml:"run_as"`
	// What they may do, as in [defaults].
	Permissions Permissions `toml:"permissions"`
}

// Settings are what holds for one user: [defaults], and what a [[group]] or [[user]] overrides.
type Settings struct {
	// Directory of the host where the user comes in; {user} stands for the name. "" is the account's own home; a virtual user has none (that
	// of run_as is another's), and needs this key.
	Home string `toml:"home"`
	// FTP path where a session starts, or "/" where that cannot be entered. "" is "/" (with confine = false, the home).
	StartDirectory string `toml:"start_directory"`
	// The home is the user's "/", and nothing outside it can be reached, by symlinks either. false also needs server.roots = ["/"].
	Confine bool `toml:"confine"`
	// What the user may do: a list of words, or a preset. Directories may be entered where anything is permitted below them.
	//   "list"    LIST NLST MLSD MLST STAT SIZE MDTM       "read"       RETR HASH XCRC XMD5 XSHA1 XSHA256
	//   "write"   STOR and STOU of new files               "overwrite"  STOR and RNTO onto what exists
	//   "append"  APPE, and REST with STOR at the end      "delete"     DELE RMD
	//   "rename"  RNFR RNTO                                "mkdir"      MKD
	//   "chmod"   SITE CHMOD, SITE CHGRP, SITE UMASK       "touch"      MFMT, MDTM with a time, SITE UTIME
	// Presets: "read-only" is list and read, "drop-box" is write and mkdir, "full" is everything.
	Permissions Permissions `toml:"permissions"`
	// Mask of the permission bits of new files and directories, in octal.
	Umask Mode `toml:"umask"`
	// System account whose identity a virtual user's file access takes, with its groups of that moment. It may be one below auth.min_uid,
	// such as www-data, but never root. Users of one account are kept apart by their homes alone: none may lie in another's. "" where the
	// server impersonates no one: auth.backend is "virtual", and an ordinary user runs it.
	RunAs string `toml:"run_as"`
	// Bytes per second that one session may download, listings among them; 0 is unlimited. Of this and the other rates the lowest decides.
	SessionDownloadRate Rate `toml:"session_download_rate"`
	// Bytes per second that one session may upload; 0 is unlimited.
	SessionUploadRate Rate `toml:"session_upload_rate"`
	// The same for the downloads of all sessions of one user together; 0 is unlimited. All anonymous sessions are those of one user.
	UserDownloadRate Rate `toml:"user_download_rate"`
	// The same for their uploads; 0 is unlimited.
	UserUploadRate Rate `toml:"user_upload_rate"`
	// Sessions of one user at one time; 0 is unlimited.
	MaxSessions int `toml:"max_sessions"`
	// Bytes that a file may have after an upload, which else ends with 552; what fits stays, as of each incomplete upload. 0 is unlimited.
	MaxFileSize Size `toml:"max_file_size"`
	// What TLS is required for. "auto": "login" once a certificate is set, else "off" with a warning at each start; "off": nothing;
	// "login": a password; "all": data connections too.
	RequireTLS RequireTLS `toml:"require_tls"`
	// Networks that the user may log in from; empty is any.
	AllowFrom Networks `toml:"allow_from"`
	// Text of the 230 reply.
	LoginMessage string `toml:"login_message"`
	// Text of the 221 reply.
	QuitMessage string `toml:"quit_message"`
	// Make a missing home at login, for the user and with the umask; only where all directories above it are root's and nobody else may
	// write in them.
	CreateHome bool `toml:"create_home"`
	// LIST and MLSD show "ftp" for every owner and group.
	HideOwners bool `toml:"hide_owners"`
}

// A Group is one [[group]].
type Group struct {
	// The system group. Virtual and anonymous users are in none, whatever their run_as.
	Name string `toml:"name"`
	Override
}

// A User is one [[user]].
type User struct {
	// The name at login.
	Name string `toml:"name"`
	// Hash of the password (bcrypt, argon2id, yescrypt, sha512-crypt or sha256-crypt), from `ftpd passwd`. It makes the user a virtual one.
	Password Hash `toml:"password"`
	Override
}

// An Override is what [[group]] and [[user]] share. Of its settings, only those in Set mean anything.
type Override struct {
	Settings
	Set []string `toml:"-"` // the keys that the file gives, "disabled" and "expires" included, in their order in the structs
	// No login while it is true.
	Disabled bool `toml:"disabled"`
	// The last day (UTC) on which the user may log in.
	Expires Date `toml:"expires"`
	// Permissions for a subtree. The longest matching path wins.
	Rules []Rule `toml:"rule"`
	// Another directory shown inside the user's tree: what a symlink out of a confined home cannot do.
	Mounts []Mount `toml:"mount"`
}

// A Rule gives the permissions of a subtree.
type Rule struct {
	// The FTP path at and below which the rule holds, and each other spelling that the file system
	// takes for it.
	Path string `toml:"path"`
	// What the user may do there.
	Permissions Permissions `toml:"permissions"`
}

// A Mount shows a directory of the host inside a user's tree.
type Mount struct {
	// The FTP path where it is shown.
	Path string `toml:"path"`
	// The directory of the host; {user} stands for the name.
	Directory string `toml:"directory"`
	// What the user may do there; without it, what holds at the path anyway.
	Permissions Permissions `toml:"permissions"`
	Inherit     bool        `toml:"-"` // the file gives no permissions
}

// Limits is [limits].
type Limits struct {
	// Sessions at one time; the next client is answered 421. 0 is unlimited.
	MaxSessions int `toml:"max_sessions"`
	// Sessions of one address (an IPv6 /64 counts as one) at one time. 0 is unlimited.
	MaxSessionsPerIP int `toml:"max_sessions_per_ip"`
	// A client that has not logged in by then is sent away. "0s" switches this and each of the following timeouts off.
	LoginTimeout Duration `toml:"login_timeout"`
	// A session that sends no command for this long, outside a transfer, is ended. SITE IDLE shortens it for one session.
	IdleTimeout Duration `toml:"idle_timeout"`
	// A transfer that moves no byte for this long is aborted, and its session ends with 421.
	StallTimeout Duration `toml:"stall_timeout"`
	// How long to wait for a passive client, or to dial an active one.
	ConnectTimeout Duration `toml:"connect_timeout"`
	// Bytes per second that all sessions of the server may download together; 0 is unlimited.
	DownloadRate Rate `toml:"download_rate"`
	// Bytes per second that they may upload together; 0 is unlimited.
	UploadRate Rate `toml:"upload_rate"`
	// Uploads are refused, and running ones ended (452), when the file system has less. 0 is off.
	MinFreeSpace Size `toml:"min_free_space"`
}

// Ban is [ban].
type Ban struct {
	// Failed logins of one user name from one address (an IPv6 /64 counts as one): that pair gets 530. 0 switches this rule off, and so it
	// does in the next two.
	Failures int `toml:"failures"`
	// Failed logins from one address: the address gets 421.
	AddressFailures int `toml:"address_failures"`
	// Commands of all sessions of one address faster than this, over one second: the address gets 421.
	CommandsPerSecond int `toml:"commands_per_second"`
	// Failures are counted over this time from the first one.
	Window Duration `toml:"window"`
	// How long a ban lasts.
	Duration Duration `toml:"duration"`
	// Networks that are never banned.
	Exempt Networks `toml:"exempt"`
}

// Data is [data].
type Data struct {
	// PASV and EPSV: the client connects to the server.
	Passive bool `toml:"passive"`
	// PORT and EPRT: the server connects to the client.
	Active bool `toml:"active"`
	// Ports of passive data connections, such as "50000-50999", never left when all are busy (425). "" is the system's own range. The wider,
	// the safer: without TLS, somebody at the client's own address may guess the port.
	PassivePorts PortRange `toml:"passive_ports"`
	// Local port of active data connections; 20 for old firewalls, 0 for any. With one port, a client that names the same port of its own
	// again within a minute may read 425.
	ActivePort int `toml:"active_port"`
	// Networks besides the client's own address that data connections may go to or come from (FXP).
	ForeignNetworks Networks `toml:"foreign_networks"`
	// PORT and EPRT may name ports below 1024.
	AllowPrivilegedPorts bool `toml:"allow_privileged_ports"`
	// false where a network file system misbehaves under sendfile(2).
	Sendfile bool `toml:"sendfile"`
}

// NAT is [nat].
type NAT struct {
	// IPv4 address or host name put into PASV replies. A name is looked up again every minute; the last answer holds while there is none.
	PublicAddress string `toml:"public_address"`
	// The same by the local address that the client has come to: { "10.0.0.5" = "203.0.113.7" }. It wins over public_address.
	PublicAddresses map[netip.Addr]string `toml:"public_addresses"`
	// Clients from here get the true local address. EPSV, which tells no address, needs none of this.
	LocalNetworks Networks `toml:"local_networks"`
}

// TLS is [tls].
type TLS struct {
	// PEM file with the server's certificate and those between it and a root, and the key if it is to hold that too. Both files are read
	// again when they change, without a restart; a pair that does not match is not taken.
	Certificate string `toml:"certificate"`
	// PEM file with the key, without a passphrase. "" means that it is in the certificate's file.
	Key string `toml:"key"`
	// "1.2" or "1.3".
	MinVersion TLSVersion `toml:"min_version"`
	// PEM file with the authorities that sign clients' certificates, for client_auth. It is read at a start.
	ClientCA string `toml:"client_ca"`
	// Whether clients must show a certificate: "off" (they are not asked), "optional" or "required". It does not replace the password. A data
	// connection shows that of its control connection, or resumes its TLS session.
	ClientAuth ClientAuth `toml:"client_auth"`
	// Whether data connections resume the TLS session of their control connection, which proves that they are the same client's.
	//   "require"  who does not is answered 522: ftplib, ftputil, Net::FTP, commons-net, Mono, curl over TLS 1.2 or with -Z; and clients that
	//              use each ticket once (curl) at what follows an upload
	//   "prefer"   it is offered and never demanded; the log names and counts the clients that "require" would shut out (not_resumed)
	//   "off"      never: each one makes a full handshake; FileZilla warns its user of that
	SessionReuse SessionReuse `toml:"session_reuse"`
	// Networks of clients that cannot, where it is required.
	SessionReuseExempt Networks `toml:"session_reuse_exempt"`
}

// Files is [files].
type Files struct {
	// LIST and STAT show UTC; false shows local time. MDTM, MFMT and MLSD are always in UTC (RFC 3659).
	UTCTimes bool `toml:"utc_times"`
	// An upload appears under its name only when it is complete.
	AtomicUploads bool `toml:"atomic_uploads"`
	// 226 only after the file is on stable storage.
	SyncUploads bool `toml:"sync_uploads"`
	// With atomic_uploads: "always", or "complete": only an upload known to be whole takes its name.
	Publish Publish `toml:"publish"`
	// Patterns of names that are neither listed, nor reached, nor created, such as ".ht*". Where the
	// file system ignores case, so do they.
	Hide []string `toml:"hide"`
}

// Log is [log].
type Log struct {
	// "debug", "info", "warn" or "error".
	Level LogLevel `toml:"level"`
	// "console", "json", or "auto" (console on a terminal, else json).
	Format LogFormat `toml:"format"`
	// "" is standard error (under systemd, the journal). A file is opened again when it was rotated.
	File string `toml:"file"`
	// File for transfers in the form of xferlog(5); "" is none.
	TransferLog string `toml:"transfer_log"`
}

// Admin is [admin].
type Admin struct {
	// Socket of `ftpd who`, `ftpd kick` and `ftpd reload`, for root and members of the group ftpd-admin.
	Socket string `toml:"socket"`
	// "127.0.0.1:9121" serves Prometheus /metrics, /healthz and a status page there; "" does not.
	Metrics string `toml:"metrics"`
}

// A Hook is one [[hook]].
type Hook struct {
	// Events: connect (a non-zero exit refuses the client), login, login_failed, logout, upload, upload_incomplete, download,
	// download_incomplete.
	On []HookEvent `toml:"on"`
	// The program and its arguments. {event} {user} {ip} {session} {path} (of the host) {virtual_path} {bytes} {seconds} {verdict} are
	// filled in as whole arguments or parts of them, and given as FTPD_EVENT, FTPD_USER and so on.
	Command []string `toml:"command"`
	// "" is the session's user; before a login, "nobody". Never root unless it says root.
	RunAs string `toml:"run_as"`
	// The program is ended after this time.
	Timeout Duration `toml:"timeout"`
}

// A Site is one [[site]].
type Site struct {
	// The word after SITE.
	Name string `toml:"name"`
	// The program and its arguments. {path}: the client's argument, resolved in the user's tree; {arg}: as it was typed.
	Command []string `toml:"command"`
	// The permission that it needs at the path, such as "delete".
	Permission Permissions `toml:"permission"`
	// Text of HELP SITE.
	Help string `toml:"help"`
	// The program is ended after this time.
	Timeout Duration `toml:"timeout"`
}

// A Host is one [[host]].
type Host struct {
	// The host name that the client asks for.
	Name string `toml:"name"`
	// Text of the 220 reply; "" is server.banner.
	Banner string `toml:"banner"`
	// PEM file, as in [tls], which has to have one as well. "" is the one of [tls].
	Certificate string `toml:"certificate"`
	// PEM file, as in [tls].
	Key string `toml:"key"`
}

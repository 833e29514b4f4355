// Package config reads /etc/ftpd.toml into Go values. There is one field for each key, with its
// meaning, type and default in one place. Inspect reads and checks the file. The Config may be
// used if none of the Problems is an error.
//
// The comments of the fields are written for administrators: etc/ftpd.toml, ftpd.toml(5), the
// JSON schema and `ftpd help` are generated from them and from Default.
package config

import "net/netip"

//go:generate go test -run "Test(Example|Schema|ManPage)IsFresh" -update .

// A Config is a whole configuration. A copy shares the slices and maps of the original. A Config
// must not be modified once it is in use.
type Config struct {
	// Further files to read, relative to the directory of this file. "*" and "?" match names. A
	// key that is set in two files is an error. The tables [[user]], [[group]], [[hook]],
	// [[site]] and [[host]] of all files are added up. All files, and the directories above
	// them, must belong to root (or the account that runs the service), and must not be writable
	// by group or others.
	Include []string `toml:"include"`

	// The service itself.
	Server Server `toml:"server"`
	// Which users may log in.
	Auth Auth `toml:"auth"`
	// Logins as "anonymous", with any password. All other settings of anonymous sessions are in
	// [[user]] name = "anonymous".
	Anonymous Anonymous `toml:"anonymous"`
	// Settings for every user. Each [[group]] and [[user]] may override each of these keys; a
	// [[user]] overrides a [[group]].
	Defaults Settings `toml:"defaults"`
	// Overrides of [defaults] for the members of a system group. The keys are those of [[user]],
	// without password. For a member of several groups, the group that is later in the file has
	// precedence.
	Groups []Group `toml:"group"`
	// With a password: a virtual user; a system account of the same name cannot log in. Without a
	// password: overrides of [defaults] for a system user.
	Users []User `toml:"user"`
	// Limits of the whole server.
	Limits Limits `toml:"limits"`
	// Clients that misbehave are refused for some time, before any password is checked. 0
	// switches a rule off.
	Ban Ban `toml:"ban"`
	// Data connections.
	Data Data `toml:"data"`
	// A server behind network address translation (NAT).
	NAT NAT `toml:"nat"`
	// Encryption.
	TLS TLS `toml:"tls"`
	// Files and their listings.
	Files Files `toml:"files"`
	// Logs.
	Log Log `toml:"log"`
	// Administration of the running service.
	Admin Admin `toml:"admin"`
	// A program that the service runs at an event, without a shell and apart from the session.
	Hooks []Hook `toml:"hook"`
	// An additional SITE command, which a program carries out. The program runs as the user, in
	// the directory of the session. It is not confined to the user's tree: it sees the host.
	Sites []Site `toml:"site"`
	// A virtual host, selected by HOST (RFC 7151) or by the server name in TLS.
	Hosts []Host `toml:"host"`
}

// Server is the table [server].
type Server struct {
	// Addresses and ports for plain FTP, which clients may upgrade with AUTH TLS. "[::]:21"
	// includes IPv4, and means "0.0.0.0:21" where the host has no IPv6.
	Listen []Address `toml:"listen"`
	// Addresses and ports for implicit TLS, such as ["[::]:990"].
	ListenTLS []Address `toml:"listen_tls"`
	// Text of the 220 reply; it may have several lines.
	Banner string `toml:"banner"`
	// Networks of load balancers. Their connections, both control connections and passive data
	// connections, must begin with a PROXY header (version 1 or 2) that names the client. From
	// any other address such a header is an invalid command.
	ProxyProtocolFrom Networks `toml:"proxy_protocol_from"`
	// Directories of the host that may be served; the kernel enforces this. If empty: /home, and
	// every home, directory and mount that this configuration names. "/" means everything but
	// /etc, /root, /boot, /dev, /proc, /run and /sys. Of these, /proc and /sys are never served,
	// and the others only if they are listed too. With "/", LIST of the directory "/" itself is
	// 550, because Landlock cannot permit it without permitting everything below it. A login
	// with a home outside the roots is refused, and the log names what to add. A file system
	// that a user has mounted with FUSE (sshfs, gocryptfs) needs the mount option allow_other:
	// without it the kernel refuses access, whatever the permissions of the files are.
	Roots []string `toml:"roots"`
	// How the kernel confines the service. "auto": with every layer that is available; the log
	// lists them at the start. "require": the service does not start unless all layers are
	// available. "log": violations are logged instead of refused, which helps to find what an
	// update needs. "off": not at all.
	Sandbox Sandbox `toml:"sandbox"`
	// How long running transfers may continue after a stop. A reload or an upgrade does not end
	// transfers.
	DrainTimeout Duration `toml:"drain_timeout"`
}

// Auth is the table [auth].
type Auth struct {
	// Where users are looked up, besides those with a password in [[user]]: "unix" (PAM and
	// system accounts), "windows", or "virtual" (nowhere else).
	Backend Backend `toml:"backend"`
	// The PAM service: the name of a file in /etc/pam.d.
	PAMService string `toml:"pam_service"`
	// Keep the PAM session open until logout, for utmp and logind; each login has a process of its
	// own until then. Otherwise it is opened and closed at login, which suffices for mkhomedir and
	// lastlog. Limits, loginuid and namespaces that PAM sets never apply to transfers.
	PAMSession bool `toml:"pam_session"`
	// System account for users that PAM accepts but the system does not know (pam_userdb,
	// pam_mysql and others). "" refuses such users.
	Guest string `toml:"guest"`
	// Users that may log in: names, or groups as "@group". If empty: all users of the backend and
	// of this configuration. Virtual and anonymous users are in no group, so a list that is not
	// empty must contain their names.
	Allow []string `toml:"allow"`
	// Users that may not log in: names, or groups as "@group". It has precedence over allow.
	Deny []string `toml:"deny"`
	// System users with a lower uid may not log in; at least 1.
	MinUID int `toml:"min_uid"`
	// The login shell of a system user must be in /etc/shells.
	RequireShell bool `toml:"require_shell"`
	// A connection is closed after this number of failed logins; at least 1.
	MaxAttempts int `toml:"max_attempts"`
	// Delay before the reply to a failed login. It is the same whether or not the user exists.
	FailureDelay Duration `toml:"failure_delay"`
}

// Anonymous is the table [anonymous].
type Anonymous struct {
	// Whether anonymous users may log in.
	Enabled bool `toml:"enabled"`
	// Directory of the host that anonymous users see as "/".
	Directory string `toml:"directory"`
	// System account as which the files of anonymous users are accessed, as run_as in [defaults].
	// It should be another account than that of virtual users, so that anonymous users cannot
	// reach files that virtual users keep private.
	RunAs string `toml:"run_as"`
	// What anonymous users may do, as in [defaults].
	Permissions Permissions `toml:"permissions"`
}

// Settings are the settings of one user: the table [defaults], and the keys that a [[group]] or
// [[user]] may override.
type Settings struct {
	// Home directory of the user on the host; {user} stands for the name. "" is the home of the
	// system account. A virtual user needs this key, because the home of the account in run_as
	// belongs to another user.
	Home string `toml:"home"`
	// FTP path in which a session starts, or "/" if that cannot be entered. "" is "/", or the home
	// if confine is false.
	StartDirectory string `toml:"start_directory"`
	// The home is the user's "/", and the user can reach nothing outside it, also not through
	// symlinks. false also needs server.roots = ["/"].
	Confine bool `toml:"confine"`
	// What the user may do: a list of words, or a preset. The user may enter a directory if
	// anything is permitted in it or below it.
	//   "list"       LIST NLST MLSD MLST STAT SIZE MDTM
	//   "read"       RETR HASH XCRC XMD5 XSHA1 XSHA256
	//   "write"      STOR and STOU of new files
	//   "overwrite"  STOR and RNTO onto existing files
	//   "append"     APPE, and REST with STOR at the end
	//   "delete"     DELE RMD
	//   "rename"     RNFR RNTO
	//   "mkdir"      MKD
	//   "chmod"      SITE CHMOD, SITE CHGRP, SITE UMASK
	//   "touch"      MFMT, MDTM with a time, SITE UTIME
	// Presets: "read-only" is list and read, "drop-box" is write and mkdir, "full" is everything.
	Permissions Permissions `toml:"permissions"`
	// Mask of the permission bits of new files and directories, in octal.
	Umask Mode `toml:"umask"`
	// System account as which the files of a virtual user are accessed, with the groups that the
	// account has at login. It may be below auth.min_uid, such as www-data, but not root. Only
	// their homes separate users of the same account, so none of these homes may contain
	// another. "" is for a server without impersonation, which runs as an ordinary user and has
	// auth.backend = "virtual".
	RunAs string `toml:"run_as"`
	// Bytes per second that one session may download, including listings; 0 is unlimited. Of all
	// rates that apply, the lowest decides.
	SessionDownloadRate Rate `toml:"session_download_rate"`
	// Bytes per second that one session may upload; 0 is unlimited.
	SessionUploadRate Rate `toml:"session_upload_rate"`
	// Bytes per second that all sessions of one user together may download; 0 is unlimited. All
	// anonymous sessions count as sessions of one user.
	UserDownloadRate Rate `toml:"user_download_rate"`
	// Bytes per second that all sessions of one user together may upload; 0 is unlimited.
	UserUploadRate Rate `toml:"user_upload_rate"`
	// Sessions of one user at one time; 0 is unlimited.
	MaxSessions int `toml:"max_sessions"`
	// Largest size of a file after an upload, in bytes; 0 is unlimited. A larger upload ends with
	// 552. The part that fits is kept, as after every incomplete upload.
	MaxFileSize Size `toml:"max_file_size"`
	// For what TLS is required. "auto": as "login" if a certificate is set, else as "off" with a
	// warning at each start. "off": for nothing. "login": for the password. "all": also for data
	// connections.
	RequireTLS RequireTLS `toml:"require_tls"`
	// Networks from which the user may log in; empty is any.
	AllowFrom Networks `toml:"allow_from"`
	// Text of the 230 reply.
	LoginMessage string `toml:"login_message"`
	// Text of the 221 reply.
	QuitMessage string `toml:"quit_message"`
	// Create a missing home at login, owned by the user and with the umask. All directories above
	// it must belong to root and must not be writable by other users.
	CreateHome bool `toml:"create_home"`
	// LIST and MLSD show "ftp" as the owner and group of every file.
	HideOwners bool `toml:"hide_owners"`
}

// A Group is one [[group]].
type Group struct {
	// The name of the system group. Virtual and anonymous users are in no group, whatever their
	// run_as is.
	Name string `toml:"name"`
	Override
}

// A User is one [[user]].
type User struct {
	// The name with which the user logs in.
	Name string `toml:"name"`
	// Hash of the password (bcrypt, argon2id, yescrypt, sha512-crypt or sha256-crypt), printed by
	// `ftpd passwd`. It makes the user a virtual user.
	Password Hash `toml:"password"`
	Override
}

// An Override holds the keys that [[group]] and [[user]] have in common. Of its settings, only
// those in Set are valid.
type Override struct {
	Settings
	// Set lists the keys that the file sets, including "disabled" and "expires", in the order of
	// the fields.
	Set []string `toml:"-"`
	// true refuses all logins.
	Disabled bool `toml:"disabled"`
	// The last day (UTC) on which the user may log in.
	Expires Date `toml:"expires"`
	// Permissions for a subtree. The rule with the longest matching path applies.
	Rules []Rule `toml:"rule"`
	// Another directory of the host, shown inside the user's tree. A symlink cannot replace it,
	// because it cannot lead out of a confined home.
	Mounts []Mount `toml:"mount"`
}

// A Rule sets the permissions of a subtree.
type Rule struct {
	// FTP path of the subtree. The rule also holds for each other spelling that the file system
	// takes for the same path. If the path leads through a symlink, the rule holds for what the
	// link leads to at the login, under both names.
	Path string `toml:"path"`
	// What the user may do there.
	Permissions Permissions `toml:"permissions"`
}

// A Mount shows a directory of the host inside a user's tree.
type Mount struct {
	// FTP path at which the directory is shown.
	Path string `toml:"path"`
	// The directory of the host; {user} stands for the name.
	Directory string `toml:"directory"`
	// What the user may do there. Without this key, the permissions of the path apply.
	Permissions Permissions `toml:"permissions"`
	Inherit     bool        `toml:"-"` // the file sets no permissions
}

// Limits is the table [limits].
type Limits struct {
	// Sessions at one time; further clients receive 421. 0 is unlimited.
	MaxSessions int `toml:"max_sessions"`
	// Sessions from one address at one time; an IPv6 /64 counts as one address. 0 is unlimited.
	MaxSessionsPerIP int `toml:"max_sessions_per_ip"`
	// Sessions at one time in which no user has logged in; a session does not count while its
	// password is checked. When this number is reached, the next client takes the place of the
	// session that has been silent longest, in the network that has most of these sessions; that
	// session ends with 421. "auto" is three quarters of the sessions that max_sessions leaves free
	// beside those of logged-in users, but at least 10. 0 is unlimited.
	MaxUnauthenticated Count `toml:"max_unauthenticated"`
	// A client that has not logged in after this time is disconnected. "0s" switches this and each
	// of the following timeouts off.
	LoginTimeout Duration `toml:"login_timeout"`
	// A session without a command for this time, outside transfers, is ended. SITE IDLE shortens
	// it for one session.
	IdleTimeout Duration `toml:"idle_timeout"`
	// A transfer that moves no byte for this time is aborted, and its session ends with 421.
	StallTimeout Duration `toml:"stall_timeout"`
	// How long the server waits for the data connection of a passive client, or for its own
	// connection to an active client.
	ConnectTimeout Duration `toml:"connect_timeout"`
	// Bytes per second that all sessions together may download; 0 is unlimited.
	DownloadRate Rate `toml:"download_rate"`
	// Bytes per second that all sessions together may upload; 0 is unlimited.
	UploadRate Rate `toml:"upload_rate"`
	// While the file system has less free space, uploads are refused and running uploads are ended
	// (452). 0 is off.
	MinFreeSpace Size `toml:"min_free_space"`
}

// Ban is the table [ban].
type Ban struct {
	// Failed logins of one user name from one address (an IPv6 /64 counts as one address). After
	// them this user name receives 530 at this address. 0 switches the rule off, as in the next
	// two keys.
	Failures int `toml:"failures"`
	// Failed logins from one address, with any user names. After them the address receives 421.
	AddressFailures int `toml:"address_failures"`
	// Commands within one second in all sessions of one address. Above this rate the address
	// receives 421.
	CommandsPerSecond int `toml:"commands_per_second"`
	// Failures are counted for this time, beginning with the first one.
	Window Duration `toml:"window"`
	// How long a ban lasts.
	Duration Duration `toml:"duration"`
	// Networks that are never banned. The loopback ("127.0.0.0/8", "::1") is in none, so that users of
	// this host cannot guess passwords.
	Exempt Networks `toml:"exempt"`
}

// Data is the table [data].
type Data struct {
	// PASV and EPSV: the client connects to the server.
	Passive bool `toml:"passive"`
	// PORT and EPRT: the server connects to the client.
	Active bool `toml:"active"`
	// Ports of passive data connections, such as "50000-50999". When all are busy, no others are
	// used (425). "" is the ephemeral range of the system. A wide range is safer: without TLS,
	// another client with the same address may guess the port.
	PassivePorts PortRange `toml:"passive_ports"`
	// Local port of active data connections; 20 for old firewalls, 0 for any. With a fixed port, a
	// client that uses the same port of its own again within a minute may receive 425.
	ActivePort int `toml:"active_port"`
	// Networks, besides the address of the client, to and from which data connections are
	// permitted (FXP).
	ForeignNetworks Networks `toml:"foreign_networks"`
	// PORT and EPRT may name ports below 1024.
	AllowPrivilegedPorts bool `toml:"allow_privileged_ports"`
	// Send files with sendfile(2). false helps where a network file system does not support it
	// properly.
	Sendfile bool `toml:"sendfile"`
}

// NAT is the table [nat].
type NAT struct {
	// IPv4 address or host name for PASV replies. A name is looked up every minute; if a lookup
	// fails, the last address is used.
	PublicAddress string `toml:"public_address"`
	// The same for each local address to which clients connect:
	// { "10.0.0.5" = "203.0.113.7" }. It has precedence over public_address.
	PublicAddresses map[netip.Addr]string `toml:"public_addresses"`
	// Clients in these networks receive the local address. EPSV needs none of these keys, because
	// its reply contains no address.
	LocalNetworks Networks `toml:"local_networks"`
}

// TLS is the table [tls].
type TLS struct {
	// PEM file with the certificate of the server and the intermediate certificates. It may
	// contain the key, too. Both files are read again when they change, without a restart. A
	// certificate and a key that do not match are not used.
	Certificate string `toml:"certificate"`
	// PEM file with the key, without a passphrase. "" means that the key is in the file of the
	// certificate.
	Key string `toml:"key"`
	// Oldest version of TLS that is permitted: "1.2" or "1.3".
	MinVersion TLSVersion `toml:"min_version"`
	// PEM file with the authorities that sign the certificates of clients, for client_auth. It is
	// read at a start.
	ClientCA string `toml:"client_ca"`
	// Whether clients must present a certificate: "off" (the server does not request one),
	// "optional" or "required". A certificate does not replace the password. A data connection
	// must present the certificate of its control connection, or resume its TLS session.
	ClientAuth ClientAuth `toml:"client_auth"`
	// Whether data connections must resume the TLS session of their control connection, which
	// proves that both come from the same client.
	//   "require"  others are refused with 522: ftplib, ftputil, Net::FTP, commons-net, Mono, curl
	//              over TLS 1.2 or with -Z; and clients that use each ticket once (curl) at the
	//              transfer after an upload
	//   "prefer"   it is offered but not required; the log names and counts the clients that
	//              "require" would refuse (not_resumed)
	//   "off"      never; each data connection makes a full handshake, and FileZilla warns its user
	SessionReuse SessionReuse `toml:"session_reuse"`
	// Networks of clients that need not resume the session where "require" is set.
	SessionReuseExempt Networks `toml:"session_reuse_exempt"`
}

// Files is the table [files].
type Files struct {
	// LIST and STAT show times in UTC; false shows local times. MDTM, MFMT and MLSD always use UTC
	// (RFC 3659).
	UTCTimes bool `toml:"utc_times"`
	// An upload appears under its name only when it is complete.
	AtomicUploads bool `toml:"atomic_uploads"`
	// Send the 226 reply only after the file is on stable storage.
	SyncUploads bool `toml:"sync_uploads"`
	// Which uploads appear under their name, with atomic_uploads: "always", or "complete" (only
	// uploads that are known to be complete).
	Publish Publish `toml:"publish"`
	// Patterns of names, such as ".ht*", that cannot be listed, reached or created. Where the file
	// system ignores case, the patterns ignore it too.
	Hide []string `toml:"hide"`
}

// Log is the table [log].
type Log struct {
	// Least important level that is logged: "debug", "info", "warn" or "error".
	Level LogLevel `toml:"level"`
	// "console", "json", or "auto" (console on a terminal, else json).
	Format LogFormat `toml:"format"`
	// Path of the log file. "" is standard error, which is the journal under systemd. The file is
	// opened again after it was rotated. The file and the directories above it must belong to root
	// (or the account that runs the service), and must not be writable by others.
	File string `toml:"file"`
	// Path of a file that records transfers in the format of xferlog(5); "" is none. It has the
	// conditions of log.file.
	TransferLog string `toml:"transfer_log"`
}

// Admin is the table [admin].
type Admin struct {
	// Path of the socket for `ftpd who`, `ftpd kick` and `ftpd reload`. root and the members of
	// the group ftpd-admin may use it.
	Socket string `toml:"socket"`
	// Address and port, such as "127.0.0.1:9121", for Prometheus /metrics, /healthz and a status
	// page; "" is none.
	Metrics string `toml:"metrics"`
}

// A Hook is one [[hook]].
type Hook struct {
	// Events: connect (if the program fails, the client is refused), login, login_failed, logout,
	// upload, upload_incomplete, download, download_incomplete.
	On []HookEvent `toml:"on"`
	// The program and its arguments. {event} {user} {ip} {session} {path} (of the host)
	// {virtual_path} {bytes} {seconds} and {verdict} are replaced in each argument. The program
	// also has them as FTPD_EVENT, FTPD_USER and so on in its environment.
	Command []string `toml:"command"`
	// Account as which the program runs. "" is the user of the session, or "nobody" before the
	// login. It is root only if this key is "root".
	RunAs string `toml:"run_as"`
	// The program is ended after this time.
	Timeout Duration `toml:"timeout"`
}

// A Site is one [[site]].
type Site struct {
	// The word after SITE.
	Name string `toml:"name"`
	// The program and its arguments. {path} is the argument that the client sent, resolved in the
	// user's tree; {arg} is the argument unchanged.
	Command []string `toml:"command"`
	// The permission that the user needs at the path, such as "delete".
	Permission Permissions `toml:"permission"`
	// Text of HELP SITE.
	Help string `toml:"help"`
	// The program is ended after this time.
	Timeout Duration `toml:"timeout"`
}

// A Host is one [[host]].
type Host struct {
	// The host name that the client requests.
	Name string `toml:"name"`
	// Text of the 220 reply; "" is server.banner.
	Banner string `toml:"banner"`
	// PEM file, as in [tls], which must have a certificate as well. "" is the certificate of
	// [tls].
	Certificate string `toml:"certificate"`
	// PEM file, as in [tls].
	Key string `toml:"key"`
}

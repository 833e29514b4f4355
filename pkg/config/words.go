package config

import (
	"fmt"
	"slices"
	"strings"
)

// Each key with a fixed choice of words has its own type with the method choices. The empty word
// means "not set" in an override; it is not valid in a file.

// Backend is the place where users are looked up, besides the configuration.
type Backend string

const (
	BackendUnix    Backend = "unix"    // PAM and system accounts
	BackendWindows Backend = "windows" // Windows logon
	BackendVirtual Backend = "virtual" // none: only [[user]] with a password
)

// Sandbox is how the kernel confines the service.
type Sandbox string

const (
	SandboxAuto    Sandbox = "auto"    // every layer that is available
	SandboxRequire Sandbox = "require" // no start without all layers
	SandboxLog     Sandbox = "log"     // report instead of refusing
	SandboxOff     Sandbox = "off"
)

// RequireTLS is the use for which TLS is required.
type RequireTLS string

const (
	RequireTLSAuto  RequireTLS = "auto"  // as login if a certificate is set, else as off
	RequireTLSOff   RequireTLS = "off"   // nothing
	RequireTLSLogin RequireTLS = "login" // the password
	RequireTLSAll   RequireTLS = "all"   // the password and data connections
)

// TLSVersion is the oldest version of TLS that is permitted.
type TLSVersion string

const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// ClientAuth is whether clients must present a certificate.
type ClientAuth string

const (
	ClientAuthOff      ClientAuth = "off"
	ClientAuthOptional ClientAuth = "optional"
	ClientAuthRequired ClientAuth = "required"
)

// SessionReuse is whether data connections must resume the TLS session of the control
// connection.
type SessionReuse string

const (
	SessionReuseRequire SessionReuse = "require" // others are refused
	SessionReusePrefer  SessionReuse = "prefer"  // offered and counted
	SessionReuseOff     SessionReuse = "off"
)

// Publish is which uploads appear under their name.
type Publish string

const (
	PublishAlways   Publish = "always"
	PublishComplete Publish = "complete" // only uploads that are known to be complete
)

// LogLevel is the least important level that is logged.
type LogLevel string

const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// LogFormat is the format of log records.
type LogFormat string

const (
	LogConsole LogFormat = "console"
	LogJSON    LogFormat = "json"
	LogAuto    LogFormat = "auto" // console on a terminal, else json
)

// HookEvent is an event at which a hook may run.
type HookEvent string

const (
	OnConnect            HookEvent = "connect"
	OnLogin              HookEvent = "login"
	OnLoginFailed        HookEvent = "login_failed"
	OnLogout             HookEvent = "logout"
	OnUpload             HookEvent = "upload"
	OnUploadIncomplete   HookEvent = "upload_incomplete"
	OnDownload           HookEvent = "download"
	OnDownloadIncomplete HookEvent = "download_incomplete"
)

func (Backend) choices() []string { return words(BackendUnix, BackendWindows, BackendVirtual) }
func (Sandbox) choices() []string {
	return words(SandboxAuto, SandboxRequire, SandboxLog,
		SandboxOff)
}
func (TLSVersion) choices() []string { return words(TLS12, TLS13) }
func (Publish) choices() []string    { return words(PublishAlways, PublishComplete) }
func (LogLevel) choices() []string   { return words(LogDebug, LogInfo, LogWarn, LogError) }
func (LogFormat) choices() []string  { return words(LogAuto, LogConsole, LogJSON) }
func (RequireTLS) choices() []string {
	return words(RequireTLSAuto, RequireTLSOff, RequireTLSLogin, RequireTLSAll)
}
func (ClientAuth) choices() []string {
	return words(ClientAuthOff, ClientAuthOptional, ClientAuthRequired)
}
func (SessionReuse) choices() []string {
	return words(SessionReuseRequire, SessionReusePrefer, SessionReuseOff)
}
func (HookEvent) choices() []string {
	return words(OnConnect, OnLogin, OnLoginFailed, OnLogout, OnUpload, OnUploadIncomplete,
		OnDownload, OnDownloadIncomplete)
}

func (b *Backend) UnmarshalText(text []byte) error      { return choose(b, text) }
func (s *Sandbox) UnmarshalText(text []byte) error      { return choose(s, text) }
func (r *RequireTLS) UnmarshalText(text []byte) error   { return choose(r, text) }
func (v *TLSVersion) UnmarshalText(text []byte) error   { return choose(v, text) }
func (c *ClientAuth) UnmarshalText(text []byte) error   { return choose(c, text) }
func (s *SessionReuse) UnmarshalText(text []byte) error { return choose(s, text) }
func (p *Publish) UnmarshalText(text []byte) error      { return choose(p, text) }
func (l *LogLevel) UnmarshalText(text []byte) error     { return choose(l, text) }
func (f *LogFormat) UnmarshalText(text []byte) error    { return choose(f, text) }
func (e *HookEvent) UnmarshalText(text []byte) error    { return choose(e, text) }

// A choice is a type with a fixed set of words.
type choice interface {
	~string
	choices() []string
}

func words[T ~string](ws ...T) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = string(w)
	}
	return out
}

// choose sets dst to text, which must be one of its words or empty.
func choose[T choice](dst *T, text []byte) error {
	allowed := (*dst).choices()
	if len(text) > 0 && !slices.Contains(allowed, string(text)) {
		return notAmong(string(text), allowed)
	}
	*dst = T(text)
	return nil
}

// notAmong returns the error for a word that is not allowed. It names the most similar one of
// more than four allowed words, or else all of them.
func notAmong(word string, allowed []string) error {
	if near := Nearest(word, allowed); near != "" && len(allowed) > 4 {
		return fmt.Errorf("%q is not known; did you mean %q?", word, near)
	}
	return fmt.Errorf("%q is not one of \"%s\"", word, strings.Join(allowed, `", "`))
}

//go:build linux

package tests

const later = "not supported yet"

// laterKeys have values that are refused, so that nobody takes them for honoured.
var laterKeys = []keyRow{
	{key: "server.sandbox", never: `"require"`, why: later},
	{key: "server.sandbox", never: `"log"`, why: later},
	{key: "auth.backend", never: `"windows"`, why: later},
	{key: "auth.pam_session", never: `true`, why: later},
	{key: "files.atomic_uploads", never: `true`, why: later},
	{key: "files.sync_uploads", never: `true`, why: later},
	{key: "files.publish", never: `"complete"`, why: later},
	{key: "admin.metrics", never: `"127.0.0.1:9121"`, why: later},
	{key: "hook.on", never: `["login"]`, why: later},
	{key: "hook.command", never: `["/bin/false"]`, why: later},
	{key: "hook.run_as", never: `"nobody"`, why: later},
	{key: "hook.timeout", never: `"1s"`, why: later},
	{key: "site.name", never: `"RMTREE"`, why: later},
	{key: "site.command", never: `["/bin/false"]`, why: later},
	{key: "site.permission", never: `"write"`, why: later},
	{key: "site.help", never: `"Syntax: SITE RMTREE <path>"`, why: later},
	{key: "site.timeout", never: `"1s"`, why: later},
}

//go:build linux

package tests

const later = "not supported yet"

// laterKeys have values that are refused because the service does not honour them yet.
var laterKeys = []keyRow{
	{key: "server.sandbox", unsupportedValue: `"require"`, unsupportedReason: later},
	{key: "server.sandbox", unsupportedValue: `"log"`, unsupportedReason: later},
	{key: "auth.backend", unsupportedValue: `"windows"`, unsupportedReason: later},
	{key: "files.atomic_uploads", unsupportedValue: `true`, unsupportedReason: later},
	{key: "files.sync_uploads", unsupportedValue: `true`, unsupportedReason: later},
	{key: "files.publish", unsupportedValue: `"complete"`, unsupportedReason: later},
	{key: "admin.metrics", unsupportedValue: `"127.0.0.1:9121"`, unsupportedReason: later},
	{key: "hook.on", unsupportedValue: `["login"]`, unsupportedReason: later},
	{key: "hook.command", unsupportedValue: `["/bin/false"]`, unsupportedReason: later},
	{key: "hook.run_as", unsupportedValue: `"nobody"`, unsupportedReason: later},
	{key: "hook.timeout", unsupportedValue: `"1s"`, unsupportedReason: later},
	{key: "site.name", unsupportedValue: `"RMTREE"`, unsupportedReason: later},
	{key: "site.command", unsupportedValue: `["/bin/false"]`, unsupportedReason: later},
	{key: "site.permission", unsupportedValue: `"write"`, unsupportedReason: later},
	{
		key:              "site.help",
		unsupportedValue: `"Syntax: SITE RMTREE <path>"`, unsupportedReason: later,
	},
	{key: "site.timeout", unsupportedValue: `"1s"`, unsupportedReason: later},
}

package core

import (
	"context"
	"strings"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/listing"
)

// A command is the table entry of one command; dispatch, HELP and FEAT read it.
type command struct {
	run    func(*Session, context.Context, string) (Reply, error) // nil: known but absent (502)
	arg    argRule
	login  bool   // only after login (530)
	during bool   // also while a transfer runs, without a pathname
	access bool   // changes the logged-in user
	long   bool   // starts a job that is neither a login nor a transfer
	data   bool   // uses the prepared data connection
	path   bool   // the argument is a pathname, or holds one
	log    bool   // also a success is logged
	secret bool   // the argument is never logged; it is in Session.attempt, not passed to run
	help   string // "RETR <SP> pathname"
	feat   string // its lines in FEAT, if any, with a semicolon in between
	verb   string // its key in the table

	name func(arg string) string // finds the pathname in the argument; nil: the whole argument
}

type argRule uint8

const (
	noArg argRule = iota
	optionalArg
	needArg
)

// commands returns the table of every command. HELP reads the table, so a variable would be an
// initialization cycle.
func commands() ftpwire.Table[command] {
	table := ftpwire.Table[command]{
		// Access (RFC 959 §4.1.1)
		"USER": {
			run: (*Session).userName, arg: needArg, during: true, access: true,
			help: "USER <SP> username",
		},
		"PASS": {
			run: (*Session).pass, arg: optionalArg, secret: true, help: "PASS [<SP> password]",
		},
		"REIN": {
			run: (*Session).rein, login: true, during: true, access: true, log: true,
			help: "REIN",
		},
		"QUIT": {run: (*Session).quit, during: true, help: "QUIT"},
		"HOST": {run: (*Session).hostName, arg: needArg, help: "HOST <SP> hostname", feat: "HOST"},

		// TLS (RFC 2228, RFC 4217)
		"AUTH": {
			run: (*Session).authTLS, arg: needArg, long: true, help: "AUTH <SP> TLS | SSL",
			feat: "AUTH TLS;AUTH SSL",
		},
		"PBSZ": {run: (*Session).pbsz, arg: needArg, help: "PBSZ <SP> 0", feat: "PBSZ"},
		"PROT": {run: (*Session).prot, arg: needArg, help: "PROT <SP> P | C", feat: "PROT"},
		"CCC":  {run: (*Session).ccc, help: "CCC"},

		// Directories
		"CWD": {
			run: (*Session).cwd, arg: optionalArg, login: true, path: true, log: true,
			help: "CWD [<SP> pathname]",
		},
		"CDUP": {run: (*Session).cdup, login: true, help: "CDUP"},
		"PWD":  {run: (*Session).pwd, login: true, help: "PWD"},
		"MKD": {
			run: (*Session).mkd, arg: needArg, login: true, path: true, log: true,
			help: "MKD <SP> pathname",
		},
		"RMD": {
			run: (*Session).rmd, arg: needArg, login: true, path: true, log: true,
			help: "RMD <SP> pathname",
		},

		// Transfer parameters (RFC 959 §4.1.2, RFC 2428, RFC 2389)
		"TYPE": {
			run: (*Session).typeCode, arg: needArg, login: true,
			help: "TYPE <SP> A | I | L <SP> 7 | L <SP> 8",
		},
		"MODE": {run: (*Session).mode, arg: needArg, login: true, help: "MODE <SP> S"},
		"STRU": {run: (*Session).stru, arg: needArg, login: true, help: "STRU <SP> F"},
		"PASV": {run: (*Session).pasv, login: true, help: "PASV"},
		"EPSV": {
			run: (*Session).epsv, arg: optionalArg, login: true,
			help: "EPSV [<SP> 1 | 2 | ALL]", feat: "EPSV",
		},
		"PORT": {
			run: (*Session).port, arg: needArg, login: true,
			help: "PORT <SP> h1,h2,h3,h4,p1,p2",
		},
		"EPRT": {
			run: (*Session).eprt, arg: needArg, login: true,
			help: "EPRT <SP> |family|address|port|", feat: "EPRT",
		},
		"REST": {
			run: (*Session).rest, arg: needArg, login: true, help: "REST <SP> bytes",
			feat: "REST STREAM",
		},
		"OPTS": {
			run: (*Session).opts, arg: needArg,
			help: "OPTS <SP> UTF8 <SP> ON | MLST [<SP> fact;...] | HASH [<SP> algorithm]",
		},
		"OPTS UTF8":  {run: (*Session).optsUTF8, arg: optionalArg, help: "OPTS UTF8 [<SP> ON]"},
		"OPTS UTF-8": {run: (*Session).optsUTF8, arg: optionalArg, help: "OPTS UTF-8 [<SP> ON]"},
		"OPTS MLST": {
			run: (*Session).optsMLST, arg: optionalArg, help: "OPTS MLST [<SP> fact;...]",
		},
		"OPTS HASH": {
			run: (*Session).optsHASH, arg: optionalArg, help: "OPTS HASH [<SP> algorithm]",
		},

		// Transfers (RFC 959 §4.1.3)
		"RETR": {
			run: (*Session).retr, arg: needArg, login: true, data: true, path: true,
			help: "RETR <SP> pathname",
		},
		"STOR": {
			run: (*Session).stor, arg: needArg, login: true, data: true, path: true,
			help: "STOR <SP> pathname",
		},
		"APPE": {
			run: (*Session).appe, arg: needArg, login: true, data: true, path: true,
			help: "APPE <SP> pathname",
		},
		"STOU": {
			run: (*Session).stou, arg: optionalArg, login: true, data: true, path: true,
			help: "STOU [<SP> pathname]",
		},
		"ALLO": {run: (*Session).allo, arg: needArg, login: true, help: "ALLO <SP> bytes"},
		"ABOR": {run: (*Session).abor, login: true, during: true, help: "ABOR"},
		"LIST": {
			run: (*Session).list, arg: optionalArg, login: true, data: true, path: true,
			name: listing.BehindOptions, help: "LIST [<SP> pathname]",
		},
		"NLST": {
			run: (*Session).nlst, arg: optionalArg, login: true, data: true, path: true,
			name: listing.BehindOptions, help: "NLST [<SP> pathname]",
		},
		"MLSD": {
			run: (*Session).mlsd, arg: optionalArg, login: true, data: true, path: true,
			help: "MLSD [<SP> pathname]",
		},
		"MLST": {
			run: (*Session).mlst, arg: optionalArg, login: true, path: true,
			help: "MLST [<SP> pathname]", feat: "MLST",
		},

		// Files (RFC 959 §4.1.3, RFC 3659)
		"SIZE": {
			run: (*Session).size, arg: needArg, login: true, path: true,
			help: "SIZE <SP> pathname", feat: "SIZE",
		},
		"MDTM": {
			run: (*Session).mdtm, arg: needArg, login: true, path: true, name: ftpwire.MDTMPath,
			help: "MDTM [<SP> YYYYMMDDhhmmss] <SP> pathname", feat: "MDTM",
		},
		"MFMT": {
			run: (*Session).mfmt, arg: needArg, login: true, path: true, name: behindWord,
			log: true, help: "MFMT <SP> YYYYMMDDhhmmss <SP> pathname", feat: "MFMT",
		},
		"HASH": {
			run: (*Session).hash, arg: needArg, login: true, long: true, path: true,
			help: "HASH <SP> pathname", feat: "HASH",
		},
		"DELE": {
			run: (*Session).dele, arg: needArg, login: true, path: true, log: true,
			help: "DELE <SP> pathname",
		},
		"RNFR": {
			run: (*Session).rnfr, arg: needArg, login: true, path: true, log: true,
			help: "RNFR <SP> pathname",
		},
		"RNTO": {
			run: (*Session).rnto, arg: needArg, login: true, path: true, log: true,
			help: "RNTO <SP> pathname",
		},

		// Information (RFC 959 §4.1.3, RFC 2389)
		"SYST": {run: (*Session).syst, help: "SYST"},
		"FEAT": {run: (*Session).feat, help: "FEAT"},
		"HELP": {run: (*Session).help, arg: optionalArg, help: "HELP [<SP> command]"},
		"NOOP": {run: (*Session).noop, during: true, help: "NOOP"},
		"CLNT": {run: (*Session).clnt, arg: needArg, help: "CLNT <SP> name", feat: "CLNT"},
		"STAT": {
			run: (*Session).stat, arg: optionalArg, during: true, path: true,
			name: listing.BehindOptions, help: "STAT [<SP> pathname]",
		},

		// Commands that are in no RFC
		"SITE": {run: (*Session).site, arg: needArg, help: "SITE <SP> command"},
		"SITE HELP": {
			run: (*Session).siteHelp, arg: optionalArg, help: "SITE HELP [<SP> command]",
		},
		"SITE CHMOD": {
			run: (*Session).siteChmod, arg: needArg, login: true, path: true, name: behindWord,
			log: true, help: "SITE CHMOD <SP> mode <SP> pathname",
		},
		"SITE CHGRP": {
			run: (*Session).siteChgrp, arg: needArg, login: true, path: true, name: behindWord,
			log: true, help: "SITE CHGRP <SP> group <SP> pathname",
		},
		"SITE UTIME": {
			run: (*Session).siteUtime, arg: needArg, login: true, path: true, name: ftpwire.UtimePath,
			log: true, help: "SITE UTIME <SP> YYYYMMDDhhmmss <SP> pathname",
		},
		"SITE UMASK": {
			run: (*Session).siteUmask, arg: optionalArg, login: true, log: true,
			help: "SITE UMASK [<SP> mask]",
		},
		"SITE IDLE": {
			run: (*Session).siteIdle, arg: optionalArg, login: true,
			help: "SITE IDLE [<SP> seconds]",
		},
	}
	// The names that RFC 775 gave to these commands; Windows' ftp.exe sends XPWD.
	for old, now := range map[string]string{
		"XCWD": "CWD", "XCUP": "CDUP", "XPWD": "PWD", "XMKD": "MKD", "XRMD": "RMD",
	} {
		c := *table[now]
		c.help = old + strings.TrimPrefix(c.help, now)
		table[old] = &c
	}
	for verb, algorithm := range map[string]string{
		"XCRC": "CRC32", "XMD5": "MD5", "XSHA1": "SHA-1", "XSHA256": "SHA-256",
	} {
		table[verb] = &command{run: digestOf(verb, algorithm), arg: needArg, login: true,
			long: true, path: true, name: partPath,
			help: verb + " <SP> pathname [<SP> start [<SP> end]]", feat: verb}
	}
	for verb := range strings.FieldsSeq(absent) {
		table[verb] = &command{}
	}
	table["ACCT"].secret = true
	for verb, c := range table {
		c.verb = verb
	}
	return table
}

// absent lists commands that are known from the RFCs, or from other servers, and are not
// implemented.
const absent = `ACCT ADAT AVBL COMB CONF CSID DSIZ ENC ESTP LANG LPRT LPSV MAIL MFCT MFF MIC
	MLFL MRCP MRSQ MSAM MSND MSOM OPEN RANG SMNT SPSV THMB XRCP XRSQ XSEM XSEN XSHA
	XSHA512`

// now reports whether a command runs while a transfer goes on.
func (c *command) now(arg []byte) bool { return c.during && !(c.path && len(arg) > 0) }

// pathname returns the pathname in the argument.
func (c *command) pathname(arg string) string {
	if c.name != nil {
		return c.name(arg)
	}
	return arg
}

// withoutTLS makes the commands of TLS absent.
func withoutTLS(table ftpwire.Table[command]) {
	for _, verb := range []string{"AUTH", "PBSZ", "PROT", "CCC"} {
		table[verb] = &command{verb: verb}
	}
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

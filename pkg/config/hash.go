package config

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// A Hash is a password hash in the form that `ftpd passwd` prints. It is printed as *** by every
// verb of package fmt.
type Hash string

// hashKinds are the kinds of password hashes. A hash contains the cost of its check, so this
// cost is bounded: a client that has the name of a user whose hash takes minutes, or all memory,
// could stop the service by logging in. Within the bounds, a check takes at most about five
// seconds of a processor and 1 GiB.
var hashKinds = []struct {
	name   string
	prefix *regexp.Regexp
	form   *regexp.Regexp // of the whole hash; its groups are the cost parameters
	cheap  func(cost []int) bool
	bound  string // in words
}{
	{ // The three prefixes have historical reasons only.
		name:   "bcrypt",
		prefix: regexp.MustCompile(`^\$2[aby]\$`),
		form:   regexp.MustCompile(`^\$2[aby]\$(0[4-9]|[1-9][0-9])\$[./0-9A-Za-z]{53}$`),
		cheap:  func(cost []int) bool { return cost[0] <= 16 },
		bound:  "a cost of 16",
	},
	{ // Memory in KiB, passes, lanes; salt and hash in base64 (RFC 9106, as its reference program).
		name:   "argon2id",
		prefix: regexp.MustCompile(`^\$argon2id\$`),
		form: regexp.MustCompile(`^\$argon2id\$v=19` +
			`\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,9})` +
			`\$[+/0-9A-Za-z]{11,86}\$[+/0-9A-Za-z]{22,86}$`),
		cheap: func(cost []int) bool {
			return cost[0] <= 1<<20 && cost[1] <= 64 && cost[0]*cost[1] <= 1<<22 && cost[2] <= 255
		},
		bound: "m=1048576, t=64, p=255, and m times t 4194304",
	},
	{ // The cost parameters that libxcrypt uses, which are 1 GiB at most.
		name:   "yescrypt",
		prefix: regexp.MustCompile(`^\$y\$`),
		form: regexp.MustCompile(`^\$y\$j[7-9A-F][./0-9A-T]` +
			`\$[./0-9A-Za-z]{2,86}\$[./0-9A-Za-z]{43}$`),
	},
	{
		name:   "sha512-crypt",
		prefix: regexp.MustCompile(`^\$6\$`),
		form: regexp.MustCompile(`^\$6\$(?:rounds=([1-9][0-9]{0,9})\$)?` +
			`[^$:]{0,16}\$[./0-9A-Za-z]{86}$`),
		cheap: fewRounds,
		bound: "rounds=5000000",
	},
	{
		name:   "sha256-crypt",
		prefix: regexp.MustCompile(`^\$5\$`),
		form: regexp.MustCompile(`^\$5\$(?:rounds=([1-9][0-9]{0,9})\$)?` +
			`[^$:]{0,16}\$[./0-9A-Za-z]{43}$`),
		cheap: fewRounds,
		bound: "rounds=5000000",
	},
}

func fewRounds(cost []int) bool { return len(cost) == 0 || cost[0] <= 5000000 }

// Kind returns the name of the hash function: bcrypt, argon2id, yescrypt, sha512-crypt or
// sha256-crypt, or "" if it is none of them.
func (h Hash) Kind() string {
	for _, k := range hashKinds {
		if k.prefix.MatchString(string(h)) {
			return k.name
		}
	}
	return ""
}

// UnmarshalText refuses text that is no hash of the five kinds, is damaged, or costs too much to
// check. Its errors do not contain the text, which may be a password.
func (h *Hash) UnmarshalText(text []byte) error {
	if err := checkHash(string(text)); err != nil {
		return err
	}
	*h = Hash(text)
	return nil
}

func checkHash(text string) error {
	if text == "" {
		return nil
	}
	for _, k := range hashKinds {
		if !k.prefix.MatchString(text) {
			continue
		}
		parts := k.form.FindStringSubmatch(text)
		if parts == nil {
			return fmt.Errorf("this %s hash is damaged, or of a form that is not known here; "+
				"`ftpd passwd` makes one", k.name)
		}
		if k.cheap != nil && !k.cheap(numbers(parts[1:])) {
			return fmt.Errorf("this %s hash costs too much to check: %s at most", k.name, k.bound)
		}
		return nil
	}
	return errors.New("this is not a password hash (bcrypt, argon2id, yescrypt, sha512-crypt " +
		"or sha256-crypt); `ftpd passwd` makes one")
}

// numbers returns the values of texts, which are empty or have up to ten digits. It omits empty
// ones.
func numbers(texts []string) []int {
	var out []int
	for _, text := range texts {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			out = append(out, int(min(n, 1<<30)))
		}
	}
	return out
}

// Format prints *** for every verb, so that no log and no error shows a hash.
func (h Hash) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

func (h Hash) String() string { return "***" }

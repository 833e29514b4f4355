package auth

import (
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// foreign are hashes of "pä ss" made by other programs: mkpasswd(1) of libxcrypt,
// openssl-passwd(1), argon2(1), and htpasswd for $2y$.
var foreign = []config.Hash{
	"$2b$05$6mqNGMJrXtIrRSDy7Uyo5ehEjABpsezqC5JS.LMjgjN2j9NhWK2yW",
	"$2y$05$6mqNGMJrXtIrRSDy7Uyo5ehEjABpsezqC5JS.LMjgjN2j9NhWK2yW",
	"$y$j9T$O2XgJ5KM5gFHQo1xg.HFQ0$OKLzsxnVqYLWIxAAnYtdWm0YEaCCxrkNk5KMWAl/502",
	"$6$d5cUf2UN2YF9WVs4$HwQeqDU/7D/5oNEsdlHB2g2KY3ns0QclyiT3SDdIGou" +
		"rqvggK4h/cZ7nGfq/LxtSQH1RsovriTc9SCq.ya4dz1",
	"$5$QIcokszD0zIN6XXP$w.2j7w00J0gEdOkgjKn0lI/g9tom/A2uvlqR4L5s0F1",
	"$6$EmJdn6L/PfGd15Yn$6CfcjnkJTFGKRIKeCCFx3VlWDXiwLyLMBJQy7Q0a9Pr" +
		"zDrzwfk/NU5UGPKYRp23eyF5As/8J4treiujzsA.DC.",
	"$5$cLI6vdzrky65wEw/$LjmG/FGjCN6NAu70NLMOJQUw6ps7uJRkLAdbxN.LJzA",
	"$argon2id$v=19$m=4096,t=3,p=2$c2FsdHNhbHQx$PYZhT7vjI2YV5ACfnfEDOU9WwavdAPtxMJ2guE6K0Rs",
}

func TestForeignHashes(t *testing.T) {
	own, err := NewHash(Password("pä ss"))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append(foreign, own) {
		for p, want := range map[string]bool{"pä ss": true, "pä s": false,
			"pä sS": false, "": false} {
			got, err := Compare(h, Password(p))
			if err != nil || got != want {
				t.Errorf("%s: %q matches: %v, %v", h.Kind(), p, got, err)
			}
		}
	}
}

// A damaged hash never matches, and its error does not show it.
func TestDamagedHashes(t *testing.T) {
	for _, h := range foreign {
		for _, damaged := range []config.Hash{
			h[:len(h)-3], h[:12], h + "$x", config.Hash(strings.Replace(string(h), "$", "!", 1)),
		} {
			match, err := Compare(damaged, Password("pä ss"))
			if match {
				t.Errorf("%s: damaged, and matches", h.Kind())
			}
			if err != nil && strings.Contains(err.Error(), string(damaged)) {
				t.Errorf("the error shows the hash: %v", err)
			}
		}
	}
}

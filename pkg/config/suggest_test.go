package config

import "testing"

// One mistake for each three letters is a typing error; with more it is another word.
func TestNearest(t *testing.T) {
	keys := []string{"idle_timeout", "login_timeout", "listen", "listen_tls", "home", "key"}
	for word, want := range map[string]string{
		"idle_timout": "idle_timeout", "idle-timeout": "idle_timeout",
		"idel_timeout": "idle_timeout",
		"lsiten":       "listen", "listens": "listen", "LISTEN": "", "hmoe": "home",
		"yek": "", "kye": "key", "": "", "x": "", "pasv": "",
	} {
		if got := Nearest(word, keys); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

package config

import (
	"slices"
	"testing"
)

func TestExpandRoots(t *testing.T) {
	top := []string{"bin", "etc", "home", "proc", "root", "srv", "sys"}
	for _, test := range []struct{ roots, want []string }{
		{[]string{"/home", "/srv/ftp/"}, []string{"/home", "/srv/ftp"}},
		{[]string{"/"}, []string{"/bin", "/home", "/srv"}},
		{
			[]string{"/", "/etc/motd", "/proc/sys", "/sys"},
			[]string{"/bin", "/home", "/srv", "/etc/motd"},
		},
		{[]string{"/procession", "/proc/"}, []string{"/procession"}},
	} {
		if got := ExpandRoots(test.roots, top); !slices.Equal(got, test.want) {
			t.Errorf("ExpandRoots(%q) = %q, want %q", test.roots, got, test.want)
		}
	}
}

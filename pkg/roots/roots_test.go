package roots

import (
	"slices"
	"testing"

	"ftpd/pkg/sandbox"
)

// A link in "/" adds no directory that "/" in server.roots leaves out; one that the configuration
// names does.
func TestExcludedRoots(t *testing.T) {
	var kept []string
	for _, r := range withoutExcluded([]string{"/", "/etc/pub", "/named"}, []sandbox.Root{
		{Path: "/srv", Real: "/srv"}, {Path: "/lib", Real: "/usr/lib"},
		{Path: "/conf", Real: "/etc"}, {Path: "/initrd.img", Real: "/boot/initrd.img-6"},
		{Path: "/etc/pub", Real: "/etc/pub"}, {Path: "/named", Real: "/etc/named"},
		{Path: "/kernel", Real: "/proc/sys"},
	}) {
		kept = append(kept, r.Path)
	}
	if want := []string{"/srv", "/lib", "/etc/pub", "/named"}; !slices.Equal(kept, want) {
		t.Errorf("%v are kept, want %v", kept, want)
	}
}

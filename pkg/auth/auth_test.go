package auth

import (
	"fmt"
	"strings"
	"testing"
)

func TestPasswordPrintsNothing(t *testing.T) {
	c := Credentials{User: "alice", Password: Password("sesame")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		for _, v := range []any{c, &c, c.Password} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "sesame") ||
				strings.Contains(s, "736573616d65") {
				t.Errorf("%s of %T prints %s", verb, v, s)
			}
		}
	}
}

package config

import (
	"reflect"
	"strings"
	"testing"
)

// What is shown means what was read, but for the hashes.
func TestShowIsTheSameConfiguration(t *testing.T) {
	s := inspectText(t, village)
	for _, all := range []bool{true, false} {
		var shown strings.Builder
		if err := s.Show(&shown, all); err != nil {
			t.Fatal(err)
		}
		back := inspectText(t, strings.ReplaceAll(shown.String(), `"***"`, `"$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"`))
		if !reflect.DeepEqual(back.Config, s.Config) {
			t.Errorf("all %v:\n%s\nbecomes %+v\nof %+v", all, &shown, back.Config, s.Config)
		}
	}
	var shown strings.Builder
	groups := []string{"staff", "boss"}
	if err := s.ShowUser(&shown, "alice", groups, false); err != nil {
		t.Fatal(err)
	}
	back := inspectText(t, shown.String())
	got, _ := back.Config.For("alice", nil)
	want, _ := s.Config.For("alice", groups)
	want.Mounts[0].Inherit = false // shown with the permissions that it inherits
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nbecomes %+v\nof %+v", &shown, got, want)
	}
}

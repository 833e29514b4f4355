package config

import (
	"reflect"
	"strings"
	"testing"
)

// The shown text is read as the same configuration, apart from the hashes.
func TestShowIsTheSameConfiguration(t *testing.T) {
	s := inspectText(t, sample)
	for _, all := range []bool{true, false} {
		var shown strings.Builder
		if err := s.Show(&shown, all); err != nil {
			t.Fatal(err)
		}
		back := inspectText(t, strings.ReplaceAll(shown.String(), "***", sampleHash))
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

package config

import (
	"reflect"
	"slices"
	"testing"
)

// Each key that is a number has a line in bounds, without which a negative number is accepted.
func TestNumbersHaveBounds(t *testing.T) {
	values := reflect.ValueOf(Default()).Elem()
	for _, id := range Names() {
		v, ok := lookUp(values, id)
		bounded := slices.ContainsFunc(bounds, func(b bound) bool { return b.key == id })
		if ok && v.Type() == reflect.TypeFor[int]() && !bounded {
			t.Errorf("%s has no line in bounds (check.go)", id)
		}
	}
}

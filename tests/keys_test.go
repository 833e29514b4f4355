//go:build linux

package tests

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// The key tests check the effect of every configuration key. For each key there is at least one
// row. Each row compares services with configurations that differ in that key alone: the probe of
// the row must see the difference.
//
// A row runs up to three services: one with the base value (usually the default), one with
// another value and, where that means something, one with an edge value. The same probe looks at
// each of them, as a client or an administrator does. The tables are in the files beside this
// one, by section.

// A keyRow describes the effect of one key. In its texts, {words} are replaced: see keyRun.words.
//
// A row for a key of [defaults] also runs for that key in [[group]] and [[user]]. A row for a key of
// [[user.rule]], [[user.mount]] and some keys of [[user]] also runs for that key of [[group]].
type keyRow struct {
	key string

	// otherSettings is the rest of the configuration of each run: lines "key = value" with the whole name
	// of the key, then tables.
	otherSettings string
	probe         func(*keyRun) string // returns what it has seen

	baseValue string // the value to compare with, in the form of value; "" is the default
	wantBase  string // the result of the probe with baseValue
	value     string // for a key of a [[table]] that needs more than its name, the whole table
	wantValue string // the result of the probe with value
	edgeValue string // a further value that is accepted, in the form of value; "" is none
	wantEdge  string // the result of the probe with edgeValue

	wrongValue string // a value that is refused; "-": there is none

	// unsupportedValue is a value that is valid but cannot be honoured yet. A row with it needs none of
	// the fields above.
	unsupportedValue  string
	unsupportedReason string // the reason in the refusal

	noDerivedRows bool // the row does not run for other tables
	ownService    bool // the base run needs a service of its own
	unusualLog    bool // the log does not go to standard error as JSON at level info

	// endsByItself names the outcome, "base" or "value", for which the probe ends by itself. Runs with
	// another outcome start earlier, and end when that run has ended.
	endsByItself   string
	unshareOptions string // of unshare(1): the service gets its own /run and /etc/pam.d, or network
	env            string // an environment variable of the service
}

var keyTables = [][]keyRow{
	serverKeys, authKeys, anonymousKeys, settingKeys, userKeys, limitKeys, banKeys, dataKeys,
	tlsKeys,
	fileKeys, logKeys, hostKeys, laterKeys,
}

// keyRows returns the rows of all tables and the rows that are derived from them.
func keyRows() (rows []keyRow) {
	for _, table := range keyTables {
		for _, row := range table {
			if row.noDerivedRows {
				rows = append(rows, row)
				continue
			}
			if setting, ok := strings.CutPrefix(row.key, "defaults."); ok {
				group, user := row, row
				group.key, user.key = "group."+setting, "user."+setting
				rows = append(rows, row, group, user)
				continue
			}
			rows = append(rows, row)
			if rest, ok := strings.CutPrefix(row.key, "user."); ok {
				row.key = "group." + rest
				row.value = ofGroup(row.value)
				row.edgeValue, row.baseValue = ofGroup(row.edgeValue), ofGroup(row.baseValue)
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func ofGroup(text string) string { return strings.ReplaceAll(text, "[[user", "[[group") }

// configurationKeys returns the keys of all tables, such as "log.level" or "user.rule.path".
func configurationKeys(typ reflect.Type, prefix string) (keys []string) {
	for _, f := range reflect.VisibleFields(typ) {
		key := f.Tag.Get("toml")
		if key == "" || key == "-" {
			continue
		}
		table := f.Type
		if table.Kind() == reflect.Slice {
			table = table.Elem()
		}
		text := reflect.PointerTo(table).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
		if table.Kind() == reflect.Struct && !text {
			keys = append(keys, configurationKeys(table, prefix+key+".")...)
			continue
		}
		keys = append(keys, prefix+key)
	}
	return keys
}

// TestEveryKeyHasARow checks that the tables are complete.
func TestEveryKeyHasARow(t *testing.T) {
	t.Parallel()
	keys := configurationKeys(reflect.TypeFor[config.Config](), "")
	if len(keys) < 100 {
		t.Fatalf("only %d keys were found: this test does not find them all", len(keys))
	}
	var have []string
	for _, row := range keyRows() {
		have = append(have, row.key)
		if !slices.Contains(keys, row.key) {
			t.Errorf("there is a row for %s, and no such key", row.key)
		}
		if row.unsupportedValue != "" {
			continue
		}
		if row.value == "" || row.wantBase == row.wantValue ||
			row.edgeValue != "" && row.wantEdge == "" {
			t.Errorf("the row for %s shows no difference", row.key)
		}
		if row.wrongValue == "" {
			t.Errorf("the row for %s has no wrong value", row.key)
		}
	}
	for _, key := range keys {
		if !slices.Contains(have, key) {
			t.Errorf("there is no row for %s", key)
		}
	}
}

// TestEveryKey runs all rows, several at a time.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	needRoot(t)
	w := newKeyWorld(t)
	t.Run("rows", func(t *testing.T) { // ends with all of them
		for _, row := range keyRows() {
			if row.unsupportedValue == "" {
				t.Run(row.key, func(t *testing.T) {
					t.Parallel()
					w.turns <- struct{}{}
					defer func() { <-w.turns }()
					row.run(t, w)
				})
			}
		}
	})
}

// run applies the probe to the service of each value.
func (row keyRow) run(t *testing.T, w *keyWorld) {
	if row.unshareOptions != "" {
		needNamespaces(t)
	}
	runs := []struct{ name, value, want string }{
		{"base", row.baseValue, row.wantBase},
		{"edge", row.edgeValue, row.wantEdge},
		{"value", row.value, row.wantValue},
	}
	ending := row.wantValue
	if row.endsByItself == "base" {
		slices.Reverse(runs)
		ending = row.wantBase
	}
	enough := make(chan struct{})
	var waiting []func()
	for _, run := range runs {
		if run.name == "edge" && row.edgeValue == "" {
			continue
		}
		r := w.newRun(t, row, run.value)
		waits := row.endsByItself != "" && run.want != ending
		if waits {
			r.enough = enough
		}
		result := make(chan string, 1)
		go func() { // ends with the probe
			defer close(result)
			result <- r.result()
		}()
		check := func() {
			got := <-result
			if got != run.want && !(run.want == notStarted && strings.HasPrefix(got, notStarted)) {
				t.Errorf("%s (%s: %q): the probe returns %q, not %q", row.key, run.name, run.value,
					got, run.want)
			}
		}
		if !waits {
			check()
			continue
		}
		<-r.begun
		waiting = append(waiting, check)
	}
	close(enough)
	for _, check := range waiting {
		check()
	}
}

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

// Every key does what it says: for each there is a row, and each row has services that differ in that key alone tell the difference.
//
// A row is run with the default, with the value, and with an edge value where that means something: a service each, and the same probe,
// which tells what a client, or whoever looks at the machine, finds. The tables are in the files beside this one, by section.

// A keyRow is about one key. In its texts, {words} are filled in: see keyRun.words.
//
// A key of [defaults] stands for that of [[group]] and [[user]], too, and one of [[user.rule]], [[user.mount]] and some of [[user]] for
// that of [[group]]; they are run as well.
type keyRow struct {
	key    string
	beside string // what else the configuration says in each run: "key = value" with the whole name, then tables
	probe  func(*keyRun) string

	before string // what the probe tells with the default
	set    string // a value; of a key in a [[table]] that needs more than its name, the whole table
	after  string // what the probe tells with it
	was    string // in place of the default where there is none, as set
	edge   string // another value that is accepted, as set
	atEdge string // what the probe tells with that

	wrong string // a value that is refused; "-": there is none
	never string // a value of a key that cannot be honoured; nothing above is needed then
	why   string // what is said of it

	alone  bool   // there are no rows that follow from it
	ends   string // which run ends by itself, "before" or "after": those with another outcome begin earlier, and wait for it
	own    bool   // the probe needs a service of its own for the default, too
	silent bool   // the log does not go to standard error, or not as JSON, or not at level info
	apart  string // options of unshare(1): the service has a /run and an /etc/pam.d of its own, or a network
	env    string // of the service
}

var keyTables = [][]keyRow{serverKeys, authKeys, anonymousKeys, settingKeys, userKeys, limitKeys, banKeys, dataKeys, tlsKeys, fileKeys, logKeys, hostKeys, laterKeys}

// keyRows are the rows of all tables, and those that follow from them.
func keyRows() (rows []keyRow) {
	for _, table := range keyTables {
		for _, row := range table {
			if row.alone {
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
				row.set, row.edge, row.was = ofGroup(row.set), ofGroup(row.edge), ofGroup(row.was)
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func ofGroup(text string) string { return strings.ReplaceAll(text, "[[user", "[[group") }

// configurationKeys are the keys of all tables, such as "log.level" or "user.rule.path".
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
		if table.Kind() == reflect.Struct && !reflect.PointerTo(table).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			keys = append(keys, configurationKeys(table, prefix+key+".")...)
			continue
		}
		keys = append(keys, prefix+key)
	}
	return keys
}

func TestEveryKeyHasARow(t *testing.T) {
	keys := configurationKeys(reflect.TypeFor[config.Config](), "")
	if len(keys) < 100 {
		t.Fatalf("only %d keys were found: this test does not look where they are", len(keys))
	}
	var have []string
	for _, row := range keyRows() {
		have = append(have, row.key)
		if !slices.Contains(keys, row.key) {
			t.Errorf("there is a row for %s, and no such key", row.key)
		}
		if row.never == "" && (row.set == "" || row.before == row.after || row.edge != "" && row.atEdge == "") {
			t.Errorf("the row for %s shows no difference", row.key)
		}
		if row.wrong == "" && row.never == "" {
			t.Errorf("the row for %s has no wrong value", row.key)
		}
	}
	for _, key := range keys {
		if !slices.Contains(have, key) {
			t.Errorf("there is no row for %s", key)
		}
	}
}

func TestEveryKey(t *testing.T) {
	needRoot(t)
	w := newKeyWorld(t)
	t.Run("rows", func(t *testing.T) { // ends with all of them
		for _, row := range keyRows() {
			if row.never == "" {
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

// run has the probe look at each service.
func (row keyRow) run(t *testing.T, w *keyWorld) {
	if row.apart != "" {
		needNamespaces(t)
	}
	runs := []struct{ which, value, want string }{{"before", row.was, row.before}, {"edge", row.edge, row.atEdge}, {"after", row.set, row.after}}
	ending := row.after
	if row.ends == "before" {
		slices.Reverse(runs)
		ending = row.before
	}
	enough := make(chan struct{})
	var waiting []func()
	for _, run := range runs {
		if run.which == "edge" && row.edge == "" {
			continue
		}
		r := w.newRun(t, row, run.value)
		waits := row.ends != "" && run.want != ending
		if waits {
			r.enough = enough
		}
		told := make(chan string, 1)
		go func() { // ends with the probe
			defer close(told)
			told <- r.tell()
		}()
		check := func() {
			if got := <-told; got != run.want && !(run.want == notStarted && strings.HasPrefix(got, notStarted)) {
				t.Errorf("%s (%s: %q): the probe tells %q, not %q", row.key, run.which, run.value, got, run.want)
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

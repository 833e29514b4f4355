package core

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ftpd/pkg/ftpwire"
)

// Two rows of the compliance table belong to no command: the greeting, and the replies that
// may follow any line.
const (
	greetingRow = "(connection)"
	anyRow      = "(any line)"
)

// A pendingLine is a line of the client whose last reply has not been read.
type pendingLine struct {
	verb string
	now  bool // the reply comes while a transfer runs
	cmd  *command
}

// A reader assigns each reply of a transcript to its command, as a client that pipelines does:
// replies come in the order of the lines, except that lines which need not wait overtake a
// transfer or a hash.
type reader struct {
	srv         *Server // for its table of commands
	in          ftpwire.Input
	text        []byte
	waiting     []pendingLine
	running     *pendingLine // the command of a job that other lines may overtake
	userChanged bool         // by USER or REIN: later lines do not wait for running
	inside      string       // code of the multi-line reply that is being read
	greeted     bool
	seen        map[string]map[int]bool // codes by command
}

// read reads one transcript.
func (r *reader) read(text string) error {
	r.again()
	for i, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "C:":
			end := "\r\n"
			if strings.HasSuffix(rest, `\c`) {
				rest, end = strings.TrimSuffix(rest, `\c`), ""
			}
			r.send([]byte(unescape(rest) + end))
		case "leave":
			if rest != "" {
				r.send([]byte(unescape(rest) + "\r\n"))
			}
		case "again":
			r.again()
		case "login":
			for _, line := range []string{"USER " + rest, "PASS x", "TYPE I"} {
				r.send([]byte(line + "\r\n"))
			}
			r.answer(331)
			r.answer(230)
			r.answer(200)
		case "secure":
			r.waiting = nil // the server discards what was sent behind AUTH
		case "S:":
			if err := r.receive(rest); err != nil {
				return fmt.Errorf("line %d: %s: %w", i+1, line, err)
			}
		}
	}
	return nil
}

// again starts with a new client.
func (r *reader) again() {
	r.in, r.text, r.waiting, r.running = ftpwire.Input{}, nil, nil, nil
	r.userChanged, r.inside, r.greeted = false, "", false
}

func (r *reader) send(p []byte) {
	r.text = append(r.text, r.in.Filter(p)...)
	for {
		line, rest, ok := ftpwire.CutLine(r.text)
		if !ok {
			return
		}
		r.text = rest
		a := pendingLine{verb: anyRow}
		cmd, arg := r.srv.commands.Lookup(line)
		if cmd != nil && len(line) <= ftpwire.MaxLine && !strings.Contains(string(line), "\x00") {
			a = pendingLine{verb: cmd.verb, now: cmd.now(arg) && cmd.verb != "ABOR", cmd: cmd}
		}
		r.waiting = append(r.waiting, a)
	}
}

// receive takes a line of the server.
func (r *reader) receive(line string) error {
	if line == "(nothing)" || line == "(closed)" {
		return nil
	}
	if r.inside != "" {
		if !strings.HasPrefix(line, r.inside+" ") {
			return nil
		}
		line, r.inside = r.inside+" ", ""
	}
	if len(line) < 4 {
		return fmt.Errorf("has no code")
	}
	code, err := strconv.Atoi(line[:3])
	if err != nil {
		return err
	}
	if line[3] == '-' {
		r.inside = line[:3]
		return nil
	}
	return r.answer(code)
}

// answer assigns a reply to its command.
func (r *reader) answer(code int) error {
	if code == 421 {
		r.note(anyRow, code) // 421 may come at any time
		return nil
	}
	if !r.greeted {
		r.greeted = true
		r.note(greetingRow, code)
		return nil
	}
	if r.running == nil && len(r.waiting) > 0 && hashVerbs[r.waiting[0].verb] {
		r.begin()
	}
	if r.userChanged && len(r.waiting) > 0 && !slices.Contains([]int{213, 226, 425, 426}, code) {
		i := 0
		if first := r.waiting[0].cmd; first.data && code < 500 {
			// the first line waits
			i = slices.IndexFunc(r.waiting, func(a pendingLine) bool {
				return a.now && !a.cmd.access
			})
		}
		r.note(r.waiting[i].verb, code)
		r.waiting = slices.Delete(r.waiting, i, i+1)
		return nil
	}
	if r.running != nil {
		i := slices.IndexFunc(r.waiting, func(a pendingLine) bool { return a.now })
		if i >= 0 && !(r.waiting[i].cmd.access && i > 0) {
			r.note(r.waiting[i].verb, code)
			r.userChanged = r.waiting[i].cmd.access && code < 400
			r.waiting = slices.Delete(r.waiting, i, i+1)
			return nil
		}
		r.note(r.running.verb, code)
		r.running, r.userChanged = nil, false
		slices.SortStableFunc(r.waiting, func(a, b pendingLine) int {
			return abortsFirst(b) - abortsFirst(a)
		})
		return nil
	}
	if len(r.waiting) == 0 {
		return fmt.Errorf("answers nothing")
	}
	r.note(r.waiting[0].verb, code)
	if code < 200 {
		r.begin()
	} else {
		r.waiting = r.waiting[1:]
	}
	return nil
}

// hashVerbs are the commands whose jobs have no first reply.
var hashVerbs = map[string]bool{
	"HASH": true, "XCRC": true, "XMD5": true, "XSHA1": true, "XSHA256": true,
}

func (r *reader) begin() {
	r.running = &r.waiting[0]
	r.waiting = slices.Clone(r.waiting[1:])
}

func abortsFirst(a pendingLine) int {
	if a.verb == "ABOR" {
		return 1
	}
	return 0
}

func (r *reader) note(verb string, code int) {
	if r.seen[verb] == nil {
		r.seen[verb] = map[int]bool{}
	}
	r.seen[verb][code] = true
}

// A row is a row of the compliance table.
type row struct {
	verbs []string
	state string
	codes []int
}

// readRows reads the compliance table.
func readRows(t *testing.T) (rows []row) {
	t.Helper()
	text, err := os.ReadFile("../../docs/compliance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n|---|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 5 {
			t.Fatalf("a row of %d cells: %s", len(cells), line)
		}
		r := row{state: strings.TrimSpace(cells[2])}
		if name := strings.TrimSpace(cells[0]); name[0] == '(' {
			r.verbs = []string{name}
		} else {
			r.verbs = strings.Split(strings.Trim(name, "`"), "` `")
		}
		for word := range strings.FieldsSeq(cells[3]) {
			code, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(line, err)
			}
			r.codes = append(r.codes, code)
		}
		rows = append(rows, r)
	}
	return rows
}

// readTranscripts returns the reply codes that the transcripts show for each command.
func readTranscripts(t *testing.T) map[string]map[int]bool {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	r := &reader{srv: &Server{commands: commands()}, seen: map[string]map[int]bool{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.read(string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	return r.seen
}

// The compliance table has a row for each command and no others, and its reply codes are those
// that the transcripts show.
func TestCompliance(t *testing.T) {
	table, shown := commands(), readTranscripts(t)
	rows := map[string]bool{}
	for _, r := range readRows(t) {
		codes := map[int]bool{}
		for _, verb := range r.verbs {
			if rows[verb] {
				t.Errorf("%s has two rows", verb)
			}
			rows[verb] = true
			if len(shown[verb]) == 0 {
				t.Errorf("no transcript shows %s", verb)
			}
			maps.Copy(codes, shown[verb])
			checkState(t, verb, table[verb], r.state)
		}
		if want := slices.Sorted(maps.Keys(codes)); !slices.Equal(r.codes, want) {
			t.Errorf("%s: the row says %v, the transcripts %v",
				strings.Join(r.verbs, " "), r.codes, want)
		}
	}
	for verb := range table {
		if !rows[verb] {
			t.Errorf("%s has no row", verb)
		}
	}
}

func checkState(t *testing.T, verb string, c *command, state string) {
	t.Helper()
	switch {
	case verb == greetingRow, verb == anyRow:
	case c == nil:
		t.Errorf("%s has a row and is no command", verb)
	case (c.run == nil) != (state == "absent"):
		t.Errorf("%s is said to be %s", verb, state)
	}
	if !slices.Contains([]string{"full", "partial", "refused", "absent"}, state) {
		t.Errorf("%s: what is %q?", verb, state)
	}
}

// The reader assigns replies to commands as a client that pipelines does.
func TestReaderOfTranscripts(t *testing.T) {
	r := &reader{srv: &Server{commands: commands()}, seen: map[string]map[int]bool{}}
	err := r.read(`S: 220 ...
login alice
C: PASV\r\nRETR f\r\nPWD\r\nSTAT
S: 227 ...
S: 150 ...
S: 211-...
S: 999 ...
S: 211 ...
C: NOOP\r\nABOR\r\nSTAT x
S: 200 ...
S: 426 ...
S: 226 ...
S: 257 ...
S: 213 ...
C: XMD5 f\r\nNOOP\r\nnosuch
S: 200 ...
S: 250 ...
S: 500 ...
C: SI\c
C: ZE f
S: 550 ...
S: 421 ...`)
	if err != nil {
		t.Fatal(err)
	}
	want := "map[(any line):map[421:true 500:true] (connection):map[220:true] " +
		"ABOR:map[226:true] NOOP:map[200:true] " +
		"PASS:map[230:true] PASV:map[227:true] PWD:map[257:true] " +
		"RETR:map[150:true 426:true] SIZE:map[550:true] " +
		"STAT:map[211:true 213:true] TYPE:map[200:true] " +
		"USER:map[331:true] XMD5:map[250:true]]"
	if got := fmt.Sprint(r.seen); got != want {
		t.Errorf("got %s,\nwant %s", got, want)
	}
	if err := r.read("S: 220 ...\nS: 200 ..."); err == nil {
		t.Error("a reply to nothing is one to something")
	}
}

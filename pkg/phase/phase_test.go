package phase

import "testing"

// Each story is a list of transitions with the phase, the number of the job and that of the former
// job behind each.
func TestMachine(t *testing.T) {
	type machine = Machine[int]
	one, two := new(int), new(int)
	enter := func(j *int, p Phase) func(*machine) { return func(m *machine) { m.Enter(j, p) } }
	leave := func(j *int, due bool) func(*machine) {
		return func(m *machine) {
			if got := m.Leave(j); got != due {
				t.Errorf("the lines are due: %v", got)
			}
		}
	}
	type step struct {
		act         func(*machine)
		now         Phase
		job, former *int
	}
	for name, story := range map[string][]step{
		"implicit TLS": {
			{enter(one, Handshake), Handshake, one, nil},
			{leave(one, true), Ready, nil, nil},
			{(*machine).Received, Ready, nil, nil},
		},
		"a transfer of an earlier login": {
			{(*machine).Received, Ready, nil, nil},
			{(*machine).Detach, Ready, nil, nil},
			{enter(one, Concurrent), Concurrent, one, nil},
			{(*machine).Received, Concurrent, one, nil},
			{(*machine).Detach, Ready, nil, one},
			{enter(two, Exclusive), Exclusive, two, one},
			{leave(one, false), Exclusive, two, nil},
			{leave(two, true), Ready, nil, nil},
		},
		"the next login before the end of the transfer": {
			{enter(one, Concurrent), Concurrent, one, nil},
			{(*machine).Detach, Ready, nil, one},
			{enter(two, Exclusive), Exclusive, two, one},
			{leave(two, true), Ready, nil, one},
			{leave(one, true), Ready, nil, nil},
		},
		"the end beside a job": {
			{enter(one, Concurrent), Concurrent, one, nil},
			{func(m *machine) {
				if !m.End() || m.End() {
					t.Error("the session ends once")
				}
			}, Ended, one, nil},
			{leave(one, true), Ended, nil, nil},
			{enter(two, Exclusive), Ended, two, nil},
		},
	} {
		var m machine
		for i, s := range story {
			s.act(&m)
			running := s.job
			if running == nil {
				running = s.former
			}
			if m.Now() != s.now || !m.Is(s.now) || m.Job() != s.job || m.Former() != s.former ||
				m.Running() != running {
				t.Errorf("%s: step %d leads to %+v", name, i, m)
			}
		}
	}
}

package admission

import "net/netip"

// maxRecent bounds each half of a recent.
const maxRecent = 1 << 13

// A recent is a bounded memory of the clients that were added last. It has two halves: when the
// newer one is full, it becomes the older one, and the former older one is forgotten. So it
// holds at least the last maxRecent clients. The zero value is empty.
type recent struct{ newer, older map[netip.Prefix]struct{} }

func (r *recent) add(client netip.Prefix) {
	if len(r.newer) >= maxRecent {
		r.newer, r.older = nil, r.newer
	}
	if r.newer == nil {
		r.newer = map[netip.Prefix]struct{}{}
	}
	r.newer[client] = struct{}{}
}

func (r *recent) remove(client netip.Prefix) {
	delete(r.newer, client)
	delete(r.older, client)
}

// has reports whether the client was added, and neither removed nor forgotten since.
func (r *recent) has(client netip.Prefix) bool {
	_, newer := r.newer[client]
	_, older := r.older[client]
	return newer || older
}

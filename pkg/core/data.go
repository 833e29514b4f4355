package core

// claim reserves the opener that PASV or PORT has prepared, for a transfer that begins.
func (s *Session) claim() error {
	if s.params.opener == nil {
		return errNoData
	}
	return s.params.opener.Claim()
}

// dropOpener closes the opener that PASV or PORT has prepared.
func (s *Session) dropOpener() {
	if s.params.opener != nil {
		s.params.opener.Close()
		s.params.opener = nil
	}
}

// ipv4 reports whether the client uses IPv4. Behind a load balancer the control connection may use
// the other family.
func (s *Session) ipv4() bool { return s.conn.Remote().Addr().Is4() }

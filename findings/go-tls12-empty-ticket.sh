#!/bin/sh
# crypto/tls of Go 1.26.8 as a client of TLS 1.2: a server that resumes a session may send a ticket of
# no bytes, which means that it issues no new one (RFC 5077 section 3.3). The client stores it over
# the ticket that has just worked, so that the next connection is a full handshake. OpenSSL's clients
# keep the old ticket. FTP clients in Go (rclone among them) lose their session by it where a server
# demands that data connections resume the session of the control connection.
#
# Seen: "connection 1: full, connection 2: resumed, connection 3: full".
# It needs Go; nothing is downloaded but the toolchain that is named here, where it is another one.
set -eu
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=go1.26.8

seen=$(runs_go <<'GO'
package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
)

func main() {
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate
	server := &tls.Config{Certificates: web.TLS.Certificates, MaxVersion: tls.VersionTLS12}
	server.WrapSession = func(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		if state.DidResume {
			return nil, nil
		}
		return server.EncryptTicket(state, session)
	}
	client := &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         "example.com",
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	for i := range 3 {
		near, far := net.Pipe()
		go tls.Server(far, server).Handshake()
		c := tls.Client(near, client)
		if err := c.Handshake(); err != nil {
			panic(err)
		}
		how := map[bool]string{true: "resumed", false: "full"}[c.ConnectionState().DidResume]
		fmt.Printf("connection %d: %s\n", i+1, how)
	}
}
GO
)
echo "$seen"
[ "$seen" = "connection 1: full
connection 2: resumed
connection 3: full" ] || changed "the client keeps the ticket"

#!/bin/sh
# net/http of Go 1.26.8: the first request of an http.Transport with ForceAttemptHTTP2 adds "h2" and
# "http/1.1" to NextProtos of the caller's own tls.Config. A program that uses one tls.Config for HTTPS
# and for FTP (for a private authority or a client certificate) then offers the protocols of HTTP on
# its FTP connections, from its first HTTPS request on. A server that follows RFC 7301 section 3.2
# refuses these with the alert no_application_protocol. tls.Config.Clone before the request avoids it.
#
# Seen: "before: [], after: [h2 http/1.1]".
# It needs Go; nothing is downloaded but the toolchain that is named here, where it is another one.
set -eu
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=go1.26.8

seen=$(runs_go <<'GO'
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
)

func main() {
	web := httptest.NewTLSServer(http.NotFoundHandler())
	defer web.Close()
	shared := &tls.Config{InsecureSkipVerify: true}
	before := fmt.Sprint(shared.NextProtos)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: shared, ForceAttemptHTTP2: true}}
	answer, err := client.Get(web.URL)
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	fmt.Printf("before: %s, after: %s\n", before, shared.NextProtos)
}
GO
)
echo "$seen"
[ "$seen" = "before: [], after: [h2 http/1.1]" ] || changed "the caller's tls.Config keeps its protocols"

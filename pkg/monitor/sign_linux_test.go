package monitor

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"strings"
	"testing"

	"ftpd/pkg/certfile"
)

// The core receives a signature. If the supervisor has no key, the request fails and the core
// continues.
func TestSignRequest(t *testing.T) {
	h := Handshake{
		Certificate: sha256.Sum256(nil), Scheme: tls.PKCS1WithSHA512, Message: largestMessage(),
	}
	c, _ := start(t, &fake{key: keysOf(t)["rsa"]})
	if signature, err := c.Sign(t.Context(), h); err != nil || len(signature) != 256 {
		t.Errorf("Sign = %d bytes, %v", len(signature), err)
	}
	c, _ = start(t, new(fake))
	if _, err := c.Sign(t.Context(), h); err == nil {
		t.Error("signed without a key")
	}
	if _, err := c.Admit(t.Context(), Connection{}); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

// The largest chain that a configuration may name reaches a running core.
func TestExchange(t *testing.T) {
	server, client := connected(t)
	received := make(chan Certificate, 1)
	go client.Run(Orders{Exchange: func(c Certificate) error { // ends with the connection
		received <- c
		return nil
	}})
	sent := Certificate{
		Host:  strings.Repeat("h", 255),
		Chain: [][]byte{bytes.Repeat([]byte{0xff}, certfile.MaxChain)},
	}
	if err := server.Exchange(sent); err != nil {
		t.Fatal(err)
	}
	if got := <-received; got.Host != sent.Host || !bytes.Equal(got.Chain[0], sent.Chain[0]) {
		t.Error("the certificate changed on its way")
	}
}

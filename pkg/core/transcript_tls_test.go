package core

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"ftpd/pkg/internal/memnet"
)

// testCertificate returns the certificate of the server, signed with its own key.
var testCertificate = sync.OnceValue(func() *tls.Certificate { return newCertificate("everybody") })

// newCertificate returns a certificate signed with its own key, so that it may be its own
// authority.
func newCertificate(name string) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// clientTLS is the TLS part of a player.
type clientTLS struct {
	gate      *gate     // between control and secured
	secured   *tls.Conn // nil before TLS
	over      bool      // the server has ended TLS
	offered   []string  // by ALPN
	tlsConfig *tls.Config
	protect   bool         // data connections, too
	inner     *tls.Conn    // of the data connection; nil before it was used
	of        *memnet.Conn // data connection of inner
}

// A gate holds back what the client sends, or lets it through byte by byte.
type gate struct {
	*memnet.Conn
	hold, dribble bool
	last          bool // the first piece goes through, then it is held back
	held          []byte
}

func (g *gate) Write(p []byte) (int, error) {
	if g.hold {
		g.held = append(g.held, p...)
		return len(p), nil
	}
	if !g.dribble {
		g.hold, g.last = g.last, false
		return g.Conn.Write(p)
	}
	for i := range p {
		if _, err := g.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		synctest.Wait()
	}
	return len(p), nil
}

// write sends text on the control connection.
func (p *player) write(text string) error {
	var w io.Writer = p.control
	if p.gate != nil {
		w = p.gate
	}
	if p.secured != nil {
		w = p.secured
	}
	_, err := io.WriteString(w, text)
	return err
}

func (p *player) talkTLS(word, rest string) error {
	if p.gate == nil {
		p.gate = &gate{Conn: p.control}
	}
	switch word {
	case "secure":
		p.tlsConfig = &tls.Config{
			InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4),
			ServerName: "x", NextProtos: p.offered,
		}
		rest, name, named := strings.Cut(rest, "as ") // of the server
		if named {
			p.tlsConfig.ServerName = strings.TrimPrefix(name, "nobody")
		}
		version, refused := strings.CutSuffix(strings.TrimSpace(rest), "refused")
		version = strings.TrimSpace(version)
		if version == "1.2" {
			p.tlsConfig.MaxVersion = tls.VersionTLS12
		}
		if version == "last" {
			p.gate.last = true
		}
		c := tls.Client(p.gate, p.tlsConfig)
		if err := c.Handshake(); refused && err != nil {
			return nil
		} else if err != nil || refused {
			return fmt.Errorf("the handshake ended with %v", err)
		}
		p.secured = c
	case "offer":
		p.offered = strings.Fields(unescape(rest))
		if p.tlsConfig != nil {
			p.tlsConfig.NextProtos = p.offered
		}
	case "protect":
		p.protect = true
	case "forget":
		p.tlsConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	case "hold":
		p.gate.hold = true
	case "release":
		p.gate.hold = false
		held := p.gate.held
		p.gate.held = nil
		_, err := p.gate.Write(held)
		return err
	case "dribble":
		p.gate.dribble = true
	}
	return nil
}

func (p *player) listenSecured() (ended bool, err error) {
	buf := make([]byte, memnet.WindowSize)
	for !p.over {
		p.control.SetReadDeadline(time.Now().Add(time.Nanosecond))
		n, err := p.secured.Read(buf)
		p.said = append(p.said, buf[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err == io.EOF:
			p.over = true
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// through returns the data connection, inside TLS if it is protected.
func (p *player) through() io.ReadWriter {
	if !p.protect {
		return p.data
	}
	if p.of != p.data {
		p.inner, p.of = tls.Client(p.data, p.tlsConfig), p.data
	}
	return p.inner
}

// farewell sends close_notify.
func (p *player) farewell() {
	if p.protect {
		p.through()
		p.inner.Handshake()
		p.inner.CloseWrite()
	}
}

func (p *player) actTLS(word, rest string) error {
	switch word {
	case "handshake":
		p.through()
		err := p.inner.Handshake()
		if rest == "refused" && err != nil {
			return nil
		}
		return err
	case "raw":
		_, err := p.data.Write([]byte(unescape(rest)))
		return err
	case "end":
		return p.data.Finish()
	case "resumed":
		if !p.inner.ConnectionState().DidResume {
			return errors.New("it did not")
		}
		return nil
	case "not":
		if p.inner.ConnectionState().DidResume {
			return errors.New("it did")
		}
		return nil
	}
	return fmt.Errorf("what is %q?", word)
}

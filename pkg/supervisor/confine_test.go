package supervisor

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
)

// The confined run receives the certificate through a pipe.
func TestHandOver(t *testing.T) {
	p := &PEM{Certificate: []byte("cert\n"), Key: []byte("key\n")}
	fd, err := handOver(p)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no confined run")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(certificateVariable, strconv.Itoa(fd))
	got, err := HandedOver()
	if err != nil || !bytes.Equal(got.Certificate, p.Certificate) || !bytes.Equal(got.Key, p.Key) {
		t.Errorf("%+v, %v", got, err)
	}
	p.Key = make([]byte, pipeSize)
	if _, err := handOver(p); err == nil {
		t.Error("a certificate that is larger than a pipe was handed over")
	}
}

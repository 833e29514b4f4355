//go:build linux

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// Any packet is received as a message that arrives unchanged when it is sent again, or is an
// error that shows no password.
func FuzzReceive(f *testing.F) {
	for i, packet := range []string{
		`{"version":1}`,
		`{"service":"ftpd","user":"YWxpY2U=","password":"c2VzYW1l","remote":"::1"}`,
		`{"proceed":true}`,
		`{"passwd":{"name":"alice","uid":1000,"gid":1000,"home":"/","shell":""}}`,
		`{"uids":[0,4294967295],"gids":[]}`,
		`{"user_names":{"1000":"alice"},"gid":5,"groups":{"gids":[1],"groups":["a b"]}}`,
		`{"waiting":true,"refused":"no","failed":"\u0000"}`,
		`{"user_names":{"-1":"x"}}`, `{"gid":-1}`, `{"password":"not base64!"}`,
		`null`, `[]`, "\x00\xff", ``, `{}{}`, `{"uids":1e3}`,
		`{"user_names":{"` + strings.Repeat("(", 1000) + `":""}}`,
	} {
		f.Add([]byte(packet), uint8(i))
	}
	messages := []any{Hello{}, Login{}, Proceed{}, Reply{}, Query{}, Answer{}}
	f.Fuzz(func(t *testing.T, packet []byte, which uint8) {
		kind := reflect.TypeOf(messages[int(which)%len(messages)])
		a, b := pair(t)
		defer a.Close()
		defer b.Close()
		if _, err := a.c.Write(packet); err != nil {
			if !errors.Is(err, syscall.EMSGSIZE) {
				t.Fatal(err)
			}
			return // longer than the kernel takes
		}
		got := reflect.New(kind)
		if err := b.Receive(got.Interface()); err != nil {
			if len(packet) == 0 && err != io.EOF || err.Error() == "" || len(err.Error()) > 1000 {
				t.Errorf("%q: %v", packet, err)
			}
			return
		}
		if len(packet) > MaxMessage || !json.Valid(packet) {
			t.Errorf("a packet of %d bytes was taken: %.200q", len(packet), packet)
		}
		if login, ok := got.Interface().(*Login); ok {
			clean := *login
			clean.Password = nil
			if fmt.Sprintf("%v %+v", *login, *login) != fmt.Sprintf("%v %+v", clean, clean) {
				t.Error("a password is shown")
			}
		}
		again := reflect.New(kind)
		if err := a.Send(got.Interface()); err != nil {
			if b, _ := json.Marshal(got.Interface()); len(b) <= MaxMessage {
				t.Errorf("%.200q cannot be sent on: %v", packet, err)
			}
			return
		}
		if err := b.Receive(again.Interface()); err != nil ||
			!same(got.Interface(), again.Interface()) {
			t.Errorf("%+v arrives as %+v, %v", got.Elem(), again.Elem(), err)
		}
	})
}

// same reports whether two messages are equal. An empty field equals a missing one.
func same(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

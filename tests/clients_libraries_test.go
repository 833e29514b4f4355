//go:build linux

package tests

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"
)

// commonsNet is the path in Debian's libcommons-net-java.
const commonsNet = "/usr/share/java/commons-net.jar"

// nodeModules returns where scripts/needs installs packages of npm.
func nodeModules() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = "/var/cache"
	}
	return filepath.Join(cache, "ftpd-tests/npm/node_modules")
}

// actionLines returns actions in the form that the scripts in testdata read.
func actionLines(all []action) string {
	var text strings.Builder
	for _, a := range all {
		fmt.Fprintf(&text, "%s\t%s\t%s\t%s\n", a.verb, a.remote, a.local, a.to)
	}
	return text.String()
}

// script runs a client library in a program of this package, which reads the actions.
func (at target) script(all []action, program string, args ...string) (string, error) {
	return at.run(actionLines(all), program,
		append(args, at.host, at.port, at.name, at.password, at.security, at.data())...)
}

// scriptDoes returns the function of a client library with a script in testdata.
func scriptDoes(program, script string) func(*testing.T, target, ...action) (string, error) {
	return func(_ *testing.T, at target, all ...action) (string, error) {
		path, err := filepath.Abs(filepath.Join("testdata", script))
		if err != nil {
			return "", err
		}
		return at.script(all, program, path)
	}
}

// compileCommonsNet compiles testdata/CommonsNet.java once.
var compileCommonsNet = sync.OnceValues(func() (classes string, err error) {
	classes = filepath.Join(filepath.Dir(bin), "classes")
	out, err := exec.Command("javac", "-cp", commonsNet, "-d", classes,
		"testdata/CommonsNet.java").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("javac: %w: %s", err, out)
	}
	return classes, nil
})

func commonsNetDoes(_ *testing.T, at target, all ...action) (string, error) {
	classes, err := compileCommonsNet()
	if err != nil {
		return "", err
	}
	return at.script(all, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp",
		classes+":"+commonsNet, "CommonsNet")
}

// jlaffayeDoes is the function of the client library for Go.
func jlaffayeDoes(_ *testing.T, at target, all ...action) (string, error) {
	options := []ftp.DialOption{ftp.DialWithTimeout(patience)}
	insecure := &tls.Config{InsecureSkipVerify: true,
		ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	switch at.security {
	case "explicit":
		options = append(options, ftp.DialWithExplicitTLS(insecure))
	case "implicit":
		options = append(options, ftp.DialWithTLS(insecure))
	}
	c, err := ftp.Dial(net.JoinHostPort(at.host, at.port), options...)
	if err != nil {
		return "", err
	}
	defer c.Quit()
	if err := c.Login(at.name, at.password); err != nil {
		return "", err
	}
	var output strings.Builder
	for _, a := range all {
		if err := jlaffayeAct(c, a, &output); err != nil {
			return "", err
		}
	}
	return output.String(), nil
}

func jlaffayeAct(c *ftp.ServerConn, a action, output io.Writer) error {
	switch a.verb {
	case "list":
		entries, err := c.List(a.remote)
		for _, e := range entries {
			fmt.Fprintln(output, e.Name)
		}
		return err
	case "get", "reget":
		return jlaffayeGets(c, a)
	case "get text", "put text":
		if err := c.Type(ftp.TransferTypeASCII); err != nil {
			return err
		}
		a.verb = strings.TrimSuffix(a.verb, " text")
		return errors.Join(jlaffayeAct(c, a, output), c.Type(ftp.TransferTypeBinary))
	case "head":
		return jlaffayeBegins(c, a)
	case "missing":
		var refusal *textproto.Error
		if _, err := c.Retr(a.remote); !errors.As(err, &refusal) ||
			refusal.Code != ftp.StatusFileUnavailable {
			return fmt.Errorf("not refused by 550: %w", err)
		}
		return nil
	case "put":
		return jlaffayePuts(c, a)
	case "reput":
		return jlaffayeResumes(c, a)
	case "rename":
		return c.Rename(a.remote, a.to)
	case "time":
		to, err := time.Parse("20060102150405", a.to)
		return errors.Join(err, c.SetTime(a.remote, to))
	case "delete":
		return c.Delete(a.remote)
	case "mkdir":
		return c.MakeDir(a.remote)
	default:
		return c.RemoveDir(a.remote)
	}
}

// jlaffayeBegins reads the first bytes, and closes before the rest.
func jlaffayeBegins(c *ftp.ServerConn, a action) error {
	r, err := c.Retr(a.remote)
	if err != nil {
		return err
	}
	begun := make([]byte, 2000)
	_, err = io.ReadFull(r, begun)
	r.Close() // its error is the 426
	return errors.Join(err, os.WriteFile(a.local, begun, 0o644))
}

func jlaffayePuts(c *ftp.ServerConn, a action) error {
	f, err := os.Open(a.local)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.Stor(a.remote, f)
}

func jlaffayeGets(c *ftp.ServerConn, a action) error {
	f, err := os.OpenFile(a.local, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r, err := c.RetrFrom(a.remote, uint64(info.Size()))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, r.Close())
}

func jlaffayeResumes(c *ftp.ServerConn, a action) error {
	size, err := c.FileSize(a.remote)
	if err != nil {
		return err
	}
	f, err := os.Open(a.local)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return err
	}
	return c.StorFrom(a.remote, f, uint64(size))
}

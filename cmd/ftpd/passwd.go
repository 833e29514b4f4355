package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"ftpd/pkg/auth"
)

// maxPassword is the longest password in bytes, because the line of a command cannot be longer.
const maxPassword = 1024

func runPasswd(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("passwd", "",
		"ftpd passwd (reads the password twice from the terminal), "+
			"or: printf '%s\\n' SECRET | ftpd passwd\n\n"+
			"It prints an argon2id hash, for password in [[user]]. "+
			"bcrypt, yescrypt, sha512-crypt and sha256-crypt of other programs are accepted too.")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	password, err := readPassword(os.Stdin, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "ftpd passwd:", err)
		return exitError
	}
	hash, err := auth.NewHash(password)
	if err != nil {
		fmt.Fprintln(stderr, "ftpd passwd:", err)
		return exitError
	}
	fmt.Fprintln(stdout, string(hash))
	return exitOK
}

// readPassword reads a password: twice and without echo from a terminal, else from the first line.
func readPassword(in *os.File, prompt io.Writer) (auth.Password, error) {
	if !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, maxPassword+2)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return usable(strings.TrimRight(line, "\r\n"))
	}
	first, err := ask(in, prompt, "Password: ")
	if err != nil {
		return nil, err
	}
	again, err := ask(in, prompt, "Again: ")
	if err != nil {
		return nil, err
	}
	if first != again {
		return nil, errors.New("the two are different")
	}
	return usable(first)
}

// ask reads a line without echo. A signal that ends the program meanwhile restores the terminal.
func ask(in *os.File, prompt io.Writer, what string) (string, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	signals, answered := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	defer close(answered)
	go func() { // ends with ask, or with the program
		select {
		case <-signals:
			term.Restore(fd, before)
			fmt.Fprintln(prompt)
			os.Exit(exitError)
		case <-answered:
		}
	}()
	fmt.Fprint(prompt, what)
	typed, err := term.ReadPassword(fd)
	fmt.Fprintln(prompt)
	return string(typed), err
}

// usable returns an error for a password that a client could not send.
func usable(password string) (auth.Password, error) {
	switch {
	case password == "":
		return nil, errors.New("the password is empty")
	case len(password) > maxPassword:
		return nil, fmt.Errorf("the password is longer than %d bytes", maxPassword)
	case strings.ContainsAny(password, "\x00\r\n"):
		return nil, errors.New("the password holds a control character that FTP cannot send")
	}
	return auth.Password(password), nil
}

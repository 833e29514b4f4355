package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"github.com/go-crypt/x/yescrypt"

	"ftpd/pkg/config"
)

// CheckHash says why a hash cannot be used: it is damaged, or asks for more than the libraries allow. Its errors do not show the hash.
func CheckHash(h config.Hash) error {
	_, err := matcher(h)
	return err
}

// matches says whether the password has that hash. It takes as long, and as much memory, as the hash was made to take.
func matches(h config.Hash, p Password) (bool, error) {
	match, err := matcher(h)
	if err != nil {
		return false, err
	}
	return match(p)
}

// A hash says what it costs to check, so a bound is needed: one that takes minutes or all memory is a mistake, and its user could
// stop the service by trying to log in.
const (
	maxBcrypt  = 16      // 2^16 rounds, some seconds
	maxMemory  = 1 << 20 // KiB, of argon2id
	maxPasses  = 64      // of argon2id
	maxRounds  = 5000000 // of sha-crypt, some seconds
	yescryptAt = "$y$j"  // the form that the library knows; it has bounds of its own
)

// affordable says why a hash costs too much.
func affordable(h config.Hash) error {
	var cost, memory, passes, rounds int
	text := string(h)
	switch h.Kind() {
	case "bcrypt":
		fmt.Sscanf(text[4:], "%d$", &cost)
	case "argon2id":
		fmt.Sscanf(text, "$argon2id$v=19$m=%d,t=%d", &memory, &passes)
	case "sha512-crypt", "sha256-crypt":
		fmt.Sscanf(text[3:], "rounds=%d$", &rounds)
	case "yescrypt":
		if !strings.HasPrefix(text, yescryptAt) || len(text) < 7 || text[4] > 'F' || text[6] != '$' {
			return errors.New("this form of yescrypt, or its cost, is not supported")
		}
	}
	if cost > maxBcrypt || memory > maxMemory || passes > maxPasses || rounds > maxRounds {
		return fmt.Errorf("the %s hash costs too much to check", h.Kind())
	}
	return nil
}

func matcher(h config.Hash) (func(Password) (bool, error), error) {
	if err := affordable(h); err != nil {
		return nil, err
	}
	var digest algorithm.Digest
	var err error
	switch kind := h.Kind(); kind {
	case "yescrypt":
		return func(p Password) (bool, error) { return matchesYescrypt(h, p) }, nil
	case "bcrypt":
		digest, err = bcrypt.Decode(string(h))
	case "argon2id":
		digest, err = argon2.Decode(string(h))
	case "sha512-crypt", "sha256-crypt":
		digest, err = shacrypt.Decode(string(h))
	default:
		return nil, errors.New("not a hash that is known here")
	}
	if err != nil {
		return nil, fmt.Errorf("the %s hash is damaged: %w", h.Kind(), err)
	}
	return func(p Password) (bool, error) { return digest.MatchAdvanced(string(p)) }, nil
}

// matchesYescrypt hashes with the setting in h, as crypt(3) does.
func matchesYescrypt(h config.Hash, p Password) (bool, error) {
	again, err := yescrypt.Hash([]byte(p), []byte(h))
	if err != nil {
		return false, fmt.Errorf("the yescrypt hash: %w", err)
	}
	return subtle.ConstantTimeCompare(again, []byte(h)) == 1, nil
}

// NewHash hashes a password for the configuration, by argon2id with the second set of parameters that RFC 9106 §4 recommends (64 MiB
// of memory, three passes).
func NewHash(p Password) (config.Hash, error) {
	hasher, err := argon2.New(argon2.WithProfileRFC9106LowMemory())
	if err != nil {
		return "", err
	}
	digest, err := hasher.Hash(string(p))
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return config.Hash(digest.Encode()), nil
}

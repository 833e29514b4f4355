package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"github.com/go-crypt/x/yescrypt"

	"ftpd/pkg/config"
)

// A CompareFunc reports whether a password has a hash. Its error is a *Refusal if the password
// cannot be hashed, for its own sake or for that of a damaged hash. Any other error is a failure of
// the service.
type CompareFunc func(config.Hash, Password) (bool, error)

// Compare is the CompareFunc that compares in the calling process. It uses the time and the memory
// that the hash prescribes, within the bounds of config.Hash. The libraries that it calls leave
// copies of the password in the memory of the process.
func Compare(h config.Hash, p Password) (bool, error) {
	match, err := matcher(h)
	if err != nil {
		return false, &Refusal{Cause: err.Error()}
	}
	ok, err := match(p)
	if err != nil {
		return false, &Refusal{Cause: err.Error()}
	}
	return ok, nil
}

// A matchFunc compares a password with one hash.
type matchFunc func(Password) (bool, error)

// matcher returns the function that compares passwords with h. Its error states why the hash
// cannot be used although config.Hash accepted it, and does not show the hash.
func matcher(h config.Hash) (matchFunc, error) {
	var digest algorithm.Digest
	var err error
	switch h.Kind() {
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
	return func(p Password) (bool, error) { return digest.MatchBytesAdvanced(p) }, nil
}

// matchesYescrypt hashes p with the parameters and the salt in h, as crypt(3) does, and compares
// the result with h.
func matchesYescrypt(h config.Hash, p Password) (bool, error) {
	computed, err := yescrypt.Hash(p, []byte(h))
	if err != nil {
		return false, fmt.Errorf("the yescrypt hash: %w", err)
	}
	return subtle.ConstantTimeCompare(computed, []byte(h)) == 1, nil
}

// NewHash hashes a password for the configuration. It uses argon2id with the second set of
// parameters that RFC 9106 §4 recommends (64 MiB of memory, three passes).
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

package transport

// What the tests outside the package need, which use connections in memory.

const (
	MaxHeader2 = maxHeader2
	Signature2 = signature2
)

var ReadHeader = readHeader

package supervisor

// clearUmask does nothing: Windows has no umask.
func clearUmask() {}

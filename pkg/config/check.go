package config

const notSupported = "not supported yet"

func (s *Source) check() {}

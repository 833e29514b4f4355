package main

// hideArgument does nothing: the list of processes shows a copy.
func hideArgument(*string) {}

package main

// hideArgument has nothing to do: what the list of processes shows is a copy.
func hideArgument(*string) {}

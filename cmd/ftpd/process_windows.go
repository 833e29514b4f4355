package main

import (
	"errors"
	"os"
)

// hideArgument has nothing to do: what the list of processes shows is a copy.
func hideArgument(*string) {}

// inheritable is not needed here: the program never replaces itself.
func inheritable(*os.File) (fd int, err error) { return -1, errors.ErrUnsupported }

// Go does not read the limits of the control group, whose files it would keep open.
//go:debug containermaxprocs=0

// Ftpd-auth calls PAM and the name service for ftpd, which starts it. Of the two programs, only
// this one loads their libraries.
package main

import (
	"os"

	"ftpd/pkg/unixauth/pamhelper"
)

func main() { os.Exit(pamhelper.Main(os.Args[1:])) }

// Ftpd-auth asks PAM and the name service for ftpd, which starts it. It is the only program of the two that loads their libraries.
package main

import (
	"os"

	"ftpd/pkg/unixauth/pamhelper"
)

func main() { os.Exit(pamhelper.Main(os.Args[1:])) }

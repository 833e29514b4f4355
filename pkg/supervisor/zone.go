package supervisor

import (
	"os"
	"path/filepath"
	"strings"
)

// localZone returns the TZif file of the local time zone, which a confined core cannot read: the
// file that $TZ names, else /etc/localtime. Where there is none, local time is UTC.
func localZone() []byte {
	path := "/etc/localtime"
	if tz, set := os.LookupEnv("TZ"); set {
		path = strings.TrimPrefix(tz, ":")
		if !filepath.IsAbs(path) {
			path = filepath.Join("/usr/share/zoneinfo", path)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data
}

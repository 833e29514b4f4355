package dtp

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/limit"
)

// Of several limits the lowest decides. A wait for it is no stall, and no second passes
// without a byte.
func TestTransferWaitsForItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := opened(t, Options{Stall: time.Second / 2, Limits: limit.Buckets{
			limit.NewBucket(1 << 30), limit.NewBucket(1000), limit.NewBucket(1001),
		}})
		began := time.Now()
		go func() {
			defer c.Close()
			if err := c.Write(t.Context(), make([]byte, 100_000)); err != nil {
				t.Error(err)
			}
		}()
		last, longest, got := began, time.Duration(0), 0
		for {
			n, err := client.Read(make([]byte, 10_000))
			longest, last, got = max(longest, time.Since(last)), time.Now(), got+n
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(began)
		if took < 99*time.Second || took > 101*time.Second || got != 100_000 ||
			longest > time.Second/5 {
			t.Errorf("%d bytes, 100 seconds' worth, took %v with a pause of %v", got, took, longest)
		}
		client.Close()
	})
}

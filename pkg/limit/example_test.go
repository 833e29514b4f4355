package limit_test

import (
	"context"
	"fmt"

	"ftpd/pkg/config"
	"ftpd/pkg/limit"
)

// The loop of a transfer: bytes move first, and Wait returns when all limits allow the next piece.
func ExampleRates() {
	rates := limit.NewRates(config.Limits{UploadRate: 1 << 30})
	alice := limit.NewLogin("alice", config.Settings{UserUploadRate: 100 << 20})

	buckets := rates.Join(&alice, limit.Upload)
	defer buckets.Leave()
	fmt.Println("at most", buckets.Rate(), "bytes in a second")
	const size = 1 << 20
	moved := 0
	for moved < size {
		n := min(buckets.Piece(), size-moved) // send or receive n bytes here
		moved += n
		if err := buckets.Wait(context.Background(), n); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(moved, "bytes moved")
	// Output:
	// at most 1.048576e+08 bytes in a second
	// 1048576 bytes moved
}

package upstream

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// However its bytes are cut, a head is seen as what it is.
func TestHeadWatch(t *testing.T) {
	const two, both = "Content-Length: 2\r\ncontent-length: 2\r\n\r\n", "transfer-encoding: chunked\r\nX: y\r\nContent-Length: 2\r\n\r\n"
	for text, bad := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi":                                 false,
		"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nHTTP/1.1 200 OK\r\n" + two:        false, // its body
		"HTTP/1.1 200 OK\r\n" + two:                                                      true,
		"HTTP/1.0 200\n" + strings.ReplaceAll(both, "\r", ""):                            true,
		"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200\r\n" + both: true,
		"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n" + two:                  false,
		"the body of an early answer\r\n" + two:                                          false,
		strings.Repeat("x", maxResponseHeaders+1) + "\r\n" + two:                         false,
		"": false,
	} {
		for _, size := range []int{1, 2, 7, 100_000} {
			var w headWatch
			var err error
			w.wrote()
			for chunk := range slices.Chunk([]byte(text), size) {
				if err == nil {
					err = w.read(chunk)
				}
			}
			if errors.Is(err, errMalformed) != bad {
				t.Errorf("%.80q in parts of %d: %v", text, size, err)
			}
		}
	}
}

// What is sent through an upgraded connection is no request.
func TestHeadWatchAfterAnUpgrade(t *testing.T) {
	var w headWatch
	for _, text := range []string{"HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n"} {
		w.wrote()
		if err := w.read([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

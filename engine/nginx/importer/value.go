package importer

import (
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// units are nginx's units of time, the longest first, as it wants them.
var units = []struct {
	name string
	of   time.Duration
}{
	{"y", 365 * 24 * time.Hour}, {"M", 30 * 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour},
	{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// duration is a time as nginx writes it: "60", "1h 30m", "500ms". A bare number
// is seconds. ok is false for what nginx refuses, or what is longer than Go's
// or Envoy's times (some 292 years).
func duration(s string) (total time.Duration, ok bool) {
	rest, left := strings.TrimSpace(s), units
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, false
		}
		rest = rest[digits:]
		word := len(rest) - len(strings.TrimLeft(rest, "yMwdhms"))
		name := rest[:word]
		if name == "" {
			name = "s"
		}
		for len(left) > 0 && left[0].name != name {
			left = left[1:]
		}
		if len(left) == 0 || n > (math.MaxInt64-int64(total))/int64(left[0].of) {
			return 0, false
		}
		total += time.Duration(n) * left[0].of
		left, rest = left[1:], strings.TrimLeft(rest[word:], " ")
	}
	return total, strings.TrimSpace(s) != ""
}

// seconds is a time as nginx writes it, for Envoy; nil for what nginx refuses.
func seconds(s string) *durationpb.Duration {
	d, ok := duration(s)
	if !ok {
		return nil
	}
	return durationpb.New(d)
}

// size is a number of bytes as nginx writes it: "8192", "8k", "1m", "2g".
// ok is false for what nginx refuses.
func size(s string) (bytes uint64, ok bool) {
	scale := uint64(1)
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'k', 'K':
			scale = 1 << 10
		case 'm', 'M':
			scale = 1 << 20
		case 'g', 'G':
			scale = 1 << 30
		}
		if scale > 1 {
			s = s[:n-1]
		}
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > math.MaxInt64/scale {
		return 0, false
	}
	return n * scale, true
}

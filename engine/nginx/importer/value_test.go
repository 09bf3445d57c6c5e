package importer

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "60s": time.Minute, "500ms": 500 * time.Millisecond, "1h 30m": 90 * time.Minute, "1h30m5": 90*time.Minute + 5*time.Second,
		"2M": 60 * 24 * time.Hour, "1y1w": 372 * 24 * time.Hour, "0": 0, "1m 500ms": time.Minute + 500*time.Millisecond,
	} {
		if got, ok := duration(text); !ok || got != want {
			t.Errorf("duration(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "s", "1x", "1m1h", "1s1s", "-1", "99999999999999999999", "400y", "1.5s", "200y 200y", "$time"} {
		if got, ok := duration(text); ok {
			t.Errorf("duration(%q) = %v, want none", text, got)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "512": 512, "8k": 8 << 10, "1M": 1 << 20, "2g": 2 << 30} {
		if got, ok := size(text); !ok || got != want {
			t.Errorf("size(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "k", "1kk", "-1", "1.5m", "9999999999999g"} {
		if got, ok := size(text); ok {
			t.Errorf("size(%q) = %v, want none", text, got)
		}
	}
}

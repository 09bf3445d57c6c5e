package main

import (
	"strings"
	"testing"

	"example.com/meshtui/engine/nginx/predict"
)

// A step is told once by its kind, and by a name as it is, also one of digits.
func TestForetold(t *testing.T) {
	text := foretold(&predict.Answer{Action: predict.Static, Steps: []predict.Step{
		{Kind: "server", Name: "server 00.test", Why: "the only one"},
		{Kind: "uri", Name: "007", Why: "as sent"},
		{Kind: "location", Name: "location /x", Why: "the longest prefix"},
		{Kind: "action", Name: "0", Why: "nginx looks for a file"},
	}})
	want := []string{"nginx itself", "server 00.test the only one", "uri 007 as sent", "location /x the longest prefix", "action nginx looks for a file",
		"answer a file which one, the disk decides"}
	var got []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

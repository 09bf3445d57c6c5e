package xds_test

import (
	"strings"
	"testing"

	"example.com/meshtui/xds"
)

// What does not exist keeps no Envoy from starting: it waits neither 15 s, as it
// does in the state of the world for everything that is asked for by name, nor for
// ever, as it does in delta for routes that are said not to exist.
func TestLiveMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		layer  string
		status int
		texts  []string
	}{
		"routes":       {"", 404, []string{liveWeb + liveRDS + liveRouter}},
		"endpoints":    {"", 200, []string{liveWeb + liveRDS + liveRouter, says("main", "hello"), "cluster\nname: app\ntype: EDS\neds_cluster_config: {eds_config: SOURCE}\n"}},
		"runtime":      {"nosuch", 200, []string{liveWeb + liveRDS + liveRouter, says("main", "hello")}},
		"scopes":       {"", 404, []string{liveWeb + liveScopes + liveRouter}},
		"scope's goal": {"", 404, []string{liveWeb + liveScopes + liveRouter, scope("one", "one", "nosuch")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
				l := newLive(t, v, xds.Options{})
				l.Publish(revision(1, l.mesh(tc.texts...)))
				l.start(tc.layer)
				l.answers(tc.status, "", "/", "X-Scope: one")
				l.waitedForNothing()
			})
		})
	}
}

// The configuration of a filter cannot be made up: an empty one may let everybody
// in. An Envoy that starts waits for it for as long as it is told to, in delta too,
// where it would wait for ever if it heard that there is none.
func TestLiveMissingExtension(t *testing.T) {
	liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		source := strings.Replace(l.source(), "{", "{initial_fetch_timeout: 0.5s, ", 1)
		l.Publish(revision(1, l.mesh(liveWeb+liveRDS+strings.Replace(liveToggle, "SOURCE", source, 1)+liveRouter, says("main", "hello"))))
		l.start("")
		l.answers(500, "", "/")
		l.Publish(revision(2, l.mesh(liveWeb+liveRDS+strings.Replace(liveToggle, "SOURCE", source, 1)+liveRouter, says("main", "hello"),
			strings.Replace(liveFault, "PERCENT", "0", 1))))
		l.answers(200, "hello", "/")
	})
}

// What did not exist when an Envoy started takes the place of what it got instead
// as soon as it does.
func TestLiveMissingComesToBe(t *testing.T) {
	liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		l.Publish(revision(1, l.mesh(liveWeb+liveRDS+liveRouter)))
		l.start("")
		l.answers(404, "", "/")
		l.Publish(revision(2, l.mesh(liveWeb+liveRDS+liveRouter, says("main", "hello"))))
		l.answers(200, "hello", "/")
	})
}

package matchtest

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

// Difference is one point in which a prediction and what happened do not agree.
type Difference struct {
	Kind string // "status", "route", "virtual host", "cluster", "path", "host", "location", "body", "details", "fate", "filter chain"
	Text string // a sentence
}

// Compare asks the matcher for a request and holds its answer against what was
// observed; nil when they agree. Where the weight of a cluster decides, any
// random value that explains what was seen is right. What the data plane did
// not tell (see Options.LocalReplies) is not compared.
func Compare(a Asker, q Request, o Observed) []Difference {
	way := a.Match(&q.Ask)
	found := Differences(way, q, o)
	if len(found) == 0 || way.Cluster != "" || len(way.Weighted) == 0 {
		return found
	}
	var total uint64
	for _, w := range way.Weighted {
		total += uint64(w.Weight)
	}
	for random := range total {
		ask := q.Ask
		ask.Random = &random
		if w := a.Match(&ask); len(Differences(w, q, o)) == 0 {
			return nil
		}
	}
	return found
}

// Differences holds one predicted way against what was observed.
func Differences(way match.Way, q Request, o Observed) []Difference {
	c := &comparison{}
	if o.FilterChain != "" {
		c.same("filter chain", way.FilterChain, o.FilterChain)
	}
	switch way.Action {
	case match.NoListener, match.NoFilterChain:
		if o.Status != 0 {
			c.add("fate", "predicted that the connection is closed (%s), but it was answered with %d", way.Reason, o.Status)
		}
		return c.found
	case match.Forward:
		if way.Status == 0 {
			c.forwarded(way, o)
			return c.found
		}
	case match.Refused:
		if way.Status == 0 && !o.Reached && o.Status == 0 {
			return nil // ended without an answer, as predicted
		}
	case match.Redirect, match.DirectResponse, match.NotFound:
	default:
		c.add("fate", "predicted %s, which is no answer to a request", way.Action)
		return c.found
	}
	c.answered(way, q, o)
	return c.found
}

type comparison struct{ found []Difference }

func (c *comparison) add(kind, format string, args ...any) {
	c.found = append(c.found, Difference{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

func (c *comparison) same(kind, predicted, observed string) {
	if predicted != observed {
		c.add(kind, "the %s is predicted as %q, but was %q", kind, predicted, observed)
	}
}

// forwarded compares a request that a backend should have got.
func (c *comparison) forwarded(way match.Way, o Observed) {
	if !o.Reached {
		c.add("fate", "predicted to reach cluster %q, but %s", way.Cluster, outcome(o))
		return
	}
	c.places(way, o)
	if way.Cluster != "" {
		c.same("cluster", way.Cluster, o.Cluster)
	} else if !slices.ContainsFunc(way.Weighted, func(w routes.Weighted) bool { return w.Weight > 0 && w.Name == o.Cluster }) {
		c.add("cluster", "cluster %q is none of those predicted", o.Cluster)
	}
	c.same("host", way.Host, o.Host)
	if o.Method != "CONNECT" {
		c.same("path", way.Path, o.Path)
	}
}

// answered compares a request that the data plane should have answered itself.
func (c *comparison) answered(way match.Way, q Request, o Observed) {
	if o.Reached {
		c.add("fate", "predicted %s %d%s, but it reached cluster %q", way.Action, way.Status, because(way), o.Cluster)
		return
	}
	if o.Status == 0 && q.Ask.TLS && way.Action == match.Refused && strings.Contains(o.Err, "tls: ") {
		return // the answer is in plain text, and ends the client's handshake
	}
	if o.Status == 0 {
		c.add("fate", "predicted %s %d%s, but %s", way.Action, way.Status, because(way), outcome(o))
		return
	}
	if o.GRPCStatus != "" && o.Status == 200 {
		if want := grpcStatus(way.Status); o.GRPCStatus != want {
			c.add("status", "the gRPC status is predicted as %s (%d), but was %s", want, way.Status, o.GRPCStatus)
		}
	} else if way.Status != o.Status {
		c.add("status", "the status is predicted as %d%s, but was %d %s", way.Status, because(way), o.Status, o.Details)
	}
	c.same("location", way.Location, o.Location)
	if way.Action != match.Refused {
		c.places(way, o)
	}
	if way.Detail != "" && o.Details != "" {
		c.same("details", way.Detail, o.Details)
	}
	if way.Body != "" && q.Ask.Method != "HEAD" && q.Ask.Method != "CONNECT" && o.GRPCStatus == "" {
		c.same("body", way.Body, o.Body)
	}
}

// places compares virtual host and route, as far as the answer tells them. An
// answer that tells nothing at all (a 404 without local replies) is taken as it
// is.
func (c *comparison) places(way match.Way, o Observed) {
	if o.VirtualHost == "" && o.Route == "" && o.Details == "" {
		return
	}
	c.same("virtual host", way.VirtualHost, o.VirtualHost)
	c.same("route", way.Route.Name, o.Route)
}

func because(way match.Way) string {
	if s := strings.TrimSpace(way.Detail + " " + way.Reason); s != "" {
		return " (" + s + ")"
	}
	return ""
}

func outcome(o Observed) string {
	switch {
	case o.Reached:
		return fmt.Sprintf("it reached cluster %q as %s %s, host %s", o.Cluster, o.Method, o.Path, o.Host)
	case o.Status == 0:
		return "there was no answer: " + o.Err
	}
	s := fmt.Sprintf("it was answered with %d %s", o.Status, o.Details)
	if o.Location != "" {
		s += " to " + o.Location
	}
	return s
}

// String says what was observed, for a report.
func (o Observed) String() string {
	s := outcome(o)
	if o.VirtualHost != "" || o.Route != "" {
		s += fmt.Sprintf(" (virtual host %q, route %q)", o.VirtualHost, o.Route)
	}
	return s
}

// grpcStatus is the gRPC status that an HTTP status becomes in a local reply to
// a gRPC request.
func grpcStatus(status int) string {
	switch status {
	case 400:
		return "13"
	case 401:
		return "16"
	case 403:
		return "7"
	case 404:
		return "12"
	case 429, 502, 503, 504:
		return "14"
	}
	return "2"
}

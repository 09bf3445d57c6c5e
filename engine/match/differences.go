package match

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/match/routes"
)

// Differences says, a sentence each, where what was observed is not what was
// predicted; none when they agree, or when nothing was predicted that could be
// compared.
func Differences(w Way, s Seen) []string {
	if w.Action == Undecided {
		return nil
	}
	if s.Status == 0 {
		return withoutAnswer(w, s)
	}
	var out []string
	switch {
	case closes(w):
		out = append(out, fmt.Sprintf("predicted that the connection is closed, but the answer is %d", s.Status))
	case w.Status != 0 && s.Status == 200 && isGRPC(&headers{w.Seen.Headers}):
		// gRPC is answered 200, with the failure in grpc-status.
	case w.Status != 0 && w.Status != s.Status:
		out = append(out, fmt.Sprintf("predicted the answer %d%s, but it is %d", w.Status, because(w.Detail), s.Status))
	case w.Location != "" && w.Location != s.Location:
		out = append(out, fmt.Sprintf("predicted a redirect to %s, but it goes to %s", w.Location, orNowhere(s.Location)))
	}
	return append(out, differentClusters(w, s)...)
}

func withoutAnswer(w Way, s Seen) []string {
	if closes(w) || w.Status == 400 && w.Detail == "http1.codec_error" {
		return nil
	}
	why := s.Err
	if why == "" {
		why = "no reason is known"
	}
	if w.Action == TCPProxy {
		return nil // what answers there, if anything, is not predicted
	}
	if w.Status != 0 {
		return []string{fmt.Sprintf("predicted the answer %d, but there was none: %s", w.Status, why)}
	}
	return []string{fmt.Sprintf("predicted that %s answers, but there was no answer: %s", w.clusters(), why)}
}

// closes reports whether no answer at all is predicted.
func closes(w Way) bool {
	return w.Action == NoListener || w.Action == NoFilterChain || w.Action == Refused && w.Status == 0
}

func because(detail string) string {
	if detail == "" {
		return ""
	}
	return " (" + detail + ")"
}

func orNowhere(location string) string {
	if location == "" {
		return "nowhere (the answer has no Location)"
	}
	return location
}

// differentClusters compares the clusters that were asked, where that is known.
func differentClusters(w Way, s Seen) []string {
	if s.Clusters == nil {
		return nil
	}
	predicted := w.possible()
	var others []string
	for _, c := range s.Clusters {
		if !slices.Contains(predicted, c) && !w.copied(c) {
			others = append(others, c)
		}
	}
	switch {
	case len(predicted) == 0 && len(others) > 0:
		return []string{"predicted that no cluster is asked, but the counters of " + strings.Join(others, ", ") + " moved"}
	case len(predicted) > 0 && len(s.Clusters) == 0:
		return []string{"predicted cluster " + strings.Join(predicted, " or ") + ", but the counters of no cluster moved"}
	case len(others) > 0:
		return []string{"predicted cluster " + strings.Join(predicted, " or ") + ", but the counters of " + strings.Join(others, ", ") + " moved"}
	}
	return nil
}

// possible are the clusters that the request may be sent to; none where Envoy
// answers itself.
func (w Way) possible() []string {
	if w.Action != Forward && w.Action != TCPProxy || w.Status != 0 {
		return nil
	}
	if w.Cluster != "" {
		return []string{w.Cluster}
	}
	var out []string
	for _, c := range w.Weighted {
		if c.Name != "" && c.Weight > 0 {
			out = append(out, c.Name)
		}
	}
	return out
}

// copied reports whether a cluster may get a copy of the request. A mirror whose
// cluster is not known may be any.
func (w Way) copied(cluster string) bool {
	return slices.ContainsFunc(w.Mirrors, func(m routes.Mirror) bool { return m.Cluster == "" || m.Cluster == cluster })
}

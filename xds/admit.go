package xds

import (
	"context"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"example.com/meshtui/engine/mesh"
)

// streamPeer is what a stream's connection tells of who opened it.
func streamPeer(ctx context.Context) Peer {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}
	}
	out := Peer{Remote: p.Addr}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
		out.Certificates = info.State.VerifiedChains[0]
	}
	return out
}

// admit asks whether a node may have the stream that it has opened.
func (s *Server) admit(st *stream, info *corev3.Node) error {
	if s.o.Allow == nil {
		return nil
	}
	p := st.peer
	p.NodeID, p.NodeCluster = info.GetId(), info.GetCluster()
	if err := s.o.Allow(p); err != nil {
		return status.Errorf(codes.PermissionDenied, "node %q is refused: %v", p.NodeID, err)
	}
	return nil
}

// checkSotW refuses a request that is larger than any node's is.
func (s *Server) checkSotW(st *stream, req *discovery.DiscoveryRequest) error {
	if err := checkAsked(st, req.GetTypeUrl(), len(req.GetResourceNames()), len(req.GetResourceLocators())); err != nil {
		return err
	}
	if n := len(req.GetResourceNames()); n > s.o.MaxNames {
		return tooManyNames(req.GetTypeUrl(), n, s.o.MaxNames)
	}
	return checkNames(req.GetTypeUrl(), req.GetResourceNames())
}

// checkDelta is checkSotW for a delta request. How many names come together on
// the subscription is checked when they are added to it.
func (s *Server) checkDelta(st *stream, req *discovery.DeltaDiscoveryRequest) error {
	if err := checkAsked(st, req.GetTypeUrl(), len(req.GetResourceNamesSubscribe()), len(req.GetResourceLocatorsSubscribe())); err != nil {
		return err
	}
	if typeOf(req.GetTypeUrl()) == mesh.VirtualHost {
		return nil // what a downstream asks for must not end the stream of the node
	}
	n := max(len(req.GetResourceNamesSubscribe()), len(req.GetResourceNamesUnsubscribe()), len(req.GetInitialResourceVersions()))
	if n > s.o.MaxNames {
		return tooManyNames(req.GetTypeUrl(), n, s.o.MaxNames)
	}
	for name, version := range req.GetInitialResourceVersions() {
		if err := checkNames(req.GetTypeUrl(), []string{name, version}); err != nil {
			return err
		}
	}
	if err := checkNames(req.GetTypeUrl(), req.GetResourceNamesUnsubscribe()); err != nil {
		return err
	}
	return checkNames(req.GetTypeUrl(), req.GetResourceNamesSubscribe())
}

// checkAsked refuses another type than the stream is for, and what is asked for by
// locators alone: read as no names, it would be everything.
func checkAsked(st *stream, url string, names, locators int) error {
	switch {
	case st.url != "" && url != "" && url != st.url:
		return status.Errorf(codes.InvalidArgument, "this stream is for %s, and %s is asked for on it", shortURL(st.url), shortURL(url))
	case names == 0 && locators > 0:
		return status.Error(codes.InvalidArgument, "resource_locators are not served; ask by resource_names")
	}
	return nil
}

func checkNames(url string, names []string) error {
	if len(url) > maxName {
		return status.Errorf(codes.InvalidArgument, "a type URL has %d bytes; at most %d are taken", len(url), maxName)
	}
	for _, name := range names {
		if len(name) > maxName {
			return status.Errorf(codes.InvalidArgument, "a resource name of %s has %d bytes; at most %d are taken: %.64q…", shortURL(url), len(name), maxName, name)
		}
	}
	return nil
}

func tooManyNames(url string, n, most int) error {
	return status.Errorf(codes.ResourceExhausted, "a subscription to %s with %d names; at most %d are taken", shortURL(url), n, most)
}

// shortURL is what people call a type: "EDS", or its URL where it has no name.
func shortURL(url string) string {
	if t := typeOf(url); t != 0 {
		return t.Service()
	}
	return fmt.Sprintf("%.80q", url)
}

package importer

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// cidrOf is an address or a network as allow and deny have it; nil for anything
// else.
func cidrOf(s string) *corev3.CidrRange {
	n, ok := conf.Network(s)
	if !ok {
		return nil
	}
	return &corev3.CidrRange{AddressPrefix: n.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(n.Bits()))}
}

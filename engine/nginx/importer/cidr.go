package importer

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// cidrOf is an address or a network as allow and deny have it; nil for anything
// else.
func cidrOf(s string) *corev3.CidrRange {
	if a, err := netip.ParseAddr(s); err == nil {
		return &corev3.CidrRange{AddressPrefix: s, PrefixLen: wrapperspb.UInt32(uint32(a.BitLen()))}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil
	}
	return &corev3.CidrRange{AddressPrefix: p.Addr().String(), PrefixLen: wrapperspb.UInt32(uint32(p.Bits()))}
}

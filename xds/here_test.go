package xds

import (
	"net"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Services beside xDS tell of every node. They are for this machine alone.
func TestFurtherServicesAreForThisMachine(t *testing.T) {
	further := map[string]bool{"envoy.service.status.v3.ClientStatusDiscoveryService": true}
	const csds = "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"
	for about, tc := range map[string]struct {
		at     net.Addr
		method string
		want   codes.Code
	}{
		"a unix socket":       {&net.UnixAddr{Name: "/run/xds.sock", Net: "unix"}, csds, codes.OK},
		"loopback":            {&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, csds, codes.OK},
		"loopback of IPv6":    {&net.TCPAddr{IP: net.IPv6loopback}, csds, codes.OK},
		"from elsewhere":      {&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, csds, codes.PermissionDenied},
		"nobody knows where":  {nil, csds, codes.PermissionDenied},
		"xDS, from elsewhere": {&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", codes.OK},
	} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{LocalAddr: tc.at})
		if err := hereOnly(ctx, tc.method, further); status.Code(err) != tc.want {
			t.Errorf("%s: %v, want %v", about, err, tc.want)
		}
	}
}

// What a node beyond this machine says of its loopback is not about ours.
func TestWhereAPeerConnectsFrom(t *testing.T) {
	for _, tc := range []struct {
		at   net.Addr
		want string
	}{
		{nil, ""}, {&net.UnixAddr{Name: "@", Net: "unix"}, ""}, {&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 7}, ""},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7}, "192.0.2.1:7"},
	} {
		if got := remoteOf(Peer{Remote: tc.at}); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.at, got, tc.want)
		}
	}
}

package xds_test

import (
	"strings"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// What would be taken for something else, or kept for nothing, is refused in words.
func TestOddRequestsAreRefused(t *testing.T) {
	fat := map[string]string{"fat": strings.Repeat("x", 1<<20)}
	for about, tc := range map[string]struct {
		stream mesh.Type // 0 for ADS
		node   map[string]string
		req    *discovery.DiscoveryRequest
		want   string
	}{
		"a node of a megabyte":                {0, fat, &discovery.DiscoveryRequest{TypeUrl: resource.ClusterType}, "at most 1048576"},
		"another type than the stream is for": {mesh.Cluster, nil, &discovery.DiscoveryRequest{TypeUrl: resource.ListenerType}, "this stream is for CDS"},
		"locators alone": {0, nil, &discovery.DiscoveryRequest{TypeUrl: resource.ClusterType,
			ResourceLocators: []*discovery.ResourceLocator{{Name: "a"}}}, "resource_locators"},
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t, xds.Options{})
			s.Publish(revision(1, shop(t)))
			c := xdstest.Dial(t, s.addr, xdstest.Config{ID: "n", Metadata: tc.node})
			stream := c.Open()
			if tc.stream != 0 {
				stream = c.OpenType(tc.stream)
			}
			stream.SendSotW(tc.req)
			if err := stream.Err(); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("it ended with %v, want %q", err, tc.want)
			}
		})
	}
}

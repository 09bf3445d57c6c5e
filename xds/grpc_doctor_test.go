package xds_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpcxds "google.golang.org/grpc/xds"

	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/nack/nacktest"
	"example.com/meshtui/xds"
)

// What a gRPC client refuses is found and mended as what an Envoy refuses: one
// really says so, and takes the mended configuration.
func TestGRPCTakesWhatTheDoctorMends(t *testing.T) {
	mended := 0
	cases := nacktest.Load(t, "../engine/nack/testdata/grpc", nil)
	for _, c := range cases {
		d := &doctor{served: serve(t, xds.Options{}), t: t, node: "grpc-1"}
		hang(t, d.addr)
		d.accepted(c.Before)
		rej, diagnoses := d.rejected(c)
		if got, want := nack.Words(rej.Raw), nack.Words(archived(c)); spaced(got) != spaced(want) && !*recordNacks {
			t.Errorf("%s: this client says\n%s\nand not\n%s", c.Name, got, want)
		}
		if *recordNacks {
			record(t, c, rej.Raw)
		}
		if d.mend(c, diagnoses) {
			mended++
		}
	}
	t.Logf("%d of %d mended", mended, len(cases))
}

// spaced leaves out what gRPC's dumps have at random: one blank or two.
func spaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// hang has a gRPC client ask for everything until the test ends.
func hang(t *testing.T, addr string) {
	t.Helper()
	config := fmt.Sprintf(`{"xds_servers": [{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}], "node": {"id": "grpc-1"}}`, addr)
	resolver, err := grpcxds.NewXDSResolverWithConfigForTesting([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("xds:///shop", grpc.WithResolvers(resolver), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	conn.Connect()
	t.Cleanup(func() { _ = conn.Close() })
}

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

// askPatience is how long a running meshtui may take to answer.
const askPatience = 5 * time.Second

func newNodes() *cobra.Command {
	var (
		address string
		asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "Ask a running meshtui what each node was sent and how it answered",
		Long: `Ask a running meshtui over CSDS (envoy.service.status.v3) what each node was sent
and how it answered. Any other CSDS client can ask the same, on the xDS address.

The exit status is 1 when a node has rejected something.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := askNodes(cmd.Context(), address, asJSON)
			if err != nil {
				return err
			}
			if asJSON {
				text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
				if err != nil {
					return fmt.Errorf("the answer cannot be written as JSON: %w", err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), string(text))
				return rejectedBy(r)
			}
			if err := printNodes(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			return rejectedBy(r)
		},
	}
	cmd.Flags().StringVar(&address, "xds", xds.DefaultAddress(), "where the other meshtui listens: unix:PATH, or HOST:PORT on loopback without TLS")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the ClientStatusResponse as JSON, with the resources (private keys taken out)")
	return cmd
}

func askNodes(ctx context.Context, address string, whole bool) (*statusv3.ClientStatusResponse, error) {
	if strings.HasPrefix(address, "/") {
		return nil, usageError(fmt.Errorf("--xds %s: a socket is given as unix:%s", address, address))
	}
	target := address
	if !strings.HasPrefix(address, "unix:") {
		target = "passthrough:///" + address
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return nil, usageError(fmt.Errorf("--xds %s: %w", address, err))
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	r, err := statusv3.NewClientStatusDiscoveryServiceClient(conn).FetchClientStatus(ctx, &statusv3.ClientStatusRequest{ExcludeResourceContents: !whole})
	if err != nil {
		return nil, fmt.Errorf("no meshtui answers at %s: %s; %s", address, status.Convert(err).Message(), elsewhereHint(address))
	}
	return r, nil
}

// elsewhereHint says where else a meshtui may be asked.
func elsewhereHint(address string) string {
	if !strings.HasPrefix(address, "unix:") {
		return "one that serves with --tls answers this on a unix socket alone: give it a second --xds unix:PATH"
	}
	path := strings.TrimPrefix(address, "unix:")
	others, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.sock"))
	others = slices.DeleteFunc(others, func(other string) bool { return other == path })
	if err != nil || len(others) == 0 {
		return "start one, or say where it listens with --xds"
	}
	return "others listen at unix:" + strings.Join(others, ", unix:") + ": say so with --xds"
}

// printNodes lists each node and what it was sent.
func printNodes(out io.Writer, r *statusv3.ClientStatusResponse) error {
	if len(r.GetConfig()) == 0 {
		_, err := fmt.Fprintln(out, "no node has connected")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range r.GetConfig() {
		for _, x := range c.GetGenericXdsConfigs() {
			t, _ := mesh.TypeOfURL(x.GetTypeUrl())
			at := ""
			if x.GetLastUpdated() != nil {
				at = x.GetLastUpdated().AsTime().Local().Format(time.TimeOnly)
			}
			said := ""
			if e := x.GetErrorState(); e != nil {
				said = "  " + strings.Join(strings.Fields(e.GetDetails()), " ")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s%s\n", c.GetNode().GetId(), t.Service(), x.GetName(), x.GetVersionInfo(), at, x.GetClientStatus(), said)
		}
	}
	return w.Flush()
}

// rejectedBy is a status without words when a node has rejected something: the
// list has said it.
func rejectedBy(r *statusv3.ClientStatusResponse) error {
	for _, c := range r.GetConfig() {
		for _, x := range c.GetGenericXdsConfigs() {
			if x.GetClientStatus() == adminv3.ClientResourceStatus_NACKED {
				return &exitError{status: 1}
			}
		}
	}
	return nil
}

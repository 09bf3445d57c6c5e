package csds

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 64 << 20

// errNotLocal is why a client beyond this machine is not asked: the service
// knows no authentication.
var errNotLocal = errors.New("its status (CSDS) is asked only on loopback or a unix socket")

// look asks one gRPC client.
type look struct {
	node string
	conn *grpc.ClientConn
}

// Look makes what asks a gRPC client at "unix:/path", or "host:port" on loopback,
// what it has; node is its id, and another's answer is not taken. It is meant for
// envoy.WatcherOptions.Status. It fails for an address beyond this machine.
func Look(node, address string) (envoy.Looker, error) {
	target, err := localTarget(address)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)), grpc.WithNoProxy())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return &look{node: node, conn: conn}, nil
}

func localTarget(address string) (string, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return "", errors.New("unix: needs a path behind it")
		}
		return address, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is neither unix:PATH nor HOST:PORT", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("%s: %w", address, errNotLocal)
	}
	return "passthrough:///" + address, nil
}

// Close ends the connection.
func (l *look) Close() { _ = l.conn.Close() } // it fails only when closed twice

// Look asks once, and says of each resource that was served how the client has
// it.
func (l *look) Look(ctx context.Context, served map[mesh.Key]proto.Message) (*envoy.Facts, error) {
	out, err := statusv3.NewClientStatusDiscoveryServiceClient(l.conn).FetchClientStatus(ctx, &statusv3.ClientStatusRequest{})
	if err != nil {
		return nil, fmt.Errorf("its status (CSDS) cannot be asked: %s", status.Convert(err).Message())
	}
	held, others := map[mesh.Key][]*statusv3.ClientConfig_GenericXdsConfig{}, ""
	for _, c := range out.GetConfig() { // one for each target that the process dials
		if id := c.GetNode().GetId(); id != l.node {
			others = id
			continue
		}
		for _, g := range c.GetGenericXdsConfigs() {
			if t, ok := mesh.TypeOfURL(g.GetTypeUrl()); ok {
				k := mesh.Key{Type: t, Name: g.GetName()}
				held[k] = append(held[k], g)
			}
		}
	}
	if len(held) == 0 && others != "" {
		return nil, fmt.Errorf("the status (CSDS) at %s is that of node %q", l.conn.Target(), others)
	}
	f := &envoy.Facts{Active: make(map[mesh.Key]envoy.Active, len(served))}
	for k, m := range served {
		f.Active[k] = standing(m, held[k])
	}
	return f, nil
}

// standing is how a client has a resource: in the worst way among the targets
// that it dials, for each of which it keeps its own.
func standing(served proto.Message, held []*statusv3.ClientConfig_GenericXdsConfig) envoy.Active {
	out := envoy.Active{State: envoy.Absent}
	for i, g := range held {
		if a := one(served, g); i == 0 || rank(a.State) < rank(out.State) {
			out = a
		}
	}
	return out
}

func rank(s envoy.ActiveState) int {
	switch s {
	case envoy.ActiveOther:
		return 0
	case envoy.Absent:
		return 1
	case envoy.NotObservable:
		return 2
	}
	return 3
}

// one is how a client has a resource for one target. What it holds counts and not
// its word, since a client that rejected the newest goes on with what it had.
func one(served proto.Message, g *statusv3.ClientConfig_GenericXdsConfig) envoy.Active {
	out := envoy.Active{Detail: strings.Join(strings.Fields(g.GetErrorState().GetDetails()), " ")}
	if g.GetLastUpdated().IsValid() && !g.GetLastUpdated().AsTime().Equal(time.Unix(0, 0)) {
		out.Since = g.GetLastUpdated().AsTime()
	}
	if g.GetXdsConfig() == nil {
		out.State = envoy.Absent
		if out.Detail == "" {
			out.Detail = statusWords(g.GetClientStatus())
		}
		return out
	}
	has, err := g.GetXdsConfig().UnmarshalNew()
	if err != nil {
		return envoy.Active{State: envoy.NotObservable, Detail: "what the client shows of it cannot be read"}
	}
	where := envoy.Difference(served, has)
	if where == "" {
		out.State = envoy.ActiveSame
		return out
	}
	out.State, out.Instead = envoy.ActiveOther, mesh.Redacted(has)
	if out.Detail == "" {
		out.Detail = "differs in " + where
	}
	return out
}

// statusWords says why a client has nothing of a resource.
func statusWords(s adminv3.ClientResourceStatus) string {
	switch s {
	case adminv3.ClientResourceStatus_REQUESTED:
		return "the client has asked for it and waits"
	case adminv3.ClientResourceStatus_DOES_NOT_EXIST:
		return "the client was told that there is none"
	case adminv3.ClientResourceStatus_NACKED:
		return "the client rejected it"
	case adminv3.ClientResourceStatus_TIMEOUT:
		return "the client no longer waits for it"
	case adminv3.ClientResourceStatus_RECEIVED_ERROR:
		return "the client was told of an error"
	}
	return ""
}

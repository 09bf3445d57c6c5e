package adapter

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"

	"example.com/meshtui/engine/task"
	"example.com/meshtui/xds"
)

// Serve answers xDS on one listener and the suite's service on the other until
// ctx ends, and closes both. Nothing is to be served until the service says so.
func Serve(ctx context.Context, o xds.Options, xdsOn, serviceOn net.Listener) error {
	server := xds.New(o)
	g := grpc.NewServer()
	if err := Register(g, New(server)); err != nil {
		return errors.Join(err, xdsOn.Close(), serviceOn.Close())
	}
	group, ctx := task.New(ctx)
	group.Go("xDS server", func() error { return server.Serve(ctx, xdsOn) })
	group.Go("adapter service", func() error {
		if err := g.Serve(serviceOn); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	<-ctx.Done()
	g.Stop()
	return group.Wait()
}

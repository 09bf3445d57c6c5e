// Command cmd runs a meshtui xDS server that a conformance suite drives. See
// package adapter.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest/adapter"
)

// stepDeadline is how long what is removed waits for the answers of a client that
// is not to answer: less than the 3 s for which the suite waits.
const stepDeadline = time.Second

func main() {
	xdsAddr := flag.String("xds", "127.0.0.1:18000", "where xDS is served: host:port on loopback, or unix:/path")
	serviceAddr := flag.String("adapter", "127.0.0.1:17000", "where the suite's service adapter.Adapter is served")
	flag.Parse()
	if err := run(*xdsAddr, *serviceAddr); err != nil {
		fmt.Fprintln(os.Stderr, "adapter:", err)
		os.Exit(1)
	}
}

func run(xdsAddr, serviceAddr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	xdsOn, err := xds.Listen(xdsAddr)
	if err != nil {
		return err
	}
	serviceOn, err := xds.Listen(serviceAddr)
	if err != nil {
		_ = xdsOn.Close() // it is the other address that is reported
		return err
	}
	fmt.Fprintf(os.Stderr, "xDS on %s, adapter.Adapter on %s\n", xdsAddr, serviceAddr)
	return adapter.Serve(ctx, xds.Options{DrainWait: -1, StepDeadline: stepDeadline}, xdsOn, serviceOn)
}

package envoy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	funce "github.com/tetratelabs/func-e"
	"github.com/tetratelabs/func-e/api"
)

// Download fetches Envoy Measured into dir and returns it; when it is there
// already nothing is fetched. progress is called as bytes of the archive arrive,
// total is 0 while it is not known; it may be nil. A download that fails or is
// broken off leaves nothing behind that could be taken for an Envoy.
func Download(ctx context.Context, dir string, progress func(done, total int64)) (Binary, error) {
	return download(ctx, dir, "", progress)
}

// download is Download from another list of versions than func-e's own.
func download(ctx context.Context, dir, versions string, progress func(done, total int64)) (Binary, error) {
	final := filepath.Join(dir, "envoy-"+Measured)
	if b, err := inspect(final, "downloaded"); err == nil {
		return b, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Binary{}, fmt.Errorf("the folder for the download: %w", err)
	}
	work, err := os.MkdirTemp(dir, "download-")
	if err != nil {
		return Binary{}, fmt.Errorf("the folder for the download: %w", err)
	}
	defer os.RemoveAll(work)

	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
	}
	defer transport.CloseIdleConnections()
	var said bytes.Buffer
	options := []api.RunOption{
		api.ConfigHome(filepath.Join(work, "config")), api.DataHome(filepath.Join(work, "data")),
		api.StateHome(filepath.Join(work, "state")), api.RuntimeDir(filepath.Join(work, "run")),
		api.EnvoyVersion(Measured), api.HTTPTransport(counting{transport, progress}),
		api.Out(io.Discard), api.EnvoyOut(io.Discard), api.EnvoyErr(&said),
	}
	if versions != "" {
		options = append(options, api.EnvoyVersionsURL(versions))
	}
	err = funce.Run(ctx, []string{"--version"}, options...)
	if ctx.Err() != nil {
		return Binary{}, fmt.Errorf("the download of Envoy was broken off: %w", ctx.Err())
	}
	if err != nil {
		return Binary{}, fmt.Errorf("the download of Envoy %s failed: %w%s (put an envoy on PATH, or name one with --envoy PATH)",
			Measured, oneLine{err}, firstLine(": ", said.String()))
	}
	got := filepath.Join(work, "data", "envoy-versions", Measured, "bin", "envoy")
	if _, err := inspect(got, "downloaded"); err != nil {
		return Binary{}, fmt.Errorf("what was downloaded does not run: %w", err)
	}
	if err := os.Rename(got, final); err != nil {
		return Binary{}, fmt.Errorf("the download: %w", err)
	}
	return inspect(final, "downloaded")
}

// oneLine is an error whose text stays on one line.
type oneLine struct{ error }

// Error is the text without line breaks.
func (e oneLine) Error() string { return squeeze(e.error.Error()) }

// Unwrap is the error itself.
func (e oneLine) Unwrap() error { return e.error }

// counting tells how much of an archive has come.
type counting struct {
	next     http.RoundTripper
	progress func(done, total int64)
}

// RoundTrip watches the body of what is not the list of versions.
func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil || c.progress == nil || strings.HasSuffix(req.URL.Path, ".json") {
		return res, err
	}
	res.Body = &countedBody{ReadCloser: res.Body, total: max(0, res.ContentLength), progress: c.progress}
	return res, nil
}

type countedBody struct {
	io.ReadCloser
	done, total int64
	progress    func(done, total int64)
}

// Read reads and tells.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.done += int64(n)
		b.progress(b.done, b.total)
	}
	return n, err
}

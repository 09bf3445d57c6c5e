package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

func newServe() *cobra.Command {
	var (
		envoys envoyFlags
		listen listenFlags
		rolls  rolloutFlags
		watch  bool
		first  []string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "serve PATH",
		Short: "Serve a workspace without a screen, one line an event",
		Long: `Serve a filesystem-xDS folder or an Envoy bootstrap over xDS and print one line
an event to stdout: listening, pushed, outcome, widened, connected, disconnected,
refused, finding, sent, warming, acked, rejected, active. It starts no Envoy unless --nodes says how many.

A file that is wrong at the start ends it with status 1. With --watch a saved
file is checked and pushed; a bad one is reported and the last good one is
served on.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			s := &serving{watch: watch, first: first, printer: printer{out: cmd.OutOrStdout(), json: asJSON}}
			return s.run(cmd.Context(), a[0], sessionOptions{path: a[0], listen: listen, rolls: rolls, envoys: envoys,
				say: func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&watch, "watch", false, "push what is saved to the files")
	f.StringArrayVar(&first, "first", nil, "with --watch: a glob of node ids that get a change first; the rest follows when they have accepted it; may be given several times")
	f.BoolVar(&asJSON, "json", false, "one JSON object an event")
	listen.bind(cmd)
	rolls.bind(cmd)
	envoys.bind(cmd, 0)
	return cmd
}

// serving is a session without a screen.
type serving struct {
	printer
	watch    bool
	first    []string // who gets a change first; empty for all at once
	pushed   int      // number of the revision that was pushed here last
	narrator *narrator
	teller   revisionTeller
	session  *session
	disk     *engine.DiskChange // told last
	told     told               // of the workspace
	files    told               // of the files of secrets
	noted    int                // how many of the session's notes were told
}

// run serves until the context ends.
func (s *serving) run(ctx context.Context, path string, o sessionOptions) (err error) {
	o.open = func(ctx context.Context, eo engine.Options) (*engine.Workspace, error) {
		return openForServing(ctx, path, eo)
	}
	s.teller.began = time.Now()
	if s.session, err = startSession(ctx, o); err != nil {
		return err
	}
	defer func() {
		if errors.Is(err, errReaderGone) {
			err = nil // `serve | head`: an orderly end
		}
		err = errors.Join(err, s.session.stop())
	}()
	s.teller.earlier = s.session.held
	s.narrator = newNarrator(s.session.diagnose)
	state := s.session.workspace.State()
	var first []event
	for _, address := range s.session.listening.addresses() {
		first = append(first, event{Time: s.teller.began, Event: "listening", Detail: address})
	}
	out := newOutbox(s.printAll)
	out.put(append(first, s.opened(state)...))
	err = s.follow(ctx, out)
	return errors.Join(err, out.close())
}

// openForServing opens the workspace and refuses one with errors: without a
// screen nobody could mend it.
func openForServing(ctx context.Context, path string, o engine.Options) (*engine.Workspace, error) {
	fs, err := checkPath(path)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		if f.Severity == mesh.Error {
			return nil, errors.New(f.String())
		}
	}
	return engine.Open(ctx, path, o)
}

// opened tells what is to be said of the workspace as it was opened.
func (s *serving) opened(state *engine.State) []event {
	out := findings(state.At, state.Notices)
	var all []mesh.Finding
	if state.ReadOnly != "" {
		out = append(out, event{Time: state.At, Event: "finding", Detail: "read-only: " + state.ReadOnly + "; what is on disk is served, and nothing is pushed"})
	}
	for _, g := range state.Groups {
		if state.Draft == 0 { // else they are of a draft of the screen's, which is not served
			all = append(all, g.Findings...)
		}
	}
	out = append(out, s.told.news(state.At, all)...)
	return append(out, s.notes(state.At)...)
}

// notes tells what the session noted since it was asked last.
func (s *serving) notes(at time.Time) []event {
	var out []event
	noted := s.session.noted()
	for _, n := range noted[s.noted:] {
		out = append(out, event{Time: at, Event: "finding", Severity: mesh.Warning.String(), Detail: n.Text})
	}
	s.noted = len(noted)
	return out
}

// errReaderGone is that nobody reads the events any more.
var errReaderGone = errors.New("the reader of the events went away")

func (s *serving) printAll(events []event) error {
	for _, e := range events {
		err := s.print(e)
		if errors.Is(err, syscall.EPIPE) {
			return errReaderGone
		}
		if err != nil {
			return fmt.Errorf("writing an event: %w", err)
		}
	}
	return nil
}

// follow tells what happens until the context ends, the session breaks or the
// reader goes away.
func (s *serving) follow(ctx context.Context, out *outbox) error {
	served, stop1 := s.session.server.Changed()
	defer stop1()
	seen, stop2 := s.session.watcher.Changed()
	defer stop2()
	edited, stop3 := s.session.workspace.Changed()
	defer stop3()
	renewed, stop4 := s.session.secrets.wakes.Changed()
	defer stop4()
	for {
		out.put(s.news())
		select {
		case err := <-out.ended:
			out.ended <- nil // it is told here
			return err
		case <-ctx.Done():
			return nil
		case <-s.session.ctx.Done():
			return context.Cause(s.session.ctx)
		case <-served:
		case <-seen:
		case <-edited:
		case <-renewed:
		}
	}
}

// news is what happened since it was asked last, in the order of its times. What
// became of a revision is looked at before the wire, so that the answers it rests
// on are told with it or were before.
func (s *serving) news() []event {
	w := s.session.workspace
	out := append(s.notes(time.Now()), s.teller.tell(w.State())...)
	out = append(out, s.narrator.wire(s.session.server.Wire())...)
	out = append(out, s.widen()...)
	for _, n := range s.session.server.State().Nodes {
		out = append(out, s.narrator.facts(n, s.session.watcher.Facts(n.ID))...)
	}
	if s.watch {
		out = append(out, s.takeDisk()...)
	}
	out = append(out, s.files.news(time.Now(), s.session.secrets.Findings())...)
	return inOrder(out)
}

// inOrder sorts events by time; those of one moment keep their order.
func inOrder(events []event) []event {
	slices.SortStableFunc(events, func(a, b event) int { return a.Time.Compare(b.Time) })
	return events
}

// takeDisk pushes a change that was saved to the files, or tells why not.
func (s *serving) takeDisk() []event {
	w := s.session.workspace
	d := w.State().Disk
	if d == nil || d == s.disk {
		return nil
	}
	s.disk = d
	if len(d.Problem) > 0 {
		return append(s.told.news(d.At, d.Problem), s.servedOn(d.At, "it cannot be read whole"))
	}
	err := w.TakeDisk()
	if err == nil {
		var r *engine.Revision
		if r, err = w.Push(engine.PushOptions{Note: "saved to disk", Only: s.first}); err == nil {
			s.pushed = r.Number
		}
	}
	if errors.Is(err, engine.ErrNothingToPush) {
		return []event{{Time: d.At, Event: "finding", Severity: mesh.Note.String(), Detail: "the files say what is served already"}}
	}
	var refused *engine.PushError
	if err != nil && !errors.As(err, &refused) {
		return []event{{Time: d.At, Event: "finding", Severity: mesh.Error.String(), Detail: err.Error()}}
	}
	var all []mesh.Finding
	for _, g := range w.State().Groups {
		all = append(all, g.Findings...)
	}
	out := s.told.news(d.At, all)
	if refused != nil {
		out = append(out, s.servedOn(d.At, "of "+count(len(refused.Findings), "error")))
	}
	return out
}

// servedOn tells that what was saved was not pushed, and what is served instead.
func (s *serving) servedOn(at time.Time, because string) event {
	text := "what was saved was not pushed, because " + because
	if head := s.session.workspace.State().Head(); head != nil {
		text += fmt.Sprintf("; revision %d is served on", head.Number)
	}
	return event{Time: at, Event: "finding", Severity: mesh.Error.String(), Detail: text}
}

// told are the findings that were told and still stand.
type told map[mesh.Finding]bool

// news tells findings, each once for as long as it stands: what was told and is
// gone is told again when it comes back.
func (t *told) news(at time.Time, fs []mesh.Finding) []event {
	now := told{}
	var fresh []mesh.Finding
	for _, f := range fs {
		if !now[f] && !(*t)[f] {
			fresh = append(fresh, f)
		}
		now[f] = true
	}
	*t = now
	return findings(at, fresh)
}

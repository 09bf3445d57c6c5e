package task_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"example.com/meshtui/engine/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken")

func TestGroup(t *testing.T) {
	for name, tc := range map[string]struct {
		first func(context.Context) error
		check func(*testing.T, error)
	}{
		"an error ends the others": {func(context.Context) error { return errBroken }, func(t *testing.T, err error) {
			if !errors.Is(err, errBroken) {
				t.Error(err)
			}
		}},
		"a panic comes back with its stack": {func(context.Context) error { panic("boom") }, func(t *testing.T, err error) {
			var p *task.PanicError
			if !errors.As(err, &p) || p.Name != "first" || p.Value != "boom" || !strings.Contains(string(p.Stack), "task_test.go") {
				t.Errorf("%v", err)
			}
			if !strings.Contains(err.Error(), "first stopped unexpectedly: boom") {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g, ctx := task.New(context.Background())
			g.Go("waiting", func() error { <-ctx.Done(); return ctx.Err() })
			g.Go("first", func() error { return tc.first(ctx) })
			<-ctx.Done() // ended by the failure alone: nobody called Stop
			tc.check(t, g.Wait())
			if cause := context.Cause(ctx); cause == nil || errors.Is(cause, context.Canceled) {
				t.Errorf("the context does not say why: %v", cause)
			}
		})
	}
}

func TestStopIsNoFailure(t *testing.T) {
	g, ctx := task.New(context.Background())
	g.Go("waiting", func() error { <-ctx.Done(); return ctx.Err() })
	g.Stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestParentEndsTheGroup(t *testing.T) {
	parent, cancel := context.WithCancel(context.Background())
	g, ctx := task.New(parent)
	g.Go("waiting", func() error { <-ctx.Done(); return ctx.Err() })
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestWaitJoinsWhatWentWrong(t *testing.T) {
	other := errors.New("other")
	g, _ := task.New(context.Background())
	g.Go("a", func() error { return errBroken })
	g.Go("b", func() error { return other })
	if err := g.Wait(); !errors.Is(err, errBroken) || !errors.Is(err, other) {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	if err := task.Run("fine", func() error { return nil }); err != nil {
		t.Error(err)
	}
	var p *task.PanicError
	var none []int
	if err := task.Run("out of range", func() error { _ = none[len(os.Args)]; return nil }); !errors.As(err, &p) {
		t.Errorf("a panic came back as %v", err)
	}
}

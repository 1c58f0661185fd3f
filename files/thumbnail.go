package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
)

// Thumbnail returns the square picture of an image that the caller may read, of one of [core.ThumbnailSizes]. It is made when it is
// first asked for.
func (s *Service) Thumbnail(ctx context.Context, of Of, side int) (*File, error) {
	const op = "files.Thumbnail"
	if !slices.Contains(core.ThumbnailSizes, side) {
		return nil, core.E(op, core.Invalid, core.At{Column: "thumbnail"}, fmt.Sprintf("a thumbnail has one of the sides %v, in pixels", core.ThumbnailSizes))
	}
	info, c, err := s.store.File(ctx, s.store.Snapshot(), of)
	if err != nil {
		return nil, core.E(op, err)
	}
	if c.Kind != core.Image {
		return nil, core.E(op, core.Invalid, core.At{Column: of.Column}, "only a column of the kind image has thumbnails: download the file itself")
	}
	a := Address(info.SHA256)
	content, err := s.cache.open(a, side)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.draw(ctx, info, side); err == nil {
			content, err = s.cache.open(a, side)
		}
	}
	if err != nil {
		return nil, core.E(op, err)
	}
	return picture(info, content)
}

// picture describes a thumbnail.
func picture(of core.FileInfo, c *os.File) (*File, error) {
	i, err := c.Stat()
	if err == nil && i.Size() == 0 {
		_ = c.Close()
		return nil, core.E("files.picture", core.Invalid, "the image cannot be decoded, or not in time, so it has no thumbnail")
	}
	head := make([]byte, 8)
	if err == nil {
		_, err = c.ReadAt(head, 0)
	}
	if err != nil {
		_ = c.Close()
		return nil, core.E("files.picture", err)
	}
	of.MediaType, of.Size = "image/jpeg", i.Size()
	if bytes.Equal(head, []byte("\x89PNG\r\n\x1a\n")) {
		of.MediaType = "image/png"
	}
	return &File{of, c}, nil
}

// draw makes a thumbnail. One is made at a time, since each needs the memory of a whole image. Of an image that cannot be decoded
// an empty one is kept, so that nobody makes us try again and again.
func (s *Service) draw(ctx context.Context, f core.FileInfo, side int) error {
	a := Address(f.SHA256)
	select {
	case s.cache.turn <- struct{}{}:
		defer func() { <-s.cache.turn }()
	case <-ctx.Done():
		return core.E("files.draw", core.Unavailable, "other thumbnails are being made: try again", ctx.Err())
	}
	if s.cache.has(a, side) { // somebody else was faster
		return nil
	}
	c, err := s.contentOf(ctx, f)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	alone := context.WithoutCancel(ctx) // it has a time of its own: the request may have waited for its turn
	err = s.cache.put(a, side, func(w io.Writer) error { return thumbnail(alone, f.MediaType, c, side, w) })
	if core.KindOf(err) == core.Invalid {
		return errors.Join(err, s.cache.put(a, side, func(io.Writer) error { return nil }))
	}
	return err
}

// cache is the folder of thumbnails: ab/cd/abcd...-144.
type cache struct {
	root *os.Root
	turn chan struct{} // held by who makes a thumbnail
}

func openCache(folder string) (*cache, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, core.E("files.openCache", core.Unavailable, fmt.Sprintf("the folder of the thumbnails, %s, cannot be made", folder), err)
	}
	root, err := os.OpenRoot(folder)
	return &cache{root, make(chan struct{}, 1)}, core.E("files.openCache", err)
}

func (c *cache) name(a Address, side int) string { return a.path() + "-" + strconv.Itoa(side) }

func (c *cache) open(a Address, side int) (*os.File, error) { return c.root.Open(c.name(a, side)) }

func (c *cache) has(a Address, side int) bool {
	_, err := c.root.Stat(c.name(a, side))
	return err == nil
}

// put writes a thumbnail, which is there whole or not at all.
func (c *cache) put(a Address, side int, write func(io.Writer) error) error {
	name := c.name(a, side)
	if err := c.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return diskError(err)
	}
	part := name + "-" + string(core.NewID())
	f, err := c.root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return diskError(err)
	}
	err = write(f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = c.root.Rename(part, name)
	}
	if err != nil {
		_ = c.root.Remove(part)
	}
	return err
}

// remove forgets the thumbnails of a content.
func (c *cache) remove(a Address) error {
	for _, side := range core.ThumbnailSizes {
		if err := c.root.Remove(c.name(a, side)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return core.E("files.remove", err)
		}
	}
	return nil
}

// tidy removes the thumbnails of contents that are gone, and what processes left that died while they made one.
func (c *cache) tidy(ctx context.Context, before time.Time, kept func(Address) bool) error {
	return fs.WalkDir(c.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case e.IsDir():
			return nil
		}
		of, rest, _ := strings.Cut(e.Name(), "-")
		a, bad := ParseAddress(of)
		if i, err := e.Info(); err != nil || i.ModTime().After(before) || bad == nil && !strings.Contains(rest, "-") && kept(a) {
			return nil // gone, or somebody is at it, or in its place
		}
		if err := c.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

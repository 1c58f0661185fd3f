package files

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"colonnade/core"
	"colonnade/tables"
)

// MaxSize is the largest file that is taken in unless [Options] says otherwise, in bytes.
const MaxSize = 100 << 20

// KeepUploads is how long a file waits for a record that names it unless [Options] says otherwise.
const KeepUploads = 24 * time.Hour

// waitingFactor is how many of the largest files of one user may wait for records together, by their bytes.
const waitingFactor = 10

// Options of a [Service]. Contents and Cache are needed; the zero value of everything else works.
type Options struct {
	Contents Store
	Cache    string // the folder of thumbnails; what is in it can be made anew

	MaxSize int64         // of one file, in bytes; [MaxSize] when 0
	Keep    time.Duration // how long a file waits for a record that names it; [KeepUploads] when 0
	Log     *slog.Logger  // slog.Default when nil
}

// Service takes files in and hands them out, for callers.
type Service struct {
	store *tables.Store
	o     Options
	cache *cache
}

// New returns the service of the store.
func New(store *tables.Store, o Options) (*Service, error) {
	if o.MaxSize == 0 {
		o.MaxSize = MaxSize
	}
	if o.Keep == 0 {
		o.Keep = KeepUploads
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c, err := openCache(o.Cache)
	if err != nil {
		return nil, core.E("files.New", err)
	}
	return &Service{store: store, o: o, cache: c}, nil
}

// Close ends the use of the folder of thumbnails.
func (s *Service) Close() error { return core.E("files.Close", s.cache.root.Close()) }

// MaxSize returns the size of the largest file that is taken in, in bytes.
func (s *Service) MaxSize() int64 { return s.o.MaxSize }

// MayUpload returns nil when the caller may upload files at all.
func (s *Service) MayUpload(ctx context.Context) error {
	return core.E("files.MayUpload", s.store.MayUpload(ctx, s.store.Snapshot()))
}

// Upload takes a file in for the caller, who can name it in a record from now on. What it is the content says, not the name.
func (s *Service) Upload(ctx context.Context, name string, r io.Reader) (f core.FileInfo, err error) {
	const op = "files.Upload"
	if err := checkName(name); err != nil {
		return f, core.E(op, err)
	}
	if err := s.MayUpload(ctx); err != nil {
		return f, core.E(op, err)
	}
	staged, err := s.o.Contents.Stage(ctx, r, s.o.MaxSize)
	if err != nil {
		return f, core.E(op, err)
	}
	defer staged.Drop()
	f = core.FileInfo{ID: core.NewID(), Name: name, Size: staged.Size(), SHA256: string(staged.Address())}
	if err := look(staged, &f); err != nil {
		return f, core.E(op, err)
	}
	err = s.store.AddFile(ctx, f, waitingFactor*s.o.MaxSize, func() error { return staged.Keep(ctx) })
	return f, core.E(op, err)
}

// look finds out what the content is.
func look(staged Staged, f *core.FileInfo) error {
	c, err := staged.Open()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	found, err := mimetype.DetectReader(c)
	if err != nil {
		return err
	}
	f.MediaType, _, _ = strings.Cut(found.String(), ";")
	f.Width, f.Height, err = size(f.MediaType, c)
	return err
}

// File is a content with what is known of it.
type File struct {
	core.FileInfo
	Content
}

// Path is where files are uploaded, and downloaded by Path/TABLE/RECORD/COLUMN.
const Path = tables.FilePath

// Of names the file of a record.
type Of = tables.FileOf

// Open returns a file that the caller may read: see [tables.Store.File].
func (s *Service) Open(ctx context.Context, of Of) (*File, error) {
	const op = "files.Open"
	info, _, err := s.store.File(ctx, s.store.Snapshot(), of)
	if err != nil {
		return nil, core.E(op, err)
	}
	c, err := s.contentOf(ctx, info)
	if err != nil {
		return nil, core.E(op, err)
	}
	return &File{info, c}, nil
}

// contentOf returns the content of a file. That it is missing is no news for strangers, and an alarm for the operator.
func (s *Service) contentOf(ctx context.Context, f core.FileInfo) (Content, error) {
	c, err := s.o.Contents.Open(ctx, Address(f.SHA256))
	if core.KindOf(err) == core.NotFound {
		return nil, core.E("files.contentOf", core.Unavailable, "the content of the file is not there: restore the folder of the files", errors.New(err.Error()))
	}
	return c, err
}

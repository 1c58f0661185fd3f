// Package clients is an example of a program that works with its tables through a client that colonnade codegen has written:
// package library, made from the files in tables.
//
//	colonnade apply examples/clients
//	colonnade codegen --lang go --package library --tables book,loan --out examples/clients/library/client.go
package clients

import (
	"context"
	"errors"
	"fmt"
	"io"

	"colonnade/examples/clients/library"
)

// Run lends a book and takes it back. It prints what it sees.
func Run(ctx context.Context, url, key string, out io.Writer) error {
	c := &library.Client{URL: url, Key: key}
	books, err := c.InsertBook(ctx,
		library.BookInsertInput{
			Title: library.Some("The Tin Drum"), Pages: library.Some[int64](576), Genre: library.Some("novel"),
			Loans: library.Some(library.LoanArrRelInsertInput{Data: []library.LoanInsertInput{{Reader: library.Some("Ann"), Due: library.Some("2030-01-31")}}}),
		},
		library.BookInsertInput{Title: library.Some("Duino Elegies"), Genre: library.Some("poems")})
	if err != nil {
		return err
	}

	long := &library.BookBoolExp{Pages: &library.BigintComparisonExp{Gt: library.Ptr[int64](100)}}
	none, err := c.CountBook(ctx, &library.BookBoolExp{ID: &library.UuidComparisonExp{In: []string{}}})
	if err != nil {
		return err
	}
	n, err := c.CountBook(ctx, long)
	if err != nil {
		return err
	}
	all, err := c.ListBook(ctx, library.List[library.BookBoolExp, library.BookOrderBy]{
		Where:   &library.BookBoolExp{ID: &library.UuidComparisonExp{In: []string{books[0].ID, books[1].ID}}},
		OrderBy: []library.BookOrderBy{{Title: library.Ptr(library.OrderByAsc)}},
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%d books, %d of them long, %d of no id, the first is %s\n", len(all), n, none, *all[0].Title)

	onLoan := &library.LoanBoolExp{Book: long, Returned: &library.BooleanComparisonExp{IsNull: library.Ptr(true)}}
	loans, err := c.ListLoan(ctx, library.List[library.LoanBoolExp, library.LoanOrderBy]{Where: onLoan})
	if err != nil {
		return err
	}
	for _, l := range loans {
		_, _ = fmt.Fprintf(out, "%s has it until %s\n", *l.Reader, *l.Due)
		back, err := c.UpdateLoan(ctx, l.ID, library.LoanSetInput{Returned: library.Some(true), Due: library.Null[string]()})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "returned: %t, due: %v\n", *back.Returned, back.Due)
		if _, err := c.DeleteLoan(ctx, l.ID); err != nil {
			return err
		}
	}

	var refused *library.Error
	_, err = c.InsertLoan(ctx, library.LoanInsertInput{BookID: library.Some(books[0].ID), Reader: library.Some(" ")})
	if !errors.As(err, &refused) {
		return fmt.Errorf("a loan without a reader was not refused: %w", err)
	}
	_, _ = fmt.Fprintf(out, "refused: %s (%s)\n", refused, refused.Extensions.Rule)

	for _, b := range books {
		if _, err := c.DeleteBook(ctx, b.ID); err != nil {
			return err
		}
	}
	gone, err := c.GetBook(ctx, books[0].ID)
	_, _ = fmt.Fprintf(out, "gone: %t\n", gone == nil)
	return err
}

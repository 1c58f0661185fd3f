// A program that works with its tables through a client that colonnade codegen has written: client.ts, made from the files in
// ../tables.
import { Colonnade, ColonnadeError, type Book } from './client.js';

/** Lends a book and takes it back. Returns what it sees. */
export async function run(url: string, key: string): Promise<string[]> {
  const seen: string[] = [];
  const colonnade = new Colonnade({ url, key });
  const books = colonnade.table('book');
  const loans = colonnade.table('loan');

  const made = await books.insert(
    [{ title: 'The Tin Drum', pages: 576, genre: 'novel', loans: { data: [{ reader: 'Ann', due: '2030-01-31' }] } }, { title: 'Duino Elegies', genre: 'poems' }],
    { id: true },
  );
  const ids = made.map((b) => b.id);
  const list = await books.list(
    { title: true, pages: true, loans: { $: { where: { returned: { _is_null: true } }, limit: 5 }, id: true, reader: true, book: { title: true } } },
    { where: { id: { _in: ids } }, order_by: [{ title: 'asc' }] },
  );
  const titles: Book['title'][] = list.map((b) => b.title);
  seen.push(`${titles.length} books, ${await books.count({ id: { _in: ids }, pages: { _gt: 100 } })} of them long, the first is ${titles[0]}`);

  // @ts-expect-error: it was not asked for
  list[0]?.isbn;
  // @ts-expect-error: there is no such column
  await books.list({ nothing: true }, { where: { id: { _in: [] } } }).catch(() => undefined);

  const lost: { isbn?: string } = {};
  await books.list({ id: true }, { where: { isbn: { _eq: lost.isbn } } }).catch((error: Error) => seen.push(error.message));

  for (const loan of list.flatMap((b) => b.loans)) {
    seen.push(`${loan.reader} has ${loan.book?.title}`);
    const back = await loans.update(loan.id, { returned: true, due: null }, { returned: true, due: true });
    seen.push(`returned: ${back?.returned}, due: ${back?.due}`);
    await loans.delete(loan.id, { id: true });
  }
  try {
    await loans.insert([{ book_id: ids[0]!, reader: ' ' }], { id: true });
  } catch (error) {
    if (!(error instanceof ColonnadeError)) throw error;
    seen.push(`refused: ${error.message}`);
  }
  for (const id of ids) await books.delete(id, { id: true });
  seen.push(`gone: ${(await books.byId(ids[0]!, { id: true })) === null}`);
  return seen;
}

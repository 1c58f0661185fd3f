// Made by colonnade codegen: make it anew when the schema changes, in place of editing it.

/** Book */
export interface Book {
  __typename: 'book';
  /** The place of the record in its list, for after and before; null outside a list. */
  _cursor: string | null;
  /** Names the record among those of all tables, for node. */
  _id: string;
  /** When the record was created. */
  created_at: string | null;
  /** The user who created the record. */
  created_by: string | null;
  /** One of novel, poems, science. */
  genre: string | null;
  /** The primary key. */
  id: string;
  isbn: string | null;
  keywords: unknown | null;
  loans: Loan[];
  pages: number | null;
  price: number | null;
  title: string | null;
  /** When the record was last changed. */
  updated_at: string | null;
  /** The user who last changed the record. */
  updated_by: string | null;
  /** Rises by one with every change of the record. */
  version: number | null;
}

/** Loan: Who has a book. */
export interface Loan {
  __typename: 'loan';
  /** The place of the record in its list, for after and before; null outside a list. */
  _cursor: string | null;
  /** Names the record among those of all tables, for node. */
  _id: string;
  book: Book | null;
  book_id: string | null;
  /** When the record was created. */
  created_at: string | null;
  /** The user who created the record. */
  created_by: string | null;
  due: string | null;
  /** The primary key. */
  id: string;
  reader: string | null;
  returned: boolean | null;
  /** When the record was last changed. */
  updated_at: string | null;
  /** The user who last changed the record. */
  updated_by: string | null;
  /** Rises by one with every change of the record. */
  version: number | null;
}

/** Conditions on a Boolean: all of them must hold. */
export interface BooleanComparisonExp {
  /** Equal. */
  _eq?: boolean | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: boolean[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Not equal. */
  _neq?: boolean | null;
  /** Equal to none of them. */
  _nin?: boolean[] | null;
}

/** Conditions on a Int: all of them must hold. */
export interface IntComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: number[] | null;
  /** Equal. */
  _eq?: number | null;
  /** Greater. */
  _gt?: number | null;
  /** Greater or equal. */
  _gte?: number | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: number[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Less. */
  _lt?: number | null;
  /** Less or equal. */
  _lte?: number | null;
  /** Not equal. */
  _neq?: number | null;
  /** Equal to none of them. */
  _nin?: number[] | null;
}

/** Conditions on a String: all of them must hold. */
export interface StringComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: string[] | null;
  /** Equal. */
  _eq?: string | null;
  /** Greater. */
  _gt?: string | null;
  /** Greater or equal. */
  _gte?: string | null;
  /** Like a pattern, in upper or lower case. */
  _ilike?: string | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: string[] | null;
  /** A regular expression finds something in it, in upper or lower case. */
  _iregex?: string | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Like a pattern: % stands for any characters, _ for one. */
  _like?: string | null;
  /** Less. */
  _lt?: string | null;
  /** Less or equal. */
  _lte?: string | null;
  /** Not equal. */
  _neq?: string | null;
  /** Not like a pattern, in upper or lower case. */
  _nilike?: string | null;
  /** Equal to none of them. */
  _nin?: string[] | null;
  /** A regular expression finds nothing in it, in upper or lower case. */
  _niregex?: string | null;
  /** Not like a pattern. */
  _nlike?: string | null;
  /** A regular expression finds nothing in it. */
  _nregex?: string | null;
  /** Not like a pattern of SIMILAR TO. */
  _nsimilar?: string | null;
  /** A regular expression (RE2) finds something in it. */
  _regex?: string | null;
  /** Like a pattern of SIMILAR TO in SQL, where % and _ are wild and | * + ? {m,n} ( ) [ ] are those of regular expressions. */
  _similar?: string | null;
  /** Begins with it. */
  _starts_with?: string | null;
}

/** Conditions on a bigint as another type. */
export interface BigintCastExp {
  String?: StringComparisonExp | null;
}

/** Conditions on a bigint: all of them must hold. */
export interface BigintComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: number[] | null;
  /** As a text. */
  _cast?: BigintCastExp | null;
  /** Equal. */
  _eq?: number | null;
  /** Greater. */
  _gt?: number | null;
  /** Greater or equal. */
  _gte?: number | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: number[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Less. */
  _lt?: number | null;
  /** Less or equal. */
  _lte?: number | null;
  /** Not equal. */
  _neq?: number | null;
  /** Equal to none of them. */
  _nin?: number[] | null;
}

/** A condition on a record of book: all of the fields must hold. An empty one always holds. */
export interface BookBoolExp {
  /** All of them hold. */
  _and?: BookBoolExp[] | null;
  /** It does not hold. */
  _not?: BookBoolExp | null;
  /** One of them holds; an empty list never does. */
  _or?: BookBoolExp[] | null;
  created_at?: TimestamptzComparisonExp | null;
  created_by?: UuidComparisonExp | null;
  genre?: StringComparisonExp | null;
  id?: UuidComparisonExp | null;
  isbn?: StringComparisonExp | null;
  keywords?: JsonbComparisonExp | null;
  loans?: LoanBoolExp | null;
  /** A condition on values over the records of loans. */
  loans_aggregate?: LoanAggregateBoolExp | null;
  pages?: BigintComparisonExp | null;
  price?: NumericComparisonExp | null;
  title?: StringComparisonExp | null;
  updated_at?: TimestamptzComparisonExp | null;
  updated_by?: UuidComparisonExp | null;
  version?: BigintComparisonExp | null;
}

export type BookConstraint = 'book_isbn_key' | 'book_pkey';

/** A new record of book, with what belongs to it. */
export interface BookInsertInput {
  /** One of novel, poems, science. */
  genre?: string | null;
  /** The primary key. */
  id?: string | null;
  isbn?: string | null;
  keywords?: unknown | null;
  loans?: LoanArrRelInsertInput | null;
  pages?: number | null;
  price?: number | null;
  title?: string | null;
}

/** A record of book that exists, by one of its keys. */
export interface BookKeyInput {
  /** The primary key. */
  id?: string | null;
  isbn?: string | null;
}

/** A new record of book that another looks up, or one that exists. */
export interface BookObjRelInsertInput {
  /** The new record. */
  data?: BookInsertInput | null;
  /** Instead of data: a record that exists. */
  key?: BookKeyInput | null;
  /** What to do with a record that exists; without it, that is an error. */
  on_conflict?: BookOnConflict | null;
}

/** A record of book that another is to look up. */
export interface BookObjRelUpdateInput {
  key: BookKeyInput;
}

export interface BookOnConflict {
  /** The key by which a record exists. */
  constraint: BookConstraint;
  /** Which records are written. */
  mode?: ConflictMode | null;
  /** What to take over; nothing to leave the record as it is. */
  update_columns?: BookUpdateColumn[];
  /** Only a record that meets it is changed. */
  where?: BookBoolExp | null;
}

/** How to sort records of book. */
export interface BookOrderBy {
  created_at?: OrderBy | null;
  created_by?: OrderBy | null;
  genre?: OrderBy | null;
  id?: OrderBy | null;
  isbn?: OrderBy | null;
  loans_aggregate?: LoanAggregateOrderBy | null;
  pages?: OrderBy | null;
  price?: OrderBy | null;
  title?: OrderBy | null;
  updated_at?: OrderBy | null;
  updated_by?: OrderBy | null;
  version?: OrderBy | null;
}

export interface BookSetInput {
  /** One of novel, poems, science. */
  genre?: string | null;
  isbn?: string | null;
  keywords?: unknown | null;
  pages?: number | null;
  price?: number | null;
  title?: string | null;
}

export type BookUpdateColumn = 'genre' | 'isbn' | 'keywords' | 'pages' | 'price' | 'title';

export type ConflictMode = 'create_only' | 'update_only' | 'upsert';

/** Conditions on a date as another type. */
export interface DateCastExp {
  String?: StringComparisonExp | null;
}

/** Conditions on a date: all of them must hold. */
export interface DateComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: string[] | null;
  /** As a text. */
  _cast?: DateCastExp | null;
  /** Equal. */
  _eq?: string | null;
  /** Greater. */
  _gt?: string | null;
  /** Greater or equal. */
  _gte?: string | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: string[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Less. */
  _lt?: string | null;
  /** Less or equal. */
  _lte?: string | null;
  /** Not equal. */
  _neq?: string | null;
  /** Equal to none of them. */
  _nin?: string[] | null;
  /** In a range relative to now: today, this_month, last_week, last_30_days, next_2_hours; " in " and a time zone may follow, as in "today in Europe/Berlin". */
  _rel_date?: string | null;
}

/** Conditions on a jsonb as another type. */
export interface JsonbCastExp {
  String?: StringComparisonExp | null;
}

/** Conditions on a jsonb: all of them must hold. */
export interface JsonbComparisonExp {
  /** As a text. */
  _cast?: JsonbCastExp | null;
  /** Of JSON: the value has all that it has. Of choices: has nothing else than them; no value holds. */
  _contained_in?: unknown | null;
  /** Of JSON: has all that the value has. Of choices: has every one of them; no value has none. */
  _contains?: unknown | null;
  /** Equal. */
  _eq?: unknown | null;
  /** Has the key, or is a list with that text. */
  _has_key?: string | null;
  /** Has all of the keys. */
  _has_keys_all?: string[] | null;
  /** Has one of the keys. */
  _has_keys_any?: string[] | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: unknown[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Not equal. */
  _neq?: unknown | null;
  /** Equal to none of them. */
  _nin?: unknown[] | null;
}

/** Conditions on values over records of loan: all of them must hold. */
export interface LoanAggregateBoolExp {
  /** All of them hold. */
  _and?: LoanAggregateBoolExp[] | null;
  /** It does not hold. */
  _not?: LoanAggregateBoolExp | null;
  /** One of them holds; an empty list never does. */
  _or?: LoanAggregateBoolExp[] | null;
  avg?: LoanAggregateBoolExpNumbers | null;
  bool_and?: LoanAggregateBoolExpBooleans | null;
  bool_or?: LoanAggregateBoolExpBooleans | null;
  count?: LoanAggregateBoolExpCount | null;
  max?: LoanAggregateBoolExpNumbers | null;
  min?: LoanAggregateBoolExpNumbers | null;
  stddev_samp?: LoanAggregateBoolExpNumbers | null;
  sum?: LoanAggregateBoolExpNumbers | null;
  var_samp?: LoanAggregateBoolExpNumbers | null;
}

/** Whether all are true, or one is; it is null over none. */
export interface LoanAggregateBoolExpBooleans {
  /** What it is made of. */
  arguments: LoanAggregateBooleanColumn;
  /** Only records that meet it. */
  filter?: LoanBoolExp | null;
  /** What the value is compared with. */
  predicate: BooleanComparisonExp;
}

/** How many records there are; with arguments, how many where one of them is not null. */
export interface LoanAggregateBoolExpCount {
  /** What it is made of. */
  arguments?: LoanSelectColumn[] | null;
  /** Records that are equal in all of arguments count once. */
  distinct?: boolean | null;
  /** Only records that meet it. */
  filter?: LoanBoolExp | null;
  /** What the value is compared with. */
  predicate: IntComparisonExp;
}

/** A value over numbers; it is null over none. */
export interface LoanAggregateBoolExpNumbers {
  /** What it is made of. */
  arguments: LoanAggregateNumberColumn;
  /** Only records that meet it. */
  filter?: LoanBoolExp | null;
  /** What the value is compared with. */
  predicate: NumericComparisonExp;
}

export type LoanAggregateBooleanColumn = 'returned';

export type LoanAggregateNumberColumn = 'version';

/** How to sort by values over records of loan. */
export interface LoanAggregateOrderBy {
  avg?: LoanAggregateOrderByNumbers | null;
  count?: OrderBy | null;
  max?: LoanAggregateOrderByValues | null;
  min?: LoanAggregateOrderByValues | null;
  stddev?: LoanAggregateOrderByNumbers | null;
  stddev_pop?: LoanAggregateOrderByNumbers | null;
  stddev_samp?: LoanAggregateOrderByNumbers | null;
  sum?: LoanAggregateOrderByNumbers | null;
  var_pop?: LoanAggregateOrderByNumbers | null;
  var_samp?: LoanAggregateOrderByNumbers | null;
  variance?: LoanAggregateOrderByNumbers | null;
}

export interface LoanAggregateOrderByNumbers {
  version?: OrderBy | null;
}

export interface LoanAggregateOrderByValues {
  book_id?: OrderBy | null;
  created_at?: OrderBy | null;
  created_by?: OrderBy | null;
  due?: OrderBy | null;
  id?: OrderBy | null;
  reader?: OrderBy | null;
  updated_at?: OrderBy | null;
  updated_by?: OrderBy | null;
  version?: OrderBy | null;
}

/** New records of loan that look up another. */
export interface LoanArrRelInsertInput {
  data: LoanInsertInput[];
  /** What to do with a record that exists; without it, that is an error. */
  on_conflict?: LoanOnConflict | null;
}

/** A condition on a record of loan: all of the fields must hold. An empty one always holds. */
export interface LoanBoolExp {
  /** All of them hold. */
  _and?: LoanBoolExp[] | null;
  /** It does not hold. */
  _not?: LoanBoolExp | null;
  /** One of them holds; an empty list never does. */
  _or?: LoanBoolExp[] | null;
  book?: BookBoolExp | null;
  book_id?: UuidComparisonExp | null;
  created_at?: TimestamptzComparisonExp | null;
  created_by?: UuidComparisonExp | null;
  due?: DateComparisonExp | null;
  id?: UuidComparisonExp | null;
  reader?: StringComparisonExp | null;
  returned?: BooleanComparisonExp | null;
  updated_at?: TimestamptzComparisonExp | null;
  updated_by?: UuidComparisonExp | null;
  version?: BigintComparisonExp | null;
}

export type LoanConstraint = 'loan_pkey';

/** A new record of loan, with what belongs to it. */
export interface LoanInsertInput {
  book?: BookObjRelInsertInput | null;
  book_id?: string | null;
  due?: string | null;
  /** The primary key. */
  id?: string | null;
  reader?: string | null;
  returned?: boolean | null;
}

export interface LoanOnConflict {
  /** The key by which a record exists. */
  constraint: LoanConstraint;
  /** Which records are written. */
  mode?: ConflictMode | null;
  /** What to take over; nothing to leave the record as it is. */
  update_columns?: LoanUpdateColumn[];
  /** Only a record that meets it is changed. */
  where?: LoanBoolExp | null;
}

/** How to sort records of loan. */
export interface LoanOrderBy {
  book?: BookOrderBy | null;
  book_id?: OrderBy | null;
  created_at?: OrderBy | null;
  created_by?: OrderBy | null;
  due?: OrderBy | null;
  id?: OrderBy | null;
  reader?: OrderBy | null;
  returned?: OrderBy | null;
  updated_at?: OrderBy | null;
  updated_by?: OrderBy | null;
  version?: OrderBy | null;
}

export type LoanSelectColumn = 'book_id' | 'created_at' | 'created_by' | 'due' | 'id' | 'reader' | 'returned' | 'updated_at' | 'updated_by' | 'version';

export interface LoanSetInput {
  /** Instead of book_id: the record by one of its keys. */
  book?: BookObjRelUpdateInput | null;
  book_id?: string | null;
  due?: string | null;
  reader?: string | null;
  returned?: boolean | null;
}

export type LoanUpdateColumn = 'book_id' | 'due' | 'reader' | 'returned';

/** Conditions on a numeric as another type. */
export interface NumericCastExp {
  String?: StringComparisonExp | null;
}

/** Conditions on a numeric: all of them must hold. */
export interface NumericComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: number[] | null;
  /** As a text. */
  _cast?: NumericCastExp | null;
  /** Equal. */
  _eq?: number | null;
  /** Greater. */
  _gt?: number | null;
  /** Greater or equal. */
  _gte?: number | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: number[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Less. */
  _lt?: number | null;
  /** Less or equal. */
  _lte?: number | null;
  /** Not equal. */
  _neq?: number | null;
  /** Equal to none of them. */
  _nin?: number[] | null;
}

export type OrderBy = 'asc' | 'asc_nulls_first' | 'asc_nulls_last' | 'desc' | 'desc_nulls_first' | 'desc_nulls_last';

/** Conditions on a timestamptz: all of them must hold. */
export interface TimestamptzComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: string[] | null;
  /** Equal. */
  _eq?: string | null;
  /** Greater. */
  _gt?: string | null;
  /** Greater or equal. */
  _gte?: string | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: string[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Less. */
  _lt?: string | null;
  /** Less or equal. */
  _lte?: string | null;
  /** Not equal. */
  _neq?: string | null;
  /** Equal to none of them. */
  _nin?: string[] | null;
  /** In a range relative to now: today, this_month, last_week, last_30_days, next_2_hours; " in " and a time zone may follow, as in "today in Europe/Berlin". */
  _rel_date?: string | null;
}

/** Conditions on a uuid as another type. */
export interface UuidCastExp {
  String?: StringComparisonExp | null;
}

/** Conditions on a uuid: all of them must hold. */
export interface UuidComparisonExp {
  /** Not less than the first, and not greater than the second. */
  _between?: string[] | null;
  /** As a text. */
  _cast?: UuidCastExp | null;
  /** Equal. */
  _eq?: string | null;
  /** Greater. */
  _gt?: string | null;
  /** Greater or equal. */
  _gte?: string | null;
  /** Equal to one of them; an empty list never holds. */
  _in?: string[] | null;
  /** Without a value (true), or with one (false). */
  _is_null?: boolean | null;
  /** Less. */
  _lt?: string | null;
  /** Less or equal. */
  _lte?: string | null;
  /** Not equal. */
  _neq?: string | null;
  /** Equal to none of them. */
  _nin?: string[] | null;
}

/** The tables: their records, and what their functions take; never for what the caller may not do. */
export interface Tables {
  book: { row: Book; where: BookBoolExp; order: BookOrderBy; insert: BookInsertInput; set: BookSetInput };
  loan: { row: Loan; where: LoanBoolExp; order: LoanOrderBy; insert: LoanInsertInput; set: LoanSetInput };
}

type Row = Tables[keyof Tables]['row'];

const relations: Record<string, Record<string, string>> = {
  book: { loans: 'loan' },
  loan: { book: 'book' },
};

type Item<V> = NonNullable<V> extends readonly (infer I)[] ? I : NonNullable<V>;
type IsList<V> = NonNullable<V> extends readonly unknown[] ? true : false;

/** Which records of a table, in which order. */
export interface Args<N extends keyof Tables> {
  where?: Tables[N]['where'];
  order_by?: Tables[N]['order'][];
  limit?: number;
  offset?: number;
  after?: string; // the _cursor of a record
  before?: string;
}

/** What is asked of a record: true for a column, more of the same for a relation, with the arguments of a list as $. */
export type Select<T> = {
  readonly [K in keyof T]?: Item<T[K]> extends Row
    ? Select<Item<T[K]>> & (IsList<T[K]> extends true ? (Item<T[K]>['__typename'] extends keyof Tables ? { readonly $?: Args<Item<T[K]>['__typename']> } : unknown) : unknown)
    : true;
};

/** What comes back for a Select. */
export type Result<T, S> = {
  [K in keyof S & keyof T]: Item<T[K]> extends Row
    ? IsList<T[K]> extends true
      ? Result<Item<T[K]>, S[K]>[]
      : Result<Item<T[K]>, S[K]> | Extract<T[K], null>
    : T[K];
};

/** Why a request failed: the errors of the answer, each with a code and more in its extensions. */
export class ColonnadeError extends Error {
  constructor(readonly errors: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[]) {
    super(errors.map((e) => e.message).join('; '));
  }
}

export interface Options {
  url: string; // of /graphql
  key?: string; // an API key; without it, the session of the browser
  fetch?: typeof fetch;
}

/** A client of the tables. */
export class Colonnade {
  constructor(private readonly options: Options) {}

  table<N extends keyof Tables>(name: N): Table<N> {
    return new Table(this, name);
  }

  /** Sends any document. */
  async send<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const { url, key, fetch: send = fetch } = this.options;
    const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
    if (key) headers['authorization'] = `Bearer ${key}`;
    const response = await send(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }, refuseUndefined) });
    const answer = (await response.json()) as { data?: T; errors?: ColonnadeError['errors'] };
    if (answer.errors || !answer.data) throw new ColonnadeError(answer.errors ?? [{ message: `status ${response.status}` }]);
    return answer.data;
  }
}

/** JSON would leave the field out, and a condition with it: what is not there must not be named. */
function refuseUndefined(name: string, value: unknown): unknown {
  if (value === undefined) throw new TypeError(`${name} is undefined: leave it out, or give null`);
  return value;
}

type Tree = { readonly [key: string]: unknown };

/** A table, under the rights of who is signed in. */
export class Table<N extends keyof Tables> {
  constructor(private readonly client: Colonnade, private readonly name: N) {}

  /** The records, 100 when no limit is given. */
  async list<const S extends Select<Tables[N]['row']>>(select: S, args: Args<N> = {}): Promise<Result<Tables[N]['row'], S>[]> {
    return this.run('query', this.name, select, listTypes(this.name), { ...args });
  }

  /** The record with the id, or null. */
  async byId<const S extends Select<Tables[N]['row']>>(id: string, select: S): Promise<Result<Tables[N]['row'], S> | null> {
    return this.run('query', `${this.name}_by_pk`, select, { id: 'uuid!' }, { id });
  }

  /** How many records there are. */
  async count(where?: Tables[N]['where']): Promise<number> {
    const { aggregate } = await this.run<{ aggregate: { count: number } }>('query', `${this.name}_aggregate`, { aggregate: { count: true } }, { where: `${this.name}_bool_exp` }, { where });
    return aggregate.count;
  }

  /** Creates records: all of them, or none. */
  async insert<const S extends Select<Tables[N]['row']>>(objects: Tables[N]['insert'][], select: S): Promise<Result<Tables[N]['row'], S>[]> {
    const made = await this.run<{ returning: Result<Tables[N]['row'], S>[] }>('mutation', `insert_${this.name}`, { returning: select }, { objects: `[${this.name}_insert_input!]!` }, { objects });
    return made.returning;
  }

  /** Changes the record, unless it has another version by now; null when there is none in reach. */
  async update<const S extends Select<Tables[N]['row']>>(id: string, set: Tables[N]['set'], select: S, ifVersion?: number): Promise<Result<Tables[N]['row'], S> | null> {
    const types = { pk_columns: `${this.name}_pk_columns_input!`, _set: `${this.name}_set_input`, if_version: 'bigint' };
    return this.run('mutation', `update_${this.name}_by_pk`, select, types, { pk_columns: { id }, _set: set, if_version: ifVersion });
  }

  /** Deletes the record and returns it as it was; null when there is none in reach. */
  async delete<const S extends Select<Tables[N]['row']>>(id: string, select: S): Promise<Result<Tables[N]['row'], S> | null> {
    return this.run('mutation', `delete_${this.name}_by_pk`, select, { id: 'uuid!' }, { id });
  }

  private async run<T>(kind: 'query' | 'mutation', field: string, select: Tree, types: Record<string, string>, values: Tree): Promise<T> {
    const document = new Document();
    const body = document.field(field, this.name, select, types, values);
    const data = await this.client.send<Record<string, T>>(`${kind} ${document.declared()} { answer: ${body} }`, document.values);
    return data['answer'] as T;
  }
}

const listTypes = (table: string): Record<string, string> => ({ where: `${table}_bool_exp`, order_by: `[${table}_order_by!]`, limit: 'Int', offset: 'Int', after: 'String', before: 'String' });

/** A document in the making: every value in it is a variable. */
class Document {
  readonly values: Record<string, unknown> = {};
  private readonly types: string[] = [];

  declared(): string {
    return this.types.length > 0 ? `(${this.types.join(', ')})` : '';
  }

  field(name: string, table: string, select: Tree, types: Record<string, string>, values: Tree): string {
    const args = Object.entries(types).flatMap(([arg, type]) => {
      if (values[arg] === undefined) return [];
      const variable = `v${this.types.length}`;
      this.types.push(`$${variable}: ${type}`);
      this.values[variable] = values[arg];
      return [`${arg}: $${variable}`];
    });
    return `${name}${args.length > 0 ? `(${args.join(', ')})` : ''} { ${this.selection(table, select)} }`;
  }

  private selection(table: string, select: Tree): string {
    const fields = Object.entries(select).flatMap(([name, inner]) => {
      if (name === '$' || !inner) return [];
      if (inner === true) return [name];
      const to = relations[table]?.[name];
      const { $ = {}, ...rest } = inner as Tree;
      return [this.field(name, to ?? table, rest, to ? listTypes(to) : {}, $ as Tree)];
    });
    return fields.length > 0 ? fields.join(' ') : '__typename';
  }
}

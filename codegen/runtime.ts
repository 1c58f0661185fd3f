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

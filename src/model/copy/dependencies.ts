/** Dependencies that a copy does not transfer, as data, and as lines for the plan, JSON and the end of a run. */
import type { Open } from '../run/dec.ts'
import { OBJECT_WORDS, type ObjectKind } from './schema-object.ts'
import { groupBy } from '../../shared/group-by.ts'

export type LeftKind =
  | ObjectKind
  | 'generated column'
  | 'column'
  | 'accepted loss'
  | 'collation'
  | 'blank collation'
  | 'partitioning'
  | 'inheritance'
  | 'child'
  | 'unlogged'
  | 'strict'
  | 'without rowid'
  | 'conflict clause'
  | 'key property'
  | 'system versioning'
  | 'sequence'
  | 'shared sequence'
  | 'cyclic sequence'
  | 'free sequence'
  | 'type'
  | 'invisible column'
  | 'update time'
  | 'trigger'
  | 'rule'
  | 'view'
  | 'function'
  | 'event'
  | 'policy'
  | 'row security'
  | 'grant'
  | 'comment'
  | 'large object'
  | 'statistics'
  | 'publication'
  | 'virtual table'
  | 'foreign table'
  | 'schema'
  | 'name of the ledger'
  | 'write time'
  | 'time to live'
  | 'time of an element'
  | 'endless life'
  | 'option'
  | 'static column'
  | 'counter'
  | 'unread'

export type LeftBehind = {
  readonly kind: Open<LeftKind>
  /** Table of the source, as `schema.name`; absent if it belongs to no single table of the copy. */
  readonly table?: string
  /** All names as in the source; empty for a property of the table itself. */
  readonly names: readonly string[]
  /** Consequence for the target. */
  readonly means: string
}

/** A dependency as a store finds it, before source and target are compared. */
export type FoundDependency = LeftBehind & {
  /** Definitions by name, because objects of the target may have other names. Absent if only names are compared. */
  readonly definitions?: ReadonlyMap<string, string>
}

type Words = { readonly one: string; readonly many: string; readonly means: string }

const words = (one: string, means: string, many = `${one}s`): Words => ({ one, many, means })

const NOT_CREATED = 'cannot be created in this target by a copy; copy --with all --dry-run shows why'

function objectWords(kind: ObjectKind): Words {
  const [one, many] = OBJECT_WORDS[kind]
  return words(one, NOT_CREATED, many)
}

const KINDS: Readonly<Record<LeftKind, Words>> = {
  index: objectWords('index'),
  unique: objectWords('unique'),
  check: objectWords('check'),
  exclusion: objectWords('exclusion'),
  'foreign key': objectWords('foreign key'),
  default: objectWords('default'),
  'generated column': words(
    'generated column',
    'the target does not compute it, and its values are not copied unless --columns names it',
  ),
  column: words('column', 'its values are not copied, and not compared'),
  'accepted loss': words(
    'column copied with a loss',
    'compared after conversion to the type of the target',
    'columns copied with a loss',
  ),
  collation: words(
    'column with a case-insensitive collation',
    "texts that are equal in the source, such as 'a' and 'A', differ in the target, also in unique keys",
    'columns with a case-insensitive collation',
  ),
  'blank collation': words(
    'column with a collation that ignores blanks at the end',
    "texts that are equal in the source, such as 'a' and 'a ', differ in the target, also in unique keys",
    'columns with a collation that ignores blanks at the end',
  ),
  partitioning: words('partitioned table', 'the target holds all rows in one plain table'),
  inheritance: words(
    'table with inheritance',
    'in the target each is a separate table, and a query of the parent shows no rows of its children',
    'tables with inheritance',
  ),
  child: words('table that inherits', 'its rows stay in the source', 'tables that inherit'),
  unlogged: words('UNLOGGED table', 'the table of the target is an ordinary one'),
  strict: words('STRICT table', 'the target does not enforce the types of columns'),
  'without rowid': words('table WITHOUT ROWID', 'the table of the target has a rowid', 'tables WITHOUT ROWID'),
  'conflict clause': words(
    'conflict clause of constraints',
    'the target refuses a row that violates a constraint',
    'conflict clauses of constraints',
  ),
  'key property': words(
    'property of a key',
    'the key of a new table has its columns only, and checks each row as it is written',
    'properties of keys',
  ),
  'system versioning': words('system-versioned table', 'current rows are copied, but their history is not'),
  sequence: words(
    'column numbered by a sequence',
    'the target has no such sequence: a new row may get the number of a deleted row, or no number',
    'columns numbered by a sequence',
  ),
  'shared sequence': words(
    'column numbered by a named sequence',
    'in the target each column is numbered separately: two columns of one sequence get the same numbers',
    'columns numbered by a named sequence',
  ),
  'cyclic sequence': words(
    'column numbered by a cyclic sequence',
    'the target continues after the last number of the sequence',
    'columns numbered by a cyclic sequence',
  ),
  'free sequence': words(
    'sequence that numbers no column',
    'to be created in the target by hand',
    'sequences that number no column',
  ),
  type: words('type that no column uses', 'to be created in the target by hand', 'types that no column uses'),
  'invisible column': words('invisible column', 'SELECT * shows it in the target'),
  'update time': words(
    'column that takes the time of each update',
    'the target does not set it when a row is updated',
    'columns that take the time of each update',
  ),
  trigger: words('trigger', 'to be created in the target by hand'),
  rule: words('rule', 'to be created in the target by hand'),
  view: words('view', 'to be created in the target by hand'),
  function: words('function', 'to be created in the target by hand'),
  event: words('scheduled event', 'to be created in the target by hand'),
  policy: words(
    'row-security policy',
    'in the target everyone who may read the table reads all rows',
    'row-security policies',
  ),
  'row security': words(
    'table with row security',
    'in the target everyone who may read the table reads all rows',
    'tables with row security',
  ),
  grant: words('grant', 'grant the rights in the target by hand'),
  comment: words('comment', 'they are not created in the target'),
  'large object': words(
    'column of large object numbers',
    'the numbers are copied, but the large objects are not',
    'columns of large object numbers',
  ),
  statistics: words('extended statistics object', 'to be created in the target by hand'),
  publication: words('publication', 'changes of the target are not published'),
  'virtual table': words('virtual table', 'tables of an extension are not copied'),
  'foreign table': words('foreign table', 'rows of another server are not copied'),
  schema: words('other schema', 'its tables are not part of this copy; name them with --tables SCHEMA.*'),
  'name of the ledger': words(
    'table that has the name of a ledger table',
    'it is not part of this copy; name it with --tables, and give it another name with --to-table',
    'tables that have the name of a ledger table',
  ),
  'write time': words(
    'table with write times and times to live',
    'rows that expire in the source stay in the target',
    'tables with write times and times to live',
  ),
  'time to live': words(
    'write time and time to live',
    'the server does not report them for these columns: the target gets the times of other columns of the row, and a row without other values never expires in the target',
    'write times and times to live',
  ),
  'time of an element': words(
    'write time and time to live of elements',
    'all elements of a collection get the latest write time and the longest time to live of its elements',
    'write times and times to live of elements',
  ),
  'endless life': words(
    'table whose rows never expire',
    'the target removes them after some time',
    'tables whose rows never expire',
  ),
  option: words('option of the table', 'it is not set in the target', 'options of the table'),
  'static column': words('static column', 'its value is copied into every row'),
  counter: words('counter', 'a plain number in the target'),
  unread: words('lookup that failed', 'objects that it would have found may be left behind too', 'lookups that failed'),
}

/** @param means text of the consequence, if it is more specific than the default text of the kind */
export function dependencyOf(
  kind: LeftKind,
  names: readonly string[],
  table?: string,
  means: string = KINDS[kind].means,
): LeftBehind {
  return { kind, ...(table === undefined ? {} : { table }), names, means }
}

/** Groups rows of kind, table and name, one entry per kind and table. A row without a name is a table property. */
export function groupDependencies(
  rows: Iterable<readonly [kind: LeftKind, table: string | undefined, name: string | null, definition?: string | null]>,
): readonly FoundDependency[] {
  type Found = { kind: LeftKind; table: string | undefined; names: Set<string>; definitions: Map<string, string> }
  const found = new Map<string, Found>()
  for (const [kind, table, name, definition] of rows) {
    const key = JSON.stringify([kind, table ?? null])
    const entry = found.get(key) ?? { kind, table, names: new Set<string>(), definitions: new Map<string, string>() }
    if (name !== null) entry.names.add(name)
    if (name !== null && definition != null) entry.definitions.set(name, definition)
    found.set(key, entry)
  }
  return [...found.values()].map(({ kind, table, names, definitions }) => ({
    ...dependencyOf(kind, [...names], table),
    ...(definitions.size === 0 ? {} : { definitions }),
  }))
}

/** Limit of names in a line; JSON has all names. */
const SHOWN = 4

/**
 * One line per kind and meaning, over all tables: `left behind: 2 triggers (a, b): …`. Indexes, constraints and
 * defaults have one line per table.
 */
export function dependencyLines(entries: readonly LeftBehind[]): readonly string[] {
  const tables = new Set(entries.flatMap(({ table }) => (table === undefined ? [] : [table])))
  const isObject = ({ kind }: LeftBehind): boolean => Object.hasOwn(OBJECT_WORDS, kind)
  return [
    ...otherLines(
      entries.filter((one) => !isObject(one)),
      tables,
    ),
    ...objectLines(entries.filter(isObject), tables),
  ]
}

/** Counts per kind, since a table may have hundreds: `left behind of a: 2 indexes, 1 check: …`. */
function objectLines(entries: readonly LeftBehind[], tables: ReadonlySet<string>): readonly string[] {
  const isMany = new Set(entries.map(({ table }) => table)).size > SHOWN
  const lines = groupBy(entries, ({ table, means }) => JSON.stringify([isMany ? null : table, means]))
  return [...lines.values()].map((some) => {
    const own = [...new Set(some.flatMap(({ table }) => table ?? []))]
    const of = tables.size < 2 ? '' : ` of ${own.length === 1 ? own.join('') : `${own.length} tables`}`
    const counts = [...groupBy(some, ({ kind }) => kind)].map(([kind, same]) => {
      const count = same.reduce((sum, { names }) => sum + names.length, 0)
      return `${count} ${count === 1 ? KINDS[kind].one : KINDS[kind].many}`
    })
    return `left behind${of}: ${counts.join(', ')}: ${some[0]?.means ?? ''}`
  })
}

function otherLines(entries: readonly LeftBehind[], tables: ReadonlySet<string>): readonly string[] {
  const lines = new Map<string, { kind: LeftKind; means: string; names: Set<string> }>()
  for (const { kind, table, names, means } of entries) {
    const key = JSON.stringify([kind, means])
    const line = lines.get(key) ?? { kind, means, names: new Set<string>() }
    const prefix = table === undefined || tables.size < 2 || ABOVE_TABLES.has(kind) ? '' : `${table}.`
    if (names.length === 0) line.names.add(table ?? '')
    else for (const name of names) line.names.add(prefix + name)
    lines.set(key, line)
  }
  return [...lines.values()].map(({ kind, means, names }) => {
    const all = [...names].filter((name) => name !== '')
    const shown = all.slice(0, SHOWN).join(', ')
    const more = all.length - Math.min(SHOWN, all.length)
    const { one, many } = KINDS[kind]
    const count = Math.max(1, all.length)
    const list = shown === '' ? '' : ` (${shown}${more === 0 ? '' : ` and ${more} more`})`
    return `left behind: ${count} ${count === 1 ? one : many}${list}: ${means}`
  })
}

/** Printed without a table prefix: one view or function may belong to several tables. */
const ABOVE_TABLES: ReadonlySet<LeftKind> = new Set<LeftKind>(['child', 'view', 'function', 'publication', 'unread'])

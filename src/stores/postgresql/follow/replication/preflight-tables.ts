/** Preflight check of tables: whether the server reports every row, and identifies the row of each change. */
import { noKeyText, tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { Cdc, FollowedTable, FollowRefusal } from '../../../../model/follow/port.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { readShapes, type Node, type ReplicatedShape } from './shapes.ts'

const GENERATED_SINCE = 180_000

export type TablePreflight = {
  readonly refusals: readonly FollowRefusal[]
  /** Columns that identify a row of each table; empty for a refused one. */
  readonly identities: readonly (readonly string[])[]
}

type Found = {
  readonly oid: string
  readonly kind: string
  readonly stored: string
  readonly owned: boolean
  readonly owner: string
  readonly hasHeirs: boolean
}

/** Reason why a table cannot be followed, and what to do about it. */
type Obstacle = Omit<FollowRefusal, 'table'>

/** @param cdc for `trigger`, replica identity and generated columns are not inspected */
export async function inspectTables(
  session: CopySession,
  tables: readonly FollowedTable[],
  cdc: Cdc,
): Promise<TablePreflight> {
  const found = await findReplicatedTables(session, tables)
  const oids = oidsOf(found)
  const shapes = await readShapes(session, oids)
  const keys = await uniqueKeys(session, oids)
  const inside = partitionsOf([...shapes.values()].map(({ shape }) => shape))
  const exams = tables.map((table, at) => {
    const one = found[at] ?? null
    const shape = one === null ? undefined : shapes.get(one.oid)?.shape
    if (one === null || shape === undefined) {
      return { identity: [], obstacles: [obstacle('no longer exists', 'run the same command again')] }
    }
    const unique = keys.get(one.oid) ?? []
    const isSlot = cdc === 'slot'
    const identity = isSlot ? identityOf(table, shape, unique.flatMap(atOnce)) : keyOf(table, unique)
    const obstacles = [
      ...ofTable(one, inside, cdc),
      ...(isSlot ? [...ofColumns(table, shape, session.version), ...ofWholeRows(shape, session.version)] : []),
      ...('message' in identity ? [identity] : ofIdentity(table, identity)),
      ...ofPartitions(shape, cdc),
    ]
    return { identity: 'message' in identity ? [] : identity, obstacles }
  })
  return {
    refusals: exams.flatMap(({ obstacles }, at) =>
      obstacles.map(({ message, hint }) => {
        const table: TableName = tables[at]?.table.table ?? { name: '' }
        return { table, message: `${tableText(table)} ${message}`, hint }
      }),
    ),
    identities: exams.map(({ identity, obstacles }) => (obstacles.length === 0 ? identity : [])),
  }
}

/** @returns the found tables, in the order of `tables`; null for a table that does not exist */
export async function findReplicatedTables(
  session: CopySession,
  tables: readonly Pick<FollowedTable, 'table'>[],
): Promise<readonly (Found | null)[]> {
  if (tables.length === 0) return []
  const wanted = tables.map(
    ({ table }, at) => `(${at}, pg_catalog.to_regclass(${literal(tableSql(table.table))})::oid)`,
  )
  const rows = await session.ask(
    `SELECT c.oid, c.relkind, c.relpersistence, pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.pg_get_userbyid(c.relowner),
       c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
     FROM (VALUES ${wanted.join(', ')}) AS w (place, oid) LEFT JOIN pg_catalog.pg_class c ON c.oid = w.oid ORDER BY w.place`,
  )
  return rows.map(([oid, kind, stored, owned, owner, heirs]) =>
    oid == null
      ? null
      : {
          oid,
          kind: kind ?? '',
          stored: stored ?? '',
          owned: owned === 't',
          owner: owner ?? '',
          hasHeirs: heirs === 't',
        },
  )
}

/** OIDs of the tables that exist. */
export function oidsOf(found: readonly (Found | null)[]): readonly string[] {
  return found.flatMap((one) => one?.oid ?? [])
}

type UniqueKey = {
  /** Columns of a unique index, all NOT NULL. */
  readonly columns: readonly string[]
  readonly isPrimary: boolean
  /** True if the server checks each row at once, not at the end of a statement or transaction. */
  readonly isImmediate: boolean
}

function atOnce({ columns, isImmediate }: UniqueKey): readonly (readonly string[])[] {
  return isImmediate ? [columns] : []
}

async function uniqueKeys(
  session: CopySession,
  oids: readonly string[],
): Promise<ReadonlyMap<string, readonly UniqueKey[]>> {
  const rows: readonly TextRow[] = await session.ask(
    `SELECT i.indrelid, pg_catalog.json_agg(a.attname ORDER BY k.n), i.indisprimary, i.indimmediate
     FROM pg_catalog.pg_index i CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k (n)
       JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n]
     WHERE i.indrelid = ANY (${literal(`{${oids.join(',')}}`)}::oid[]) AND i.indisunique AND i.indisvalid
       AND i.indpred IS NULL AND i.indexprs IS NULL
     GROUP BY i.indrelid, i.indexrelid, i.indisprimary, i.indimmediate HAVING pg_catalog.bool_and(a.attnotnull AND NOT EXISTS (
       -- The column may have NULL if the constraint is NOT VALID: older rows were never checked.
       SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'n' AND NOT c.convalidated
         AND a.attnum = ANY (c.conkey)))`,
  )
  const keys = new Map<string, UniqueKey[]>()
  for (const [oid, columns, primary, immediate] of rows) {
    const known = keys.get(oid ?? '') ?? []
    const key = {
      columns: JSON.parse(columns ?? '[]') as string[],
      isPrimary: primary === 't',
      isImmediate: immediate === 't',
    }
    keys.set(oid ?? '', [...known, key])
  }
  return keys
}

/** Name of the root table by the OID of a partition. */
function partitionsOf(shapes: readonly ReplicatedShape[]): ReadonlyMap<string, string> {
  return new Map(
    shapes.flatMap(({ nodes: [root, ...nodes] }) => nodes.map(({ oid }) => [oid, root?.name ?? ''] as const)),
  )
}

function ofTable(found: Found, inside: ReadonlyMap<string, string>, cdc: Cdc): readonly Obstacle[] {
  const { kind, stored, owned, owner, oid } = found
  const above = inside.get(oid)
  return [
    ...(kind === 'r' || kind === 'p'
      ? []
      : [obstacle(`is a ${KINDS[kind] ?? 'relation of another kind'}, and ${UNREPORTED_SQL[cdc]}`, 'leave it out')]),
    ...(stored === 'p'
      ? []
      : [
          obstacle(
            `is ${stored === 'u' ? 'unlogged' : 'temporary'}: ${cdc === 'slot' ? 'its rows are not in the log' : 'it is empty after a crash, which is not reported as a change'}`,
            stored === 'u' ? 'ALTER TABLE … SET LOGGED, or leave it out' : 'leave it out',
          ),
        ]),
    ...(found.hasHeirs ? [obstacle(`has tables that inherit from it, and ${CHILDREN_SQL[cdc]}`, 'leave it out')] : []),
    ...(above === undefined
      ? []
      : [obstacle(`is a partition of ${above}, which is in the stream, too`, 'name only one of the two')]),
    ...(owned
      ? []
      : [
          obstacle(
            `belongs to role ${owner}, and only its owner may ${cdc === 'slot' ? 'publish it' : 'create triggers on it that always fire'}`,
            `connect as ${quoteName(owner)}, or as a role that is a member of it`,
          ),
        ]),
  ]
}

const UNREPORTED_SQL: Readonly<Record<Cdc, string>> = {
  slot: 'a stream does not report its rows',
  trigger: 'triggers do not record changes of its rows',
}
const CHILDREN_SQL: Readonly<Record<Cdc, string>> = {
  slot: 'the stream reports their rows under other names',
  trigger: 'triggers on it do not record their rows',
}

const KINDS: Readonly<Record<string, string>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
}

function ofColumns({ columns }: FollowedTable, shape: ReplicatedShape, version: number): readonly Obstacle[] {
  const known = new Map(shape.columns.map((column) => [column.name, column]))
  return columns.flatMap(({ name, column }) => {
    // sluice makes these columns (constants, and entries of a map), so no stream contains them.
    if (column.made !== undefined) return []
    const found = known.get(name)
    if (found === undefined) return [obstacle(`has no column ${name}`, 'run the same command again')]
    if (found.generated === '') return []
    if (found.generated === 's' && version >= GENERATED_SINCE) return []
    return [
      obstacle(
        `has the generated column ${name}, which ${found.generated === 's' ? 'servers before PostgreSQL 18 do not report' : 'a stream does not report, because it is not stored'}`,
        'leave the column out, or let the target generate it',
      ),
    ]
  })
}

/**
 * From version 18 on, a server refuses every UPDATE and DELETE if the replica identity has a generated column that is
 * not published. A generated column that is not stored cannot be published. Source: CheckCmdReplicaIdentity in
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/executor/execReplication.c
 */
function ofWholeRows({ columns, nodes: [root] }: ReplicatedShape, version: number): readonly Obstacle[] {
  if (root?.identity[0] !== 'f' || version < GENERATED_SINCE) return []
  return columns.flatMap(({ name, generated }) =>
    generated === 'v'
      ? [
          obstacle(
            `has REPLICA IDENTITY FULL, and the generated column ${name}, which is not stored: with a publication the server would refuse every UPDATE and DELETE`,
            'ALTER TABLE … REPLICA IDENTITY DEFAULT, with a primary key; or USING INDEX',
          ),
        ]
      : [],
  )
}

/** Columns by which the source identifies the row of an UPDATE or DELETE. */
function identityOf(
  { table }: FollowedTable,
  { nodes: [root] }: ReplicatedShape,
  keys: readonly (readonly string[])[],
): readonly string[] | Obstacle {
  const [mode, ...columns] = root?.identity ?? []
  if (mode === 'n') {
    return obstacle(
      'has REPLICA IDENTITY NOTHING: the server does not identify changed or deleted rows',
      'ALTER TABLE … REPLICA IDENTITY DEFAULT, with a primary key',
    )
  }
  if (mode === 'f') {
    // The key of a copy by periods is the time, followed by a unique key.
    const within = keys.filter((key) => key.every((name) => table.key.includes(name)))
    const unique = within.find((key) => key.length === table.key.length) ?? within[0]
    if (unique !== undefined) return table.key.filter((name) => unique.includes(name))
    const lacking = table.floatKey === undefined ? 'no unique key of columns that are NOT NULL' : noKeyText(table)
    return obstacle(
      `has REPLICA IDENTITY FULL, and ${lacking}: a repeated row would be written twice`,
      'add a primary key, or a unique index, of columns that are NOT NULL and no floating point numbers; or copy it without a stream',
    )
  }
  if (columns.length > 0) return columns
  return mode === 'i'
    ? obstacle('lacks the index that its replica identity names', 'ALTER TABLE … REPLICA IDENTITY USING INDEX again')
    : obstacle(
        'has no primary key that identifies its rows in the stream: with a publication the server would refuse every UPDATE and DELETE',
        'add a primary key that is not deferrable; or a unique index on columns that are NOT NULL and ALTER TABLE … REPLICA IDENTITY USING INDEX',
      )
}

/** Columns by which triggers note a row. A deferrable key is allowed, because it is unique when a transaction ends. */
function keyOf({ table }: FollowedTable, keys: readonly UniqueKey[]): readonly string[] | Obstacle {
  const isSame = ({ columns }: UniqueKey): boolean =>
    columns.length === table.key.length && columns.every((name) => table.key.includes(name))
  const found = keys.find(({ isPrimary }) => isPrimary) ?? keys.find(isSame)
  return (
    found?.columns ??
    obstacle(
      'has no primary key, which triggers need to record its rows',
      'add a primary key; or copy it without a stream',
    )
  )
}

function ofIdentity({ columns }: FollowedTable, identity: readonly string[]): readonly Obstacle[] {
  const asked = new Set(columns.flatMap(({ name, column }) => (column.made === undefined ? [name] : [])))
  const lacking = identity.filter((name) => !asked.has(name))
  return lacking.length === 0
    ? []
    : [obstacle(`identifies its rows by ${lacking.join(', ')}, which is not copied`, 'copy it too')]
}

function ofPartitions({ nodes: [root, ...nodes] }: ReplicatedShape, cdc: Cdc): readonly Obstacle[] {
  const first = (is: (node: Node) => boolean): string | undefined => nodes.find(is)?.name
  const foreign = first(({ kind }) => kind === 'f')
  const unlogged = first(({ kind, stored }) => kind !== 'f' && stored !== 'p')
  const isOther = ({ identity }: Node): boolean => JSON.stringify(identity) !== JSON.stringify(root?.identity)
  const other = first((node) => cdc === 'slot' && node.kind !== 'f' && isOther(node))
  return [
    ...(foreign === undefined
      ? []
      : [obstacle(`has the foreign table ${foreign} as a partition, and ${UNREPORTED_SQL[cdc]}`, 'detach it')]),
    ...(unlogged === undefined
      ? []
      : [
          obstacle(
            `has the unlogged partition ${unlogged}, and its rows are not in the log`,
            'ALTER TABLE … SET LOGGED',
          ),
        ]),
    ...(other === undefined
      ? []
      : [
          obstacle(
            `has the partition ${other} with another replica identity`,
            'give the table and all of its partitions the same replica identity',
          ),
        ]),
  ]
}

function obstacle(message: string, hint: string): Obstacle {
  return { message, hint }
}

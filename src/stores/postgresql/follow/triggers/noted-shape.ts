/**
 * Shape of a table in a stream that uses triggers: columns without replica identity, and the triggers of the table and
 * its partitions.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { readShapes, type SeenShape, type ReplicatedShape } from '../replication/shapes.ts'

/** Triggers of a table or partition that call a function of a stream. */
type Firing = {
  /** Each trigger that fires always and for every row: its OID, and the transaction that wrote it. */
  readonly rows: string
  /** Each trigger that fires always and for every TRUNCATE: its OID, and the transaction that wrote it. */
  readonly emptied: string
}

/** @property firing triggers of the stream, by OID of the table or partition */
type NotedShape = { readonly seen: SeenShape; readonly firing: Readonly<Record<string, Firing>> }

const NOTHING: Firing = { rows: '', emptied: '' }
/** pg_trigger.tgtype: after each row that is inserted, updated or deleted; after each TRUNCATE. */
const [ROWS, EMPTIED] = ['29', '32']

/** Text of a shape and its triggers, as it is stored and compared. */
export function postgresShapeText({
  seen,
  firing,
}: Pick<NotedShape, 'firing'> & { readonly seen: { readonly shape: ReplicatedShape } }): string {
  return JSON.stringify({ shape: seen.shape, firing })
}

/** @throws SyntaxError if the text is not JSON */
export function notedOf(text: string | undefined): {
  readonly shape: ReplicatedShape
  readonly firing: NotedShape['firing']
} {
  if (text === undefined) return { shape: { columns: [], types: {}, nodes: [] }, firing: {} }
  return JSON.parse(text) as { readonly shape: ReplicatedShape; readonly firing: NotedShape['firing'] }
}

/** @returns shapes by OID of the table; dropped tables are missing */
export async function readNoted(
  session: CopySession,
  oids: readonly string[],
): Promise<ReadonlyMap<string, NotedShape>> {
  const shapes = await readShapes(session, oids)
  const nodes = [...shapes.values()].flatMap(({ shape }) => shape.nodes.map(({ oid }) => oid))
  // Each stream has its own schema; the schema of the function shows to which stream a trigger belongs.
  const rows = await session.ask(
    `SELECT g.tgrelid, g.tgtype, p.proname, n.nspname, g.oid::text || ' ' || g.xmin::text
     FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE g.tgrelid = ANY (${literal(`{${nodes.join(',')}}`)}::oid[]) AND g.tgenabled = 'A' AND g.tgqual IS NULL AND g.tgattr::text = ''
       AND p.proname ~ '^note_\\d+$'::text AND n.nspname ~ '^sluice_[a-z0-9_]+$'::text ORDER BY g.oid`,
  )
  const found = new Map(
    [...shapes].map(([oid, seen]) => [oid, { seen: withoutIdentity(seen), firing: firingOf(oid, seen, rows) }]),
  )
  return found
}

function firingOf(
  root: string,
  { shape }: SeenShape,
  rows: readonly (readonly (string | null)[])[],
): NotedShape['firing'] {
  const firing: Record<string, Firing> = {}
  for (const { oid } of shape.nodes) {
    const own = rows.filter(([table, , note]) => table === oid && note === `note_${root}`)
    const of = (type: string): string =>
      own.flatMap(([, is, , schema, what]) => (is === type ? [`${schema} ${what}`] : [])).join(', ')
    firing[oid] = own.length === 0 ? NOTHING : { rows: of(ROWS ?? ''), emptied: of(EMPTIED ?? '') }
  }
  return firing
}

/** Removes the replica identity from a shape: streams that use triggers do not need one. */
function withoutIdentity(seen: SeenShape): SeenShape {
  const nodes = seen.shape.nodes.map((node) => ({ ...node, identity: [] }))
  return { ...seen, shape: { ...seen.shape, nodes } }
}

/**
 * Returns why triggers of a table may have missed changes; null if all of them still fire.
 * @param before triggers recorded earlier. For a partition that is missing there, any trigger that fires is accepted
 */
export function firingFault(
  before: NotedShape['firing'],
  { seen: { shape }, firing }: NotedShape,
  schema: string,
): string | null {
  for (const [at, { oid, name, kind }] of shape.nodes.entries()) {
    const now = only(firing[oid] ?? NOTHING, schema)
    const was = before[oid] === undefined ? null : only(before[oid], schema)
    const on = at === 0 ? 'it' : `partition ${name}`
    if (now.rows === '' && kind !== 'f')
      return `the trigger that records rows of ${on} was dropped or disabled, or does not always fire`
    if (at === 0 && now.emptied === '')
      return `the trigger that records TRUNCATE of ${on} was dropped or disabled, or does not always fire`
    if (was !== null && (was.rows !== now.rows || was.emptied !== now.emptied))
      return `a trigger on ${on} was recreated or altered: for a while it may not have fired`
  }
  return null
}

function only({ rows, emptied }: Firing, schema: string): Firing {
  const own = (text: string): string =>
    text
      .split(', ')
      .filter((one) => one.startsWith(`${schema} `))
      .join(', ')
  return { rows: own(rows), emptied: own(emptied) }
}

/**
 * Schemas of the streams of all programs whose triggers record changes of a table, its partitions, or a table above it.
 */
export async function notedBy(session: CopySession, table: TableName): Promise<readonly string[]> {
  const oid = `pg_catalog.to_regclass(${literal(tableSql(table))})::oid`
  return await session.texts(
    `SELECT DISTINCT n.nspname FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE p.proname ~ '^note_\\d+$'::text AND n.nspname ~ '^sluice_[a-z0-9_]+$'::text AND g.tgrelid IN (${treeSql(oid)})
     ORDER BY 1`,
  )
}
